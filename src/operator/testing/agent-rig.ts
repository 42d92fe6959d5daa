import { credentials } from '@grpc/grpc-js';
import { startEmbeddedControlPlane, type EmbeddedControlPlane } from '../../embedded/index.ts';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { silentLog, type KubeObject, type Log, type ObjectRef, type ResourceType } from '../../runtime/types.ts';
import { FakeShard } from '../../session/client/testing/fake-shard.ts';
import { runAgent, type AgentOptions } from '../compose.ts';

const CRDS = ['capacityrequests', 'upcomingnodes', 'availablecapacities'].map((plural) => `config/crd/bases/bigfleet.lucy.sh_${plural}.yaml`);

export interface RunningAgent {
  stop(): Promise<void>;
  /** Rejects if the agent ends by itself with an error. */
  readonly ended: Promise<void>;
}

/** A cluster (embedded API server), a scripted shard and agents between them, all on real sockets. */
export class AgentRig {
  readonly cluster: EmbeddedControlPlane;
  readonly shard = new FakeShard();
  private readonly agents: RunningAgent[] = [];

  private constructor(cluster: EmbeddedControlPlane) {
    this.cluster = cluster;
  }

  static async start(): Promise<AgentRig> {
    const rig = new AgentRig(await startEmbeddedControlPlane({ name: 'demo', crds: CRDS, clock: systemClock }));
    await rig.shard.start();
    return rig;
  }

  startAgent(more: Partial<AgentOptions['operator']> = {}, { log = silentLog, clock = systemClock }: { log?: Log; clock?: Clock } = {}): RunningAgent {
    const abort = new AbortController();
    const options: AgentOptions = {
      kubeconfig: { server: this.cluster.url }, metricsAddress: '0', handleSignals: false, syncTimeoutMs: 10_000, graceMs: 2_000,
      lease: { leaseMs: 1_000, renewDeadlineMs: 700, retryMs: 100 }, qps: 1_000, burst: 2_000, apiMaxBackoffMs: 200,
      clock, random: Math.random, log,
      operator: {
        clusterId: 'demo', shardAddress: this.shard.address, credentials: () => credentials.createInsecure(), rollupIntervalMs: 50, ackConcurrency: 16,
        deletesNodes: true, lifelessMs: 300_000, reconnectMaxMs: 100, demandModel: 'requests', ...more,
      },
      podController: { includeDaemonSetPods: false, foreignNodes: 'ignore', pendingAfterMs: 10_000 },
    };
    const ended = runAgent(options, abort.signal);
    ended.catch(() => {});
    const agent = { ended, stop: () => (abort.abort(), ended) };
    this.agents.push(agent);
    return agent;
  }

  /** Resolves with the object as soon as it is as wanted; absent objects are undefined. */
  until<T extends KubeObject>(type: ResourceType, ref: ObjectRef, is: (object: T | undefined) => boolean): Promise<T | undefined> {
    return new Promise((resolve) => {
      let stop: (() => void) | undefined;
      const check = (): boolean => {
        const object = this.cluster.store.get<T>(type, ref);
        if (!is(object)) return false;
        stop?.();
        resolve(object);
        return true;
      };
      if (!check()) stop = this.cluster.store.watch<T>(type, () => void check());
    });
  }

  async stop(): Promise<void> {
    await Promise.allSettled(this.agents.map((agent) => agent.stop()));
    this.shard.stop();
    await this.cluster.close();
  }
}
