import { readFileSync } from 'node:fs';
import { upcomingNodeName } from '../../src/api/names.ts';
import { ALLOWANCES_CONFIG_MAP, MACHINE_ID_LABEL, SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import { CapacityRequestResource, ConfigMapResource, MachineResource, NodeResource, PriorityClassResource, UpcomingNodeResource } from '../../src/api/resources.ts';
import type { CapacityRequest, Machine, Node, Pod, UpcomingNode } from '../../src/api/types.ts';
import { isAlreadyExists } from '../../src/runtime/index.ts';
import type { KubeObject } from '../../src/runtime/index.ts';
import type { SeedInstance } from '../../src/world/seed-instance.ts';
import { bigfleet } from '../bigfleet.ts';
import { eventually, expect } from '../promise.ts';
import { POOL_LABEL } from './machines.ts';
import type { Rig } from './rig.ts';
import type { Site } from './sites.ts';
import { collect, Deployed, isLive, Kept } from './workload.ts';
import type { PodShape, Workload } from './workload.ts';

/** Nothing here takes so long: a shared machine may be busy with other things. */
export const PATIENCE_S = 90;

/** One change of a machine, as its provider wrote it down. */
export interface Change {
  readonly machineId: string;
  readonly from: string;
  readonly to: string;
  readonly clusterId: string;
}

/** What a promise stands on: the rig that it shares with others, and machines, a namespace and Pods that are its own. */
export class Ground {
  readonly rig: Rig;
  /** Name of the promise's machines and of its namespace. */
  readonly pool: string;
  readonly east: Site;
  readonly west: Site;
  readonly log: (line: string) => void;
  private readonly machines: readonly SeedInstance[];
  private readonly workloads: Workload[] = [];

  constructor(rig: Rig, pool: string, machines: readonly SeedInstance[], log: (line: string) => void) {
    this.rig = rig;
    this.pool = pool;
    this.machines = machines;
    this.log = log;
    const [east, west] = rig.sites.clusters;
    if (!east || !west) throw new Error('the rig has two clusters');
    this.east = east;
    this.west = west;
  }

  /** Submits a workload; does not wait for it. */
  async submit(site: Site, name: string, replicas: number, shape: PodShape): Promise<Workload> {
    const spec = { ...shape, name, replicas, namespace: this.pool, pool: this.pool };
    const workload = this.rig.kind === 'processes' ? await Deployed.create(site, spec) : new Kept(site, spec);
    this.workloads.push(workload);
    return workload;
  }

  /** The workloads that were not ended. */
  all(): readonly Workload[] {
    return [...this.workloads];
  }

  /** Waits until so many Pods of the workload run, and no others are there; returns them. */
  async running(workload: Workload, count: number, seconds = PATIENCE_S): Promise<Pod[]> {
    return eventually(`${count} Pods of ${workload.name} run in ${workload.site.id}`, seconds, async () => {
      const pods = (await workload.pods()).filter(isLive);
      const running = pods.filter((pod) => pod.status?.phase === 'Running' && pod.spec.nodeName !== undefined);
      expect(running.length === count && pods.length === count, `${running.length} run of ${pods.length}: ${await this.seen()}`);
      return running;
    });
  }

  async nodes(site: Site): Promise<Node[]> {
    return collect(site.client.list<Node>(NodeResource, { labelSelector: `${POOL_LABEL}=${this.pool}` }));
  }

  /** Machine under each Pod; throws when its Node is no machine. */
  async machinesUnder(site: Site, pods: readonly Pod[]): Promise<Map<Pod, string>> {
    const ids = new Map((await this.nodes(site)).map(({ metadata }) => [metadata.name, metadata.labels?.[MACHINE_ID_LABEL]]));
    return new Map(pods.map((pod) => {
      const id = ids.get(pod.spec.nodeName ?? '');
      if (id === undefined) throw new Error(`Pod ${pod.metadata.name} is on ${pod.spec.nodeName ?? 'no Node'}, which is no machine of the pool`);
      return [pod, id];
    }));
  }

  /** The Machine object, as the shard wrote it. */
  async machine(id: string): Promise<Machine> {
    const machine = await this.rig.sites.hub.client.get<Machine>(MachineResource, { namespace: SYSTEM_NAMESPACE, name: id });
    if (!machine) throw new Error(`there is no Machine ${id}`);
    return machine;
  }

  /** Every change of the promise's machines so far, in order, by the provider's own log. */
  changes(): Change[] {
    const own = new Set(this.machines.map(({ id }) => id));
    return this.operations<Change>('state').filter(({ machineId, from, to }) => own.has(machineId) && from !== to); // a provider that comes back says all states again
  }

  private operations<T>(event: 'state' | 'call'): T[] {
    const lines = readFileSync(this.rig.operationLog, 'utf8').split('\n').filter((line) => line !== '');
    return lines.map((line) => JSON.parse(line) as T & { event: string }).filter((entry) => entry.event === event);
  }

  /** Highest epoch of a shard that the provider has obeyed. */
  highestEpoch(): bigint {
    const calls = this.operations<{ epoch: string; outcome: string }>('call').filter(({ outcome }) => outcome === 'OK');
    return calls.reduce((highest, { epoch }) => (BigInt(epoch) > highest ? BigInt(epoch) : highest), 0n);
  }

  /** Throws unless just these Pods of the workload run, and where they ran. */
  async expectUnmoved(workload: Workload, before: readonly Pod[]): Promise<void> {
    const now = (await workload.pods()).filter(isLive);
    const stays = (pod: Pod): boolean => now.some(({ metadata, spec, status }) => metadata.uid === pod.metadata.uid && spec.nodeName === pod.spec.nodeName && status?.phase === 'Running');
    expect(now.length === before.length && before.every(stays), `Pods of ${workload.name} were to stay where they are: ${await this.seen()}`);
  }

  /** State and cluster of each machine of the promise now, by the provider's own log. */
  states(): Map<string, Pick<Change, 'to' | 'clusterId'>> {
    const states = new Map<string, Pick<Change, 'to' | 'clusterId'>>(this.machines.map(({ id, state }) => [id, { to: state, clusterId: '' }]));
    for (const change of this.changes()) states.set(change.machineId, change);
    return states;
  }

  /** What `bigfleet explain machine` says. */
  async explainMachine(id: string): Promise<string> {
    const { code, stdout, stderr } = await bigfleet(['explain', 'machine', id, '--shard', this.rig.shardAddress], 30);
    expect(code === 0, `explain machine ${id} ended with ${String(code)}: ${stderr}`);
    return stdout;
  }

  /** The class stays: others may use it. */
  async priorityClass(site: Site, name: string, value: number): Promise<void> {
    try {
      await site.client.create(PriorityClassResource, { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name }, value } as KubeObject);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  /** Ends all workloads and waits until everything has been given back and nothing of it is left anywhere. */
  async clear(): Promise<void> {
    await Promise.all(this.workloads.splice(0).map((workload) => workload.end()));
    await eventually('all is given back', PATIENCE_S, async () => {
      const left: string[] = [];
      for (const site of [this.east, this.west]) {
        const names = new Set(this.machines.map(({ id }) => upcomingNodeName(id)));
        const upcoming = (await collect(site.client.list<UpcomingNode>(UpcomingNodeResource))).filter(({ metadata }) => names.has(metadata.name));
        const requests = await collect(site.client.list<CapacityRequest>(CapacityRequestResource, { namespace: this.pool }));
        const objects = [...(await this.nodes(site)).filter(({ metadata }) => metadata.labels?.[MACHINE_ID_LABEL] !== undefined), ...upcoming, ...requests];
        left.push(...objects.map(({ kind, metadata }) => `${kind ?? 'object'} ${metadata.name} in ${site.id}`));
      }
      const out = this.machines.filter(({ id, state }) => this.states().get(id)?.to !== state).map(({ id }) => `${id} ${this.states().get(id)?.to ?? ''}`);
      expect(left.length === 0 && out.length === 0, [...left, ...out].join('; '));
    });
  }

  /** Ends what only this process keeps alive; of no consequence after `clear`. */
  abandon(): void {
    for (const workload of this.workloads.splice(0)) void workload.end().catch(() => undefined);
  }

  /** For messages: where the machines and Pods of the promise are. */
  async seen(): Promise<string> {
    const machines = [...this.states()].map(([id, { to, clusterId }]) => `${id} ${to}${clusterId && `@${clusterId}`}`).join(', ');
    const pods: string[] = [];
    for (const workload of this.workloads) for (const pod of await workload.pods()) pods.push(`${pod.metadata.name} ${pod.metadata.deletionTimestamp ? 'Terminating' : (pod.status?.phase ?? '')}@${pod.spec.nodeName ?? '-'}`);
    const allowances: string[] = [];
    for (const { id, client } of [this.east, this.west]) {
      const kept = await client.get<KubeObject & { data?: Readonly<Record<string, string>> }>(ConfigMapResource, { namespace: SYSTEM_NAMESPACE, name: ALLOWANCES_CONFIG_MAP });
      allowances.push(...Object.values(kept?.data ?? {}).filter((text) => text.includes(this.pool)).map((text) => `${id}: ${text}`));
    }
    return `machines: ${machines}; Pods: ${pods.join(', ')}; allowances: ${allowances.join(', ') || 'none'}`;
  }
}
