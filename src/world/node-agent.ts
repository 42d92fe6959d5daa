import type { Node } from '../api/core.ts';
import { MACHINE_ID_LABEL } from '../api/constants.ts';
import { machineObjectName } from '../api/names.ts';
import { NodeResource } from '../api/resources.ts';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import { isAlreadyExists, isNotFound } from '../runtime/client/api-error.ts';
import type { KubeClient, Log } from '../runtime/types.ts';
import { blobProblem } from './bootstrap-blob.ts';
import { joiningNode, readyCondition, readyState } from './join-request.ts';
import type { JoinRequest } from './join-request.ts';

/** Knows which Pods hold up a drain: all but those of DaemonSets. */
export interface NodePods {
  /** Resolves when no such Pod is left on the Node; rejects when the signal aborts. */
  whenEmpty(node: string, signal: AbortSignal): Promise<void>;
}

export interface AgentCluster {
  readonly id: string;
  readonly client: KubeClient;
  readonly pods: NodePods;
}

export interface NodeAgentOptions {
  readonly clusters: readonly AgentCluster[];
  readonly clock: Clock;
  readonly log: Log;
  /** From the Node's appearance until it is Ready. */
  readonly readyDelayMs?: number;
  /** Put on every Node while it lives and taken off when it stops, for a simulated kubelet that chooses its Nodes so. */
  readonly annotations?: Readonly<Record<string, string>>;
}

/** The request itself is wrong: the machine will not join however often it is repeated. */
export class JoinRefused extends Error {
  override readonly name = 'JoinRefused';
}

interface Joined {
  readonly cluster: AgentCluster;
  readonly node: string;
  stopped: boolean;
  /** Its writes to the API server, one after the other: the last thing said about a Node has to be the last thing true. */
  writes: Promise<void>;
}

const RETRY_MS = 500;

/**
 * What runs on every simulated machine: joins a cluster, leaves it, dies. Speaks to the clusters as a kubelet would, by
 * API calls only, and keeps nothing that it could not read back from their Nodes.
 */
export class NodeAgent {
  private readonly options: NodeAgentOptions;
  private readonly clusters: ReadonlyMap<string, AgentCluster>;
  private readonly joined = new Map<string, Joined>();
  private readonly stop = new AbortController();

  constructor(options: NodeAgentOptions) {
    this.options = options;
    this.clusters = new Map(options.clusters.map((cluster) => [cluster.id, cluster]));
  }

  /** Takes over the Nodes that an earlier process left; those that were starting go on. */
  async adopt(): Promise<void> {
    for (const cluster of this.clusters.values()) {
      for await (const node of cluster.client.list<Node>(NodeResource, { labelSelector: MACHINE_ID_LABEL })) {
        const machineId = node.metadata.labels?.[MACHINE_ID_LABEL];
        const state = readyState(node);
        if (machineId === undefined || (state === 'stopped' && this.joined.has(machineId))) continue;
        const joined = { cluster, node: node.metadata.name, stopped: state === 'stopped', writes: Promise.resolve() };
        this.joined.set(machineId, joined);
        if (state === 'starting') this.becomeReady(joined);
      }
    }
  }

  close(): void {
    this.stop.abort(new Error('the node agent has stopped'));
  }

  /** Resolves when the Node has appeared; repeating it does nothing more. Throws JoinRefused if it can never work. */
  async join(request: JoinRequest): Promise<void> {
    const cluster = this.clusters.get(request.clusterId);
    if (!cluster) throw new JoinRefused(`clusterId: no cluster ${request.clusterId}; there are ${[...this.clusters.keys()].join(', ')}`);
    const problem = blobProblem(cluster.id, Buffer.from(request.blob, 'base64').toString('utf8'));
    if (problem) throw new JoinRefused(`blob: ${problem}`);
    const present = this.joined.get(request.machineId);
    if (present && !present.stopped) {
      // A repeated request is answered when the first one has done its work, not before.
      if (present.cluster === cluster) return present.writes;
      throw new JoinRefused(`machineId: ${request.machineId} is a Node of ${present.cluster.id}; it has to leave that first`);
    }
    const joined: Joined = { cluster, node: machineObjectName(request.machineId), stopped: false, writes: Promise.resolve() };
    this.joined.set(request.machineId, joined);
    // What its former life in this cluster still has to write comes first.
    const before = present?.cluster === cluster ? present.writes.catch(() => undefined) : Promise.resolve();
    joined.writes = before.then(() => this.register(cluster, request));
    try {
      await joined.writes;
    } catch (error) {
      joined.stopped = true;
      if (this.joined.get(request.machineId) === joined) this.joined.delete(request.machineId);
      throw error;
    }
    this.becomeReady(joined);
  }

