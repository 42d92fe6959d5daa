import type { Peer } from '../../api/grpc.ts';
import { MACHINE_ID_LABEL } from '../../api/constants.ts';
import { unitClass } from '../../api/profile.ts';
import { parseResources } from '../../api/resource-vector.ts';
import type { NeedView } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ShardViewService } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineView, NeedExplanation } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { capacityRequestName } from '../../api/names.ts';
import { CapacityRequestResource, NodeResource, PodResource } from '../../api/resources.ts';
import type { CapacityRequest, Node, Pod } from '../../api/types.ts';
import { systemClock } from '../../lib/clock.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { contributionOf, isRejection } from '../../operator/contribution.ts';
import type { RowIdentity } from '../../operator/contribution.ts';
import { capacityRequestFor, type PodRequestOptions } from '../../operator/pod-request.ts';
import { createKubeClient, loadKubeConfig } from '../../runtime/index.ts';
import type { KubeClient } from '../../runtime/index.ts';
import type { Answer, PodFlags } from '../explain.ts';
import { withShard } from '../shard-connection.ts';
import { plain, sentenceOfMachine } from './json.ts';
import { explainRow, inspect } from './need.ts';
import { block, machineText, needText } from './text.ts';

/** One link of the chain from the Pod to the machine, in the order in which they come about. */
interface Link {
  readonly link: 'pod' | 'request' | 'row' | 'verdict' | 'node' | 'machine';
  readonly found: boolean;
  readonly text: string;
}

interface Verdict {
  readonly need: NeedView;
  readonly sentence: string;
  readonly explained?: NeedExplanation;
}

/** Throws if there is no such Pod, or if the shard or the API server cannot be reached. */
export async function explainPod(name: string, flags: PodFlags): Promise<Answer> {
  const [first = '', second, ...rest] = name.split('/');
  if (first === '' || second === '' || rest.length > 0) throw new UsageError(`"${name}" is no Pod; write NAMESPACE/NAME`);
  const ref = second === undefined ? { namespace: 'default', name: first } : { namespace: first, name: second };
  const options = await penaltyDefaults(flags.priorityClassDefaults);
  const client = createKubeClient({
    config: loadKubeConfig(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig }), clock: systemClock, random: Math.random, fieldManager: 'bigfleet-cli', userAgent: 'bigfleet-cli',
  });
  try {
    const pod = await client.get<Pod>(PodResource, ref);
    if (!pod) throw new Error(`there is no Pod ${ref.namespace}/${ref.name} at ${client.server}`);
    return await withShard(flags, (peer, timeoutMs) => chainOf(pod, client, peer, flags.cluster, timeoutMs, options));
  } finally {
    await client.close();
  }
}

/** From the Pod to its machine; says of each link that is missing what that means. */
export async function chainOf(pod: Pod, client: KubeClient, peer: Peer, cluster: string | undefined, timeoutMs: number, options: PodRequestOptions = {}): Promise<Answer> {
  const title = `Pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
  const links: Link[] = [{ link: 'pod', found: true, text: podState(pod) }];
  const machine = await machineOf(pod, client, peer, timeoutMs, links);
  const verdicts = await verdictsOf(pod, client, peer, cluster ?? machine?.clusterId, timeoutMs, links, options);
  const order: readonly Link['link'][] = ['pod', 'request', 'row', 'verdict', 'node', 'machine'];
  const chain = links.sort((a, b) => order.indexOf(a.link) - order.indexOf(b.link));
  const details = [...verdicts.map(({ need, sentence, explained }) => needText(need, sentence, explained && { ...explained, machines: [], ahead: [] })), ...(machine ? [machineText(machine)] : [])];
  return {
    text: [block(title, chain.map(({ link, found, text }) => [link, found ? text : `MISSING: ${text}`])), ...details].join('\n\n'),
    json: {
      kind: 'PodExplanation', namespace: pod.metadata.namespace, name: pod.metadata.name, links: chain,
      verdicts: verdicts.map(({ need, sentence }) => ({ sentence, need: plain(need) })),
      ...(machine && { machine: { sentence: sentenceOfMachine(machine), ...(plain(machine) as object) } }),
    },
  };
}

async function machineOf(pod: Pod, client: KubeClient, peer: Peer, timeoutMs: number, links: Link[]): Promise<MachineView | undefined> {
  const nodeName = pod.spec.nodeName;
  if (!nodeName) {
    links.push({ link: 'node', found: false, text: 'the scheduler has not bound the Pod to a Node' });
    return undefined;
  }
  const node = await client.get<Node>(NodeResource, { name: nodeName });
  const id = node?.metadata.labels?.[MACHINE_ID_LABEL];
  links.push(node ? { link: 'node', found: true, text: nodeName } : { link: 'node', found: false, text: `Node ${nodeName}, to which the Pod is bound, is gone` });
  if (!node) return undefined;
  if (id === undefined) {
    links.push({ link: 'machine', found: false, text: `Node ${nodeName} carries no label ${MACHINE_ID_LABEL}: it is no machine of this fleet` });
    return undefined;
  }
  const answer = await unlessUnknown(peer.unary(ShardViewService.explainMachine, { machineId: id }, { timeoutMs }));
  links.push(answer?.machine
    ? { link: 'machine', found: true, text: `${id}: ${sentenceOfMachine(answer.machine)}` }
    : { link: 'machine', found: false, text: `this shard knows no machine ${id}; is it another one's? (--shard)` });
  return answer?.machine;
}

