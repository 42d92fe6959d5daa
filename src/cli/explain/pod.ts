import type { Peer } from '../../api/grpc.ts';
import { PodResource } from '../../api/resources.ts';
import type { Pod } from '../../api/types.ts';
import { systemClock } from '../../lib/clock.ts';
import { UsageError } from '../../lib/usage-error.ts';
import type { PodRequestOptions } from '../../operator/pod-request.ts';
import { createKubeClient, loadKubeConfig } from '../../runtime/index.ts';
import type { KubeClient } from '../../runtime/index.ts';
import type { Answer, PodFlags } from '../explain.ts';
import { withShard } from '../shard-connection.ts';
import { Chain, linkText } from './chain.ts';
import { needJson, plain, sentenceOfMachine } from './json.ts';
import { clusterOfPod, operatorNote } from './pod-cluster.ts';
import { demandOfPod } from './pod-demand.ts';
import { machineOfPod, nodeOfPod } from './pod-node.ts';
import { verdictsOn } from './pod-verdict.ts';
import { block, machineText, needText } from './text.ts';

/** Whom to ask about a Pod, and what was said with the question. */
export interface PodQuestion {
  readonly client: KubeClient;
  readonly peer: Peer;
  readonly timeoutMs: number;
  /** Where the operator's Lease is. */
  readonly operatorNamespace: string;
  readonly cluster?: string;
  readonly priorityClassDefaults?: PodRequestOptions['priorityClassDefaults'];
}

/** Throws if there is no such Pod, or if the shard or the API server cannot be reached. */
export async function explainPod(name: string, flags: PodFlags): Promise<Answer> {
  const [first = '', second, ...rest] = name.split('/');
  if (first === '' || second === '' || rest.length > 0) throw new UsageError(`"${name}" is no Pod; write NAMESPACE/NAME`);
  const ref = second === undefined ? { namespace: 'default', name: first } : { namespace: first, name: second };
  const options = { operatorNamespace: flags.operatorNamespace, ...(flags.cluster !== undefined && { cluster: flags.cluster }), ...(await penaltyDefaults(flags.priorityClassDefaults)) };
  const client = createKubeClient({
    config: loadKubeConfig(flags.kubeconfig === undefined ? {} : { path: flags.kubeconfig }), clock: systemClock, random: Math.random, fieldManager: 'bigfleet-cli', userAgent: 'bigfleet-cli',
  });
  try {
    const pod = await client.get<Pod>(PodResource, ref);
    if (!pod) throw new Error(`there is no Pod ${ref.namespace}/${ref.name} at ${client.server}`);
    return await withShard(flags, (peer, timeoutMs) => chainOf(pod, { ...options, client, peer, timeoutMs }));
  } finally {
    await client.close();
  }
}

/** From the Pod to its machine; says of each link that is missing what that means. */
export async function chainOf(pod: Pod, { client, peer, timeoutMs, operatorNamespace, cluster: flag, priorityClassDefaults }: PodQuestion): Promise<Answer> {
  const chain = new Chain();
  chain.found('pod', podState(pod));
  const note = await operatorNote(client, operatorNamespace);
  const on = await nodeOfPod(pod, client, chain);
  const machine = await machineOfPod(on, peer, timeoutMs, chain);
  const cluster = clusterOfPod(flag, note, machine, pod.spec.nodeName);
  const request = await demandOfPod(pod, { client, fleet: on.fleet, note, ...(priorityClassDefaults && { priorityClassDefaults }) }, chain);
  const verdicts = request ? await verdictsOn(request, cluster, peer, timeoutMs, chain) : [];
  const links = chain.links();
  const title = `Pod ${pod.metadata.namespace ?? ''}/${pod.metadata.name}`;
  const details = [...verdicts.map(({ need, sentence, explained }) => needText(need, sentence, explained)), ...(machine ? [machineText(machine)] : [])];
  return {
    text: [block(title, links.map((link) => [link.link, linkText(link)])), ...details].join('\n\n'),
    json: {
      kind: 'PodExplanation', namespace: pod.metadata.namespace, name: pod.metadata.name,
      ...(cluster && { cluster }),
      links,
      verdicts: verdicts.map(needJson),
      ...(machine && { machine: { sentence: sentenceOfMachine(machine), ...(plain(machine) as object) } }),
    },
  };
}

async function penaltyDefaults(file: string | undefined): Promise<Pick<PodQuestion, 'priorityClassDefaults'>> {
  if (file === undefined) return {};
  const { readPriorityClassDefaults } = await import('../agent-flags.ts');
  return { priorityClassDefaults: await readPriorityClassDefaults(file) };
}

function podState({ spec, status }: Pod): string {
  const scheduled = status?.conditions?.find((condition) => condition.type === 'PodScheduled' && condition.status === 'False');
  return `${status?.phase ?? 'Pending'}${spec.nodeName ? ` on ${spec.nodeName}` : ''}${scheduled?.message ? `: ${scheduled.message}` : ''}`;
}
