import type { Node, Pod } from '../../api/core.ts';
import { MACHINE_ID_LABEL } from '../../api/constants.ts';
import { MachineResource, NodeResource, PodResource } from '../../api/resources.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { createInformer } from '../../runtime/informer.ts';
import type { Informer, KubeObject, ListWatchClient, Log, StoreEvent } from '../../runtime/types.ts';
import type { Observation } from './observation.ts';

interface WatchDeps {
  readonly client: ListWatchClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** The API servers may be killed and come back; the observer looks again soon. */
const BACKOFF = { minMs: 100, maxMs: 1_000 };

interface WatchedMachine extends KubeObject {
  readonly spec: { readonly machineId: string; readonly unbind?: { readonly decidedAt?: string }; readonly release?: object };
}

/** Follows the Pods and the machines' Nodes of one cluster; only what is judged is kept. */
export function watchCluster(cluster: string, deps: WatchDeps, observation: Observation): readonly Informer<KubeObject>[] {
  const pods = createInformer<Pod>({ ...deps, backoff: BACKOFF, type: PodResource, project: projectPod });
  pods.subscribe((event) => {
    const now = deps.clock.now();
    // A Pod that was replaced by one of the same name while nobody looked has gone as well.
    if (event.type === 'deleted' || (event.type === 'updated' && event.old.metadata.uid !== event.object.metadata.uid)) {
      observation.pods.gone(event.old.metadata.uid ?? '', now);
    }
    if (event.type === 'deleted') return;
    const { metadata, spec } = event.object;
    observation.pods.seen({
      cluster, name: metadata.name, uid: metadata.uid ?? '', node: spec.nodeName ?? '',
      createdAt: Date.parse(metadata.creationTimestamp ?? ''), deleting: metadata.deletionTimestamp !== undefined,
    }, now);
  });
  const nodes = createInformer<Node>({ ...deps, backoff: BACKOFF, type: NodeResource, labelSelector: MACHINE_ID_LABEL, project: projectNode });
  nodes.subscribe((event) => takeNode(cluster, event, deps.clock.now(), observation));
  return [pods, nodes] as readonly Informer<KubeObject>[];
}

/** Follows what the shard writes about its decisions into Machine objects. */
export function watchHub(deps: WatchDeps, observation: Observation): readonly Informer<KubeObject>[] {
  const machines = createInformer<WatchedMachine>({ ...deps, backoff: BACKOFF, type: MachineResource, project: projectMachine });
  machines.subscribe((event) => {
    if (event.type === 'deleted') return;
    const { spec } = event.object;
    observation.decisions.takeMachine(spec.machineId, spec, deps.clock.now());
  });
  return [machines] as readonly Informer<KubeObject>[];
}

function takeNode(cluster: string, event: StoreEvent<Node>, now: number, observation: Observation): void {
  if (event.type === 'deleted' || (event.type === 'updated' && event.old.metadata.uid !== event.object.metadata.uid)) {
    observation.nodes.gone(cluster, event.old.metadata.name, now);
  }
  if (event.type === 'deleted') return;
  const { metadata, status } = event.object;
  const ready = status?.conditions?.[0];
  const stoppedAt = ready?.status === 'Unknown' ? Date.parse(ready.lastTransitionTime ?? '') : NaN;
  observation.nodes.seen({
    cluster, name: metadata.name, machine: metadata.labels?.[MACHINE_ID_LABEL] ?? '', live: ready?.status === 'True',
    createdAt: Date.parse(metadata.creationTimestamp ?? ''), ...(Number.isNaN(stoppedAt) ? {} : { stoppedAt }),
  }, now);
}

function metadataOf({ name, namespace, uid, resourceVersion, creationTimestamp, deletionTimestamp }: KubeObject['metadata']): KubeObject['metadata'] {
  return {
    name,
    ...(namespace !== undefined && { namespace }),
    ...(uid !== undefined && { uid }),
    ...(resourceVersion !== undefined && { resourceVersion }),
    ...(creationTimestamp !== undefined && { creationTimestamp }),
    ...(deletionTimestamp !== undefined && { deletionTimestamp }),
  };
}

function projectPod({ metadata, spec }: Pod): Pod {
  return { metadata: metadataOf(metadata), spec: { containers: [], ...(spec.nodeName !== undefined && { nodeName: spec.nodeName }) } };
}

function projectNode({ metadata, status }: Node): Node {
  const machine = metadata.labels?.[MACHINE_ID_LABEL];
  return {
    metadata: { ...metadataOf(metadata), labels: machine === undefined ? {} : { [MACHINE_ID_LABEL]: machine } },
    status: { conditions: (status?.conditions ?? []).filter((c) => c.type === 'Ready') },
  };
}

function projectMachine({ metadata, spec }: WatchedMachine): WatchedMachine {
  const { machineId, unbind, release } = spec;
  return { metadata: metadataOf(metadata), spec: { machineId, ...(unbind && { unbind: { ...(unbind.decidedAt !== undefined && { decidedAt: unbind.decidedAt }) } }), ...(release && { release: {} }) } };
}
