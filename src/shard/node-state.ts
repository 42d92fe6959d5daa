import { INSTANCE_TYPE_LABEL, ZONE_LABEL } from '../api/constants.ts';
import { MachineState as WireState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { NodeStateUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import type { MachineRecord } from './record.ts';
import { clusterOf } from './record.ts';
import { STATE_NUMBER } from './wire-names.ts';

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
    state: STATE_NUMBER[seen.state],
    nodeName: '',
    providerId: seen.host?.ref ?? '',
    lastError: seen.state === 'Failed' ? seen.lastError : '',
    labels,
    resources: { resources: formatResources(seen.allocatable) },
    taints: [],
  };
}

/**
 * The frames that a change means, by cluster: the one that has the machine hears of its state, the one that just lost it
 * hears of the state in which it left. A machine that was only on its way leaves as DELETING, since it never arrives.
 */
export function framesFor(before: MachineRecord | undefined, after: MachineRecord | undefined): NodeStateUpdate[] {
  const from = before ? clusterOf(before) : '';
  const to = after ? clusterOf(after) : '';
  const frames: NodeStateUpdate[] = [];
  if (after && to && (from !== to || !before || stateMatters(before, after))) frames.push(nodeStateUpdate(after, to));
  if (before && from && from !== to) {
    const last = after ?? before;
    const neverArrived = before.seen.cluster !== from;
    const frame = nodeStateUpdate(last, from);
    frames.push(neverArrived || !after ? { ...frame, state: WireState.MACHINE_STATE_DELETING } : frame);
  }
  return frames;
}

function stateMatters(before: MachineRecord, after: MachineRecord): boolean {
  return before.seen !== after.seen && (before.seen.state !== after.seen.state || before.seen.host?.ref !== after.seen.host?.ref || before.seen.lastError !== after.seen.lastError);
}
