import { OPERATOR_NOTE_ANNOTATION } from '../../api/constants.ts';
import { MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { MachineView } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { LeaseResource } from '../../api/resources.ts';
import type { Lease } from '../../api/types.ts';
import { OPERATOR_NAME } from '../../operator/names.ts';
import { parseNote, type OperatorNote } from '../../operator/operator-note.ts';
import { isApiError } from '../../runtime/index.ts';
import type { KubeClient } from '../../runtime/index.ts';

/** Which cluster of the fleet a Pod is in, and who says so. */
export interface PodCluster {
  readonly id: string;
  readonly saidBy: '--cluster' | 'operator' | 'machine';
}

/** What the operator has left at its Lease; undefined if there is none, if it is older than such notes, or if we may not read it. */
export async function operatorNote(client: KubeClient, namespace: string): Promise<OperatorNote | undefined> {
  const lease = await unlessForbidden(client.get<Lease>(LeaseResource, { namespace, name: OPERATOR_NAME }));
  return parseNote(lease?.metadata.annotations?.[OPERATOR_NOTE_ANNOTATION]);
}

/**
 * Undefined: nothing proves it. That a shard has just such demand of a cluster proves nothing, even if it is of no other:
 * what the Pod's own cluster asks for may not have come yet.
 */
export function clusterOfPod(flag: string | undefined, note: OperatorNote | undefined, machine: MachineView | undefined, nodeName: string | undefined): PodCluster | undefined {
  if (flag !== undefined) return { id: flag, saidBy: '--cluster' };
  if (note) return { id: note.clusterId, saidBy: 'operator' };
  return machine && isUnder(machine, nodeName) ? { id: machine.clusterId, saidBy: 'machine' } : undefined;
}

/** A Node may outlive its machine's stay: a machine that is free, or on its way to another cluster, has left this one. */
function isUnder({ state, clusterId, nodeName }: MachineView, name: string | undefined): boolean {
  const serves = state === MachineState.MACHINE_STATE_CONFIGURED || state === MachineState.MACHINE_STATE_DRAINING;
  return serves && clusterId !== '' && (nodeName === '' || nodeName === name);
}

export async function unlessForbidden<T>(answer: Promise<T>): Promise<T | undefined> {
  return answer.catch((error: unknown) => {
    if (isApiError(error) && error.status === 403) return undefined;
    throw error;
  });
}