async function verdictsOf(pod: Pod, client: KubeClient, peer: Peer, cluster: string | undefined, timeoutMs: number, links: Link[], options: PodRequestOptions): Promise<Verdict[]> {
  const request = await requestOf(pod, client, links, options);
  if (!request) return [];
  const contribution = contributionOf(request);
  if (isRejection(contribution)) {
    links.push({ link: 'row', found: false, text: `the request cannot be expressed and is left out (${contribution.field}: ${contribution.problem})` });
    return [];
  }
  const { row } = contribution;
  links.push({ link: 'row', found: true, text: `demand ${row.fingerprint}, priority ${String(row.profile.priority)}${row.group === '' ? '' : `, group ${row.group}`}` });
  const { cycle, needs } = await inspect(peer, cluster ?? '', (need) => isOf(row, need), timeoutMs);
  if (needs.length === 0) {
    const of = cluster === undefined ? 'any cluster' : `cluster ${cluster}`;
    links.push({ link: 'verdict', found: false, text: cycle === 0 ? 'the shard has made no plan yet' : `the shard has no such demand of ${of}: not reported yet (operator running and connected?), or another shard's (--shard)` });
    return [];
  }
  const verdicts: Verdict[] = [];
  for (const need of needs) {
    const explained = await unlessUnknown(explainRow(peer, need, timeoutMs));
    verdicts.push({ need: explained?.need ?? need, sentence: explained?.why?.text ?? need.reasonText, ...(explained && { explained }) });
  }
  const hint = needs.length > 1 ? ` (one of ${String(needs.length)} clusters that ask for just this; --cluster says which)` : '';
  links.push({ link: 'verdict', found: true, text: verdicts.map(({ need, sentence }) => `cluster ${need.clusterId}: ${sentence}`).join(' · ') + hint });
  return verdicts;
}

async function penaltyDefaults(file: string | undefined): Promise<PodRequestOptions> {
  if (file === undefined) return {};
  const { readPriorityClassDefaults } = await import('../agent-flags.ts');
  return { priorityClassDefaults: await readPriorityClassDefaults(file) };
}

/** What the Pod asks for: its request, or what would be its request, for operators that read Pods themselves (D33). */
async function requestOf(pod: Pod, client: KubeClient, links: Link[], options: PodRequestOptions): Promise<CapacityRequest | undefined> {
  const demand = capacityRequestFor(pod, options);
  if (demand.kind !== 'request') {
    links.push({ link: 'request', found: false, text: demand.kind === 'none' ? `it asks for nothing: ${WHY_NOTHING[demand.because]}` : 'not known yet' });
    return undefined;
  }
  const name = capacityRequestName(pod.metadata.uid ?? '');
  const namespace = pod.metadata.namespace ?? 'default';
  const request = await client.get<CapacityRequest>(CapacityRequestResource, { namespace, name });
  if (!request) {
    links.push({ link: 'request', found: false, text: `no CapacityRequest ${name} yet (pod controller running?); what follows is of the Pod itself, as with --pod-demand=direct` });
    return demand.request;
  }
  const worst = request.status?.conditions?.find((condition) => condition.status === 'False');
  links.push({ link: 'request', found: true, text: `CapacityRequest ${name}: ${request.status?.phase ?? 'not reported yet'}${worst ? `, ${worst.type}=False: ${worst.message ?? ''}` : ''}` });
  return request;
}

const WHY_NOTHING: Readonly<Record<'finished' | 'daemonset' | 'mirror' | 'foreign-node', string>> = {
  finished: 'the Pod has finished',
  daemonset: 'Pods of DaemonSets come with their Nodes',
  mirror: "the kubelet's static Pods come with their Nodes",
  'foreign-node': 'it runs on a Node that is no machine of this fleet',
};

function isOf(row: RowIdentity, { profileFingerprint, need }: NeedView): boolean {
  if (profileFingerprint !== row.fingerprint || need?.group !== row.group) return false;
  return row.group !== '' || unitClass(parseResources(need.minUnit, 'up')) === row.unitClass;
}

function podState({ spec, status }: Pod): string {
  const scheduled = status?.conditions?.find((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  return `${status?.phase ?? 'Pending'}${spec.nodeName ? ` on ${spec.nodeName}` : ''}${scheduled?.message ? `: ${scheduled.message}` : ''}`;
}

/** Undefined where the shard knows nothing of it; other troubles are thrown. */
async function unlessUnknown<T>(answer: Promise<T>): Promise<T | undefined> {
  const { GrpcCode, GrpcError } = await import('../../api/grpc.ts');
  return answer.catch((error: unknown) => {
    if (error instanceof GrpcError && error.code === GrpcCode.NOT_FOUND) return undefined;
    throw error;
  });
}
