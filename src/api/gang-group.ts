/** The name of a gang: Pods that name the same domain key and select the same peers belong together (spec: operator 4.1). */
import { compareText } from '../lib/compare-text.ts';
import type { LabelSelector } from './core.ts';

/**
 * Equal exactly when namespace, topology key and selector mean the same: order in maps and lists does not matter, and no
 * separator inside a name can make two gangs one. '' without a topology key: no gang. Opaque on the wire.
 */
export function canonicalGroup(namespace: string, topologyKey: string, labelSelector: LabelSelector | null | undefined): string {
  if (topologyKey === '') return '';
  return JSON.stringify([topologyKey, namespace, labelSelector ? canonicalSelector(labelSelector) : null]);
}

function canonicalSelector(selector: LabelSelector): unknown {
  const labels = Object.entries(selector.matchLabels ?? {}).sort((a, b) => compareText(a[0], b[0]));
  const expressions = (selector.matchExpressions ?? [])
    .map((e) => [e.key, e.operator, [...(e.values ?? [])].sort(compareText)] as const)
    .sort((a, b) => compareText(a[0], b[0]) || compareText(a[1], b[1]) || compareText(JSON.stringify(a[2]), JSON.stringify(b[2])));
  return [labels, expressions];
}