  /** Resolves when the Node's Pods are gone or the grace is over, and the Node has stopped. Unknown machines have left. */
  async leave(machineId: string, graceMs: number): Promise<void> {
    const joined = this.joined.get(machineId);
    if (!joined) return;
    const grace = new AbortController();
    const cancel = this.options.clock.after(graceMs, () => grace.abort(new Error('the grace is over')));
    try {
      await joined.writes;
      if (!joined.stopped) await joined.cluster.pods.whenEmpty(joined.node, AbortSignal.any([grace.signal, this.stop.signal]));
    } catch (error) {
      if (!grace.signal.aborted) throw error;
    } finally {
      cancel();
    }
    await this.stopNode(machineId, joined);
  }

  /** The machine dies: its Node is not Ready from now on, and its Pods are lost once the Node is deleted. */
  async kill(machineId: string): Promise<void> {
    const joined = this.joined.get(machineId);
    if (joined) await this.stopNode(machineId, joined);
  }

  private async register(cluster: AgentCluster, request: JoinRequest): Promise<void> {
    const node = joiningNode(request, this.timestamp(), this.options.annotations);
    for (;;) {
      try {
        await cluster.client.create(NodeResource, node);
        return;
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
      const present = await cluster.client.get<Node>(NodeResource, { name: node.metadata.name });
      // Our own, from a try whose answer was lost.
      if (present && readyState(present) !== 'stopped') return;
      // What is left of the machine's last life in this cluster has to make room, Pods and all.
      if (present) await cluster.client.delete(NodeResource, { name: node.metadata.name }, { ...uidOf(present) });
    }
  }

  private becomeReady(joined: Joined): void {
    const run = async (): Promise<void> => {
      await sleep(this.options.clock, this.options.readyDelayMs ?? 300, this.stop.signal);
      for (let reported = false; !reported && !joined.stopped; ) {
        await this.write(joined, async () => {
          if (!joined.stopped) await this.setReady(joined, 'ready');
          reported = true;
        }).catch((error: unknown) => {
          this.options.log.warn({ node: joined.node, cluster: joined.cluster.id, err: error }, 'a node could not report that it is ready');
          return sleep(this.options.clock, RETRY_MS, this.stop.signal);
        });
      }
    };
    run().catch(() => undefined); // only ever ends by the stop signal
  }

  private async stopNode(machineId: string, joined: Joined): Promise<void> {
    const before = joined.stopped;
    joined.stopped = true;
    try {
      await this.write(joined, () => (before ? Promise.resolve() : this.setReady(joined, 'stopped')));
    } catch (error) {
      joined.stopped = before; // asked again, it tries again
      throw error;
    }
    if (this.joined.get(machineId) === joined) this.joined.delete(machineId);
  }

  /** Runs after the writes before it, whatever became of them. */
  private write(joined: Joined, action: () => Promise<void>): Promise<void> {
    const done = joined.writes.catch(() => undefined).then(action);
    joined.writes = done.catch(() => undefined);
    return done;
  }

  private async setReady(joined: Joined, state: 'ready' | 'stopped'): Promise<void> {
    const ref = { name: joined.node };
    const { client } = joined.cluster;
    try {
      const annotations = Object.keys(this.options.annotations ?? {});
      if (state === 'stopped' && annotations.length > 0) {
        await client.patch(NodeResource, ref, { metadata: { annotations: Object.fromEntries(annotations.map((key) => [key, null])) } });
      }
      await client.patch(NodeResource, ref, { status: { conditions: [readyCondition(state, this.timestamp())] } }, { subresource: 'status' });
    } catch (error) {
      if (!isNotFound(error)) throw error; // a Node that is gone needs no condition
    }
  }

  private timestamp(): string {
    return new Date(this.options.clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  }
}

function uidOf(node: Node): { preconditions?: { uid: string } } {
  return node.metadata.uid === undefined ? {} : { preconditions: { uid: node.metadata.uid } };
}
