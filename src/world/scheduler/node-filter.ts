import type { Taint, Toleration } from '../../api/core.ts';
import type { NodeView } from './cluster-view.ts';
import { meets } from './label-selector.ts';
import type { PodShape } from './pod-shape.ts';

/** Why a Node does not take a Pod, in the words of the real scheduler. Empty = it does. */
export type Refusals = readonly string[];

const FITS: Refusals = [];

/** The checks that look at one Node alone, cheapest first; the real scheduler, too, reports the first check that fails. */
export function refusals(shape: PodShape, node: NodeView): Refusals {
  if (!node.known) return ['node(s) not found'];
  if (node.unschedulable) return ['node(s) were unschedulable'];
  if (!node.ready) return ['node(s) had untolerated taint {node.kubernetes.io/not-ready: }'];
  const taint = untolerated(shape.tolerations, node.taints);
  if (taint) return [`node(s) had untolerated taint {${taint.key}: ${taint.value ?? ''}}`];
  if (!matchesNodeAffinity(shape, node)) return ["node(s) didn't match Pod's node affinity/selector"];
  return lackOfRoom(shape, node);
}

export function fits(shape: PodShape, node: NodeView): boolean {
  return refusals(shape, node).length === 0;
}

export function matchesNodeAffinity(shape: PodShape, node: NodeView): boolean {
  for (const [key, value] of Object.entries(shape.nodeSelector)) if (node.labels[key] !== value) return false;
  if (!shape.nodeTerms) return true;
  // A term without any expression matches nothing, as in the real scheduler.
  return shape.nodeTerms.some((term) => {
    const expressions = term.matchExpressions ?? [];
    const fields = term.matchFields ?? [];
    if (expressions.length + fields.length === 0) return false;
    return expressions.every((e) => meets(e, node.labels)) && fields.every((f) => meets(f, { 'metadata.name': node.name }));
  });
}

function lackOfRoom(shape: PodShape, node: NodeView): Refusals {
  let lacking: string[] | undefined;
  if (node.pods.size + 1 > node.maxPods) lacking = ['Too many pods'];
  for (const [name, amount] of shape.requests) {
    const free = (node.allocatable.get(name) ?? 0) - (node.used.get(name) ?? 0);
    if (amount > free) (lacking ??= []).push(`Insufficient ${name}`);
  }
  return lacking ?? FITS;
}

function untolerated(tolerations: readonly Toleration[], taints: readonly Taint[]): Taint | undefined {
  return taints.find((taint) => taint.effect !== 'PreferNoSchedule' && !tolerations.some((t) => tolerates(t, taint)));
}

function tolerates(toleration: Toleration, taint: Taint): boolean {
  if (toleration.effect && toleration.effect !== taint.effect) return false;
  if (toleration.key && toleration.key !== taint.key) return false;
  if (toleration.operator === 'Exists') return true;
  return Boolean(toleration.key) && (toleration.value ?? '') === (taint.value ?? '');
}

/** How full the Node would be with the Pod on it, 0 to 1, over what the Pod asks for plus cpu and memory. */
export function fullness(shape: PodShape, node: NodeView): number {
  let sum = 0;
  let dimensions = 0;
  const consider = (name: string, requested: number): void => {
    const allocatable = node.allocatable.get(name) ?? 0;
    if (allocatable === 0) return;
    sum += ((node.used.get(name) ?? 0) + requested) / allocatable;
    dimensions++;
  };
  for (const [name, amount] of shape.requests) consider(name, amount);
  for (const name of ['cpu', 'memory']) if (!shape.requests.some(([n]) => n === name)) consider(name, 0);
  return dimensions === 0 ? 0 : sum / dimensions;
}
