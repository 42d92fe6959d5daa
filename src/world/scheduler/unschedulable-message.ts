import type { NodeView } from './cluster-view.ts';
import { refusals } from './node-filter.ts';
import type { PodShape } from './pod-shape.ts';
import type { NodeCheck } from './relations.ts';

/** The sentence of the real scheduler: `0/12 nodes are available: 3 Insufficient cpu, 9 node(s) were unschedulable.` */
export function unschedulableMessage(shape: PodShape, nodes: Iterable<NodeView>, checks: readonly NodeCheck[]): string {
  const counts = new Map<string, number>();
  let total = 0;
  for (const node of nodes) {
    if (!node.known) continue;
    total++;
    for (const reason of reasons(shape, node, checks)) counts.set(reason, (counts.get(reason) ?? 0) + 1);
  }
  if (total === 0) return 'no nodes available to schedule pods';
  const texts = [...counts].map(([reason, count]) => `${count} ${reason}`).sort();
  return `0/${total} nodes are available: ${texts.join(', ')}.`;
}

function reasons(shape: PodShape, node: NodeView, checks: readonly NodeCheck[]): readonly string[] {
  const own = refusals(shape, node);
  if (own.length > 0) return own;
  const relational = checks.map((check) => check(node)).find((reason) => reason !== undefined);
  return relational === undefined ? [] : [relational];
}
