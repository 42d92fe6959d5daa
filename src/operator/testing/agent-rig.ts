import { credentials } from '@grpc/grpc-js';
import { SYSTEM_NAMESPACE } from '../../api/constants.ts';
import { NamespaceResource } from '../../api/resources.ts';
import { startEmbeddedControlPlane, type EmbeddedControlPlane } from '../../embedded/index.ts';
import { systemClock, type Clock } from '../../lib/clock.ts';
import { silentLog, type KubeObject, type Log, type ObjectRef, type ResourceType } from '../../runtime/types.ts';
import { Role } from '../../runtime/testing/role.ts';
import { FakeShard } from '../../session/client/testing/fake-shard.ts';
import { bootstrapTokenPermissions } from '../bootstrap-tokens.ts';
import { runAgent, type AgentOptions } from '../compose.ts';
import { agentPermissions, operatorPermissions, podControllerPermissions } from '../rbac.ts';

const CRDS = ['capacityrequests', 'upcomingnodes', 'availablecapacities'].map((plural) => `config/crd/bases/bigfleet.lucy.sh_${plural}.yaml`);

export interface RunningAgent {
  stop(): Promise<void>;
  /** Rejects if the agent ends by itself with an error. */
  readonly ended: Promise<void>;
}

/** Which of its parts a process consists of. */
type Parts = 'agent' | 'operator' | 'pod-controller';

/**
 * A cluster (embedded API server), a scripted shard and agents between them, all on real sockets. Every process may do
 * what its role lets it do: a request beyond that is refused, and fails the test when the rig stops.
 */
export class AgentRig {
  readonly roles: Readonly<Record<Parts, Role>> = {
    agent: new Role([...agentPermissions, ...bootstrapTokenPermissions], SYSTEM_NAMESPACE),
    operator: new Role(operatorPermissions, SYSTEM_NAMESPACE),
    'pod-controller': new Role(podControllerPermissions, SYSTEM_NAMESPACE),
  };
  readonly shard = new FakeShard();
  private plane: EmbeddedControlPlane | undefined;
  private readonly agents: RunningAgent[] = [];

  get cluster(): EmbeddedControlPlane {
    if (!this.plane) throw new Error('start the rig first');
    return this.plane;
  }

  static async start(): Promise<AgentRig> {
    const rig = new AgentRig();
    const authorize = (request: Parameters<Role['allows']>[0], token: string | undefined): boolean => rig.roles[token as Parts].allows(request);
    rig.plane = await startEmbeddedControlPlane({ name: 'demo', crds: CRDS, clock: systemClock, authorize });
    rig.plane.store.create(NamespaceResource, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: SYSTEM_NAMESPACE } });
    await rig.shard.start();
    return rig;
  }

  startAgent(more: Partial<NonNullable<AgentOptions['operator']>> = {}, { log = silentLog, clock = systemClock, parts = 'agent' }: { log?: Log; clock?: Clock; parts?: Parts } = {}): RunningAgent {
    const abort = new AbortController();
    const options: AgentOptions = {
      kubeconfig: { server: this.cluster.url, token: parts }, metricsAddress: '0', handleSignals: false, syncTimeoutMs: 10_000, graceMs: 2_000,
      lease: { leaseMs: 10_000, renewDeadlineMs: 8_000, retryMs: 100 }, qps: 1_000, burst: 2_000, apiMaxBackoffMs: 200,
      clock, random: Math.random, log,
      ...(parts !== 'pod-controller' && { operator: {
        clusterId: 'demo', shardAddress: this.shard.address, credentials: () => credentials.createInsecure(), rollupIntervalMs: 50, ackConcurrency: 16,
        deletesNodes: true, lifelessMs: 300_000, reconnectMaxMs: 100, demandModel: 'requests', ...more,
      } }),
      ...(parts !== 'operator' && !more.directPods && { podController: { includeDaemonSetPods: false, foreignNodes: 'ignore', pendingAfterMs: parts === 'agent' ? 10_000 : 0 } }),
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
    const refused = Object.entries(this.roles).flatMap(([parts, role]) => role.refused.map((request) => `${parts}: ${request}`));
    if (refused.length > 0) throw new Error(`asked for what the role does not allow:\n${refused.join('\n')}`);
  }
}
