import { capacityRequestName } from '../../api/names.ts';
import { CapacityRequestResource } from '../../api/resources.ts';
import type { CapacityRequest, Pod } from '../../api/types.ts';
import type { FleetNodes } from '../../operator/fleet-nodes.ts';
import type { OperatorNote } from '../../operator/operator-note.ts';
import { podRequestOptions } from '../../operator/pod-demand.ts';
import { capacityRequestFor, type PodDemand, type PodRequestOptions } from '../../operator/pod-request.ts';
import type { KubeClient } from '../../runtime/index.ts';
import type { Chain } from './chain.ts';

export interface DemandSources {
  readonly client: KubeClient;
  readonly fleet: FleetNodes;
  /** Undefined: it is not known whether Pods are demand themselves. */
  readonly note: OperatorNote | undefined;
  /** From a file that somebody has named: they win. */
  readonly priorityClassDefaults?: PodRequestOptions['priorityClassDefaults'];
}

/** What is asked for this Pod: its request or, where Pods are demand themselves (D33), what the operator makes of it. Undefined: nothing. */
export async function demandOfPod(pod: Pod, { client, fleet, note, priorityClassDefaults }: DemandSources, chain: Chain): Promise<CapacityRequest | undefined> {
  const known = { ...podRequestOptions(note?.directPods ?? BY_DEFAULT, fleet), ...(priorityClassDefaults && { priorityClassDefaults }) };
  const demand = capacityRequestFor(pod, known);
  if (note?.directPods) {
    if (demand.kind !== 'request') return nothing(demand, pod, chain);
    chain.none('request', 'demand is direct: the operator reads the Pod itself (--pod-demand=direct)');
    return demand.request;
  }
  const name = capacityRequestName(pod.metadata.uid ?? '');
  const request = await client.get<CapacityRequest>(CapacityRequestResource, { namespace: pod.metadata.namespace ?? 'default', name });
  if (request) {
    chain.found('request', `CapacityRequest ${name}: ${stateOf(request)}`);
    return request;
  }
  if (demand.kind !== 'request') return nothing(demand, pod, chain);
  if (note) {
    chain.missing('request', `no CapacityRequest ${name} yet, so that nothing is asked for this Pod (pod controller running?)`);
    return undefined;
  }
  chain.missing('request', `no CapacityRequest ${name}: pod controller running? With --pod-demand=direct there is none by design; only then is what follows this Pod's`);
  return demand.request;
}

/** Of a pod controller we do not know the flags. If it counts such Pods, there is a request. */
const BY_DEFAULT = { includeDaemonSetPods: false, foreignNodes: 'ignore' } as const;

function nothing(demand: Exclude<PodDemand, { kind: 'request' }>, { spec }: Pod, chain: Chain): undefined {
  if (demand.kind === 'none') chain.none('request', `it asks for nothing, because ${WHY_NOTHING[demand.because]}`);
  else chain.missing('request', `it depends on Node ${spec.nodeName ?? ''} whether the Pod asks for anything, and that is gone`);
}

const WHY_NOTHING: Readonly<Record<Extract<PodDemand, { kind: 'none' }>['because'], string>> = {
  finished: 'the Pod has finished',
  daemonset: 'Pods of DaemonSets come with their Nodes, and count with --include-daemonset-pods only',
  mirror: "the kubelet's static Pods come with their Nodes, and count with --include-daemonset-pods only",
  'foreign-node': 'it is on a Node that is no machine of this fleet; such Pods count with --foreign-nodes=count only',
};

function stateOf({ status }: CapacityRequest): string {
  const worst = status?.conditions?.find((condition) => condition.status === 'False');
  return `${status?.phase ?? 'not reported yet'}${worst ? `, ${worst.type}=False: ${worst.message ?? ''}` : ''}`;
}
