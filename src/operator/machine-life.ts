import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { Node, UpcomingNode } from '../api/types.ts';
import { isReady } from './fleet-nodes.ts';
import { DRAIN_INSTRUCTION_ANNOTATION } from './labels.ts';
import type { News } from './machine-news.ts';

export type Phase = NonNullable<UpcomingNode['status']>['phase'];

/**
 * What a machine's life in this cluster has come to. `over`: it serves the cluster no more, so its UpcomingNode goes, and
 * its Node if `nodeGoes`. `next`: the news are already about another life here and must not be dropped.
 */
export type Life =
  | { readonly kind: 'living'; readonly phase: Phase }
  | { readonly kind: 'over'; readonly nodeGoes: boolean; readonly next: boolean };

/** The table of spec: cluster-operator 4.6 with its corrections, and D20. Pure. */
export function lifeOf(news: News | undefined, un: UpcomingNode | undefined, node: Node | undefined): Life {
  const phase = un?.status?.phase;
  if (!news) return living(phase ?? 'Provisioning');
  if (news.kind === 'unnamed') {
    // The shard may have forgotten a machine that still works: its Node stays unless we were emptying it for leaving.
    return over(phase === 'Drained' || (isLeaving(un) && node !== undefined && !isReady(node)));
  }
  const leaving = isLeaving(un);
  // Not drained, it may have left all the same: then its Node loses its life soon, and goes.
  const nodeGoes = leaving || news.wasDraining === true || !node || !isReady(node);
  const served = leaving || phase === 'Ready' || un?.status?.nodeRef !== undefined;
  switch (news.frame.state) {
    case MachineState.MACHINE_STATE_IDLE:
      return leaving || phase === 'Ready' || (phase === 'Failed' && served) ? over(nodeGoes) : living('Launched');
    case MachineState.MACHINE_STATE_DELETING:
      // Also said of a machine that was on its way and never arrives.
      return over(nodeGoes);
    case MachineState.MACHINE_STATE_SPECULATIVE:
      return served || phase === 'Failed' ? over(nodeGoes) : living('Provisioning');
    case MachineState.MACHINE_STATE_UNSPECIFIED:
      return living('Provisioning');
    case MachineState.MACHINE_STATE_CREATING:
      return leaving ? again(un, node) : living('Provisioning');
    case MachineState.MACHINE_STATE_CONFIGURING:
      // It was idle in between, and it is bound again before the old life was cleared away.
      return leaving ? again(un, node) : living('Registered');
    case MachineState.MACHINE_STATE_CONFIGURED:
      // Told to leave since then: what our own drain found stands until the Node is no longer cordoned.
      return living(leaving && phase && isOrdered(un) && news.isBeforeOrder && (!node || node.spec?.unschedulable) ? phase : 'Ready');
    case MachineState.MACHINE_STATE_DRAINING:
      return living(leaving && phase !== undefined ? phase : 'Draining');
    case MachineState.MACHINE_STATE_FAILED:
      return un?.status?.nodeRef !== undefined && (!node || !isReady(node)) ? over(true) : living('Failed');
  }
}

/** On its way out: draining, drained, or given up as undrainable. */
export function isLeaving(un: UpcomingNode | undefined): boolean {
  const phase = un?.status?.phase;
  return phase === 'Draining' || phase === 'Drained' || (phase === 'Failed' && isOrdered(un));
}

/** A drain was ordered for it. */
export function isOrdered(un: UpcomingNode | undefined): boolean {
  return un?.metadata.annotations?.[DRAIN_INSTRUCTION_ANNOTATION] !== undefined;
}

function living(phase: Phase): Life {
  return { kind: 'living', phase };
}

function over(nodeGoes: boolean): Life {
  return { kind: 'over', nodeGoes, next: false };
}

/** Another Node under the same name may have joined already: it belongs to the next life and stays. */
function again(un: UpcomingNode | undefined, node: Node | undefined): Life {
  return { kind: 'over', nodeGoes: node !== undefined && un?.status?.nodeRef?.uid === node.metadata.uid, next: true };
}
