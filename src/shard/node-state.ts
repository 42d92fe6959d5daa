import { INSTANCE_TYPE_LABEL, ZONE_LABEL } from '../api/constants.ts';
import { MachineState as WireState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { NodeStateUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import type { MachineState } from '../engine/types.ts';
import type { MachineRecord } from './record.ts';
import { clusterOf } from './record.ts';
import { stateToWire } from '../provider/kit/wire.ts';

/** What `cluster` is to know about the machine (spec: engine 14.2). */
export function nodeStateUpdate(record: MachineRecord, cluster: string): NodeStateUpdate {
  const { seen } = record;
  const labels = new Map(Object.entries(seen.labels));
  if (seen.instanceType) labels.set(INSTANCE_TYPE_LABEL, seen.instanceType);
  if (seen.zone) labels.set(ZONE_LABEL, seen.zone);
  return {
    supersedesKey: `node:${seen.id}`,
    machineId: seen.id,
    clusterId: cluster,
    state: stateToWire(toldState(record)),
    nodeName: '',
    providerId: seen.host?.ref ?? '',
    lastError: seen.state === 'Failed' ? seen.lastError : '',
    labels,
    resources: { resources: formatResources(seen.allocatable) },
    taints: [],
  };
}

/**
 * A machine counts as leaving from the moment its operator was told to empty it, whether or not the provider drains it yet.
 * So CONFIGURED always means that it stays, also when it is said again.
 */
function toldState({ seen, intent, hold }: MachineRecord): MachineState {
  return seen.state === 'Configured' && intent?.kind === 'unbind' && intent.isTold && !hold ? 'Draining' : seen.state;
}

/** A frame for one cluster. `left`: the machine serves it no more, or never will. */
export interface ClusterFrame {
  readonly cluster: string;
  readonly left: boolean;
  readonly update: NodeStateUpdate;
}

/**
 * The frames that a change means: the cluster that has the machine hears of its state, the one that just lost it hears of
 * the state in which it left. A machine that was only on its way leaves as DELETING, since it never arrives.
 */
export function framesFor(before: MachineRecord | undefined, after: MachineRecord | undefined): ClusterFrame[] {
  const from = before ? clusterOf(before) : '';
  const to = after ? clusterOf(after) : '';
  const frames: ClusterFrame[] = [];
  if (after && to && (from !== to || !before || stateMatters(before, after))) frames.push({ cluster: to, left: false, update: nodeStateUpdate(after, to) });
  if (before && from && from !== to) {
    const update = nodeStateUpdate(after ?? before, from);
    const neverArrived = before.seen.cluster !== from;
    frames.push({ cluster: from, left: true, update: neverArrived || !after ? asGone(update) : update });
  }
  return frames;
}

/**
 * The frames that its transfer to another shard means: a machine on its way never arrives as far as we can tell, so what its
 * cluster prepared for it goes. One that was bound goes on serving, and nobody is told anything.
 */
export function framesForDisowned(before: MachineRecord): ClusterFrame[] {
  const isOnItsWay = before.intent?.kind === 'bind' && !before.intent.configureSent;
  return isOnItsWay ? framesFor(before, undefined) : [];
}

/**
 * States alone are ambiguous once frames supersede each other: IDLE is how a machine leaves and, from the decision on
 * (D34), how it comes. An operator that understands our additions hears of every departure as DELETING; others get the
 * true state, which they expect after DRAINING.
 */
export function asGone(update: NodeStateUpdate): NodeStateUpdate {
  return { ...update, state: WireState.MACHINE_STATE_DELETING };
}

function stateMatters(before: MachineRecord, after: MachineRecord): boolean {
  return toldState(before) !== toldState(after) || before.seen.host?.ref !== after.seen.host?.ref || before.seen.lastError !== after.seen.lastError;
}
