import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { credentials } from '@grpc/grpc-js';
import { ListMachinesRequest, ShardViewService } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineView } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { Peer } from '../../api/grpc.ts';
import { CapacityProviderResource, NamespaceResource, ShardResource } from '../../api/resources.ts';
import type { CapacityProvider, Shard } from '../../api/types.ts';
import { startEmbeddedControlPlane } from '../../embedded/index.ts';
import type { EmbeddedControlPlane } from '../../embedded/index.ts';
import { systemClock } from '../../lib/clock.ts';
import type { ProviderBackend } from '../../provider/kit/backend.ts';
import type { CallEvent, StateChangeEvent } from '../../provider/kit/events.ts';
import type { Instance } from '../../provider/kit/machine.ts';
import { serveProvider } from '../../provider/kit/serve-provider.ts';
import type { RunningProvider } from '../../provider/kit/serve-provider.ts';
import { memoryStore } from '../../provider/kit/state-store.ts';
import { silentLog } from '../../runtime/types.ts';
import { FakeOperator } from '../../session/server/testing/fake-operator.ts';
import { runShard } from '../compose.ts';
import type { ShardOptions } from '../compose.ts';
import { Meddler } from './meddler.ts';
import { wireRow } from './needs.ts';

export const NAMESPACE = 'bigfleet-system';
const crd = (name: string): string => fileURLToPath(new URL(`../../../config/crd/bases/control.bigfleet.lucy.sh_${name}.yaml`, import.meta.url));

/** A provider of the kit beside the first one, and what stands before it. */
export interface FurtherProvider {
  readonly name: string;
  readonly provider: RunningProvider;
  readonly front: Meddler;
  readonly calls: CallEvent[];
}

export interface KitShard {
  readonly id: string;
  readonly port: number;
  /** One line per decision. */
  audit(): { readonly cycle?: number; readonly kind: string; readonly machine: string; readonly outcome: string }[];
  stop(): Promise<void>;
}

/** Shards by their own composition root on a provider of the real kit, both over sockets; what lies beneath the kit is the test's. */
export class KitWorld {
  readonly calls: CallEvent[] = [];
  readonly changes: StateChangeEvent[] = [];
  /** Kinds of work that are begun and not finished, until `finish`. */
  readonly held = new Set<'create' | 'configure' | 'drain' | 'delete' | 'recover'>();
  /** What operators say instead of handing out blobs, by cluster, as often as listed. */
  readonly blobErrors = new Map<string, string[]>();
  readonly dir = mkdtempSync(join(tmpdir(), 'kit-'));
  provider!: RunningProvider;
  hub!: EmbeddedControlPlane;
  private waiting: { readonly kind: string; readonly go: () => void }[] = [];
  private isOpen = false;
  private timestamp = 0n;
  private readonly stops: (() => Promise<unknown>)[] = [];

  async open(instances: readonly Partial<Instance>[]): Promise<this> {
    this.provider = await this.serve(instances, this.calls);
    this.hub = await startEmbeddedControlPlane({ name: 'hub', crds: ['machines', 'shards', 'capacityproviders'].map(crd), clock: systemClock });
    this.hub.store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
    await this.hub.writeKubeconfig(join(this.dir, 'kubeconfig'));
    this.isOpen = true;
    return this;
  }

  /** Another provider of the shard, with an object of its own. */
  async openFurther(name: string, instances: readonly Partial<Instance>[], shardRef = 'shard-0'): Promise<FurtherProvider> {
    const calls: CallEvent[] = [];
    const provider = await this.serve(instances, calls);
    const front = await new Meddler(`127.0.0.1:${provider.port}`).start();
    this.stops.unshift(async () => {
      await front.close();
      await provider.close();
    });
    this.hub.store.create<CapacityProvider>(CapacityProviderResource, { metadata: { name, namespace: NAMESPACE }, spec: { address: front.address, shardRef, fullListSeconds: 1, deadlines: { listSeconds: 2 } } });
    return { name, provider, front, calls };
  }

  private serve(instances: readonly Partial<Instance>[], calls: CallEvent[]): Promise<RunningProvider> {
    const work = (kind: 'create' | 'configure' | 'drain' | 'delete' | 'recover'): Promise<void> =>
      this.held.has(kind) ? new Promise((go) => this.waiting.push({ kind, go })) : Promise.resolve();
    const backend: ProviderBackend = {
      describe: () => Promise.resolve(instances.map((instance) => ({
        id: 'm', instanceType: 'c8', zone: 'a', capacityType: 'OnDemand', pricePerHour: 0.4, interruptionProbability: 0, resources: { cpu: '8' }, labels: {}, state: 'Speculative', ...instance,
      }))),
      createInstance: async ({ machine }) => (await work('create'), { host: { provider: 'test', ref: `test:///${machine.id}` } }),
      configureInstance: () => work('configure'),
      drainInstance: () => work('drain'),
      deleteInstance: () => work('delete'),
      recoverInstance: async () => (await work('recover'), 'idle'),
    };
    return serveProvider(backend, {
      address: '127.0.0.1:0', store: memoryStore(), reconcileIntervalMs: 0,
      events: { onCall: (call) => calls.push(call), onStateChange: (change) => this.changes.push(change) },
    });
  }

  /** Lets what was held of one kind go on. */
  finish(kind: string): void {
    const going = this.waiting.filter((one) => one.kind === kind);
    this.waiting = this.waiting.filter((one) => one.kind !== kind);
    for (const { go } of going) go();
  }

  /** With rails and rests off, unless the spec says otherwise. The objects are made with the first process of the id. */
  async shard(id = 'shard-0', spec: Shard['spec'] = {}, options: Partial<ShardOptions> = {}): Promise<KitShard> {
    const { store } = this.hub;
    if (!store.get(ShardResource, { namespace: NAMESPACE, name: id })) {
      store.create<Shard>(ShardResource, {
        metadata: { name: id, namespace: NAMESPACE },
        spec: {
          cycleSeconds: 1, concurrencyPerProvider: 32, rails: { emptyRollupGuard: false, reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 200 },
          holds: { onDemandSeconds: 1, spotSeconds: 1, occupiedExcessSeconds: 0 }, ...spec,
        },
      });
      store.create<CapacityProvider>(CapacityProviderResource, {
        metadata: { name: `kit-${id}`, namespace: NAMESPACE }, spec: { address: `127.0.0.1:${this.provider.port}`, shardRef: id },
      });
    }
    const abort = new AbortController();
    const serving = Promise.withResolvers<number>();
    const auditLog = join(this.dir, `${id}.audit`);
    const running = runShard({
      id, listen: '127.0.0.1:0', metricsAddress: '0', kubeconfig: join(this.dir, 'kubeconfig'), namespace: NAMESPACE, dataDir: join(this.dir, id), lease: {}, pollMs: 50, minCycleMs: 10,
      graces: { reclaimSeconds: 0 }, qps: 10_000, burst: 10_000, auditLog, clock: systemClock, random: Math.random,
      log: { ...silentLog, info: (fields, message) => message === 'serving operators' && serving.resolve((fields as { port: number }).port) }, ...options,
    }, abort.signal);
    running.catch((error: unknown) => serving.reject(error));
    const stop = async (): Promise<void> => {
      abort.abort(new Error('the test is over'));
      await running.catch(() => undefined);
    };
    this.stops.push(stop);
    return {
      id, port: await serving.promise, stop,
      audit: () => readFileSync(auditLog, 'utf8').split('\n').filter(Boolean).map((line) => JSON.parse(line) as ReturnType<KitShard['audit']>[number]),
    };
  }

  /** An operator that has said Hello and hands out blobs. */
  async operator({ port }: KitShard, cluster = 'east'): Promise<FakeOperator> {
    const operator = new FakeOperator(`127.0.0.1:${port}`);
    this.stops.push(() => Promise.resolve(operator.close()));
    operator.hello(cluster);
    await operator.ack('hello');
    void (async () => {
      for (;;) {
        const { requestId } = await operator.wait('bootstrapRequest');
        const error = this.blobErrors.get(cluster)?.shift();
        operator.answer(requestId, error === undefined ? { userData: Buffer.from(`join ${cluster}`) } : { error });
      }
    })();
    return operator;
  }

  /** A roll-up of so many machines' worth of demand; 0 = no rows. */
  wants(operator: FakeOperator, clusterId: string, machines: number): void {
    const needs = machines === 0 ? [] : [wireRow({ aggregateResources: new Map([['cpu', String(8 * machines)]]), minUnit: new Map([['cpu', '8']]) })];
    operator.rollup({ clusterId, timestampUnixNanos: ++this.timestamp, needs });
  }

  /** A roll-up of so many rows, each worth one machine. */
  wantsRows(operator: FakeOperator, clusterId: string, rows: number): void {
    const needs = Array.from({ length: rows }, (_, i) => wireRow({ aggregateResources: new Map([['cpu', '8']]), minUnit: new Map([['cpu', '8']]), priority: 100 + i }));
    operator.rollup({ clusterId, timestampUnixNanos: ++this.timestamp, needs });
  }

  editShard(id: string, spec: Partial<Shard['spec']>): void {
    this.hub.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: id }, (draft) => ({ ...draft, spec: { ...draft.spec, ...spec } }));
  }

  /** How many machines of the provider are in the state, of one cluster or of all. */
  count(state: string, cluster?: string, provider = this.provider): number {
    return [...provider.machines()].filter((m) => m.state === state && (cluster === undefined || m.cluster === cluster)).length;
  }

  editProvider(name: string, spec: Partial<CapacityProvider['spec']>): void {
    this.hub.store.mutate<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name }, (draft) => ({ ...draft, spec: { ...draft.spec, ...spec } }));
  }

  annotateProvider(name: string, annotations: Record<string, string>): void {
    this.hub.store.mutate<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name }, (draft) => ({ ...draft, metadata: { ...draft.metadata, annotations } }));
  }

  deleteProvider(name: string): void {
    this.hub.store.delete(CapacityProviderResource, { namespace: NAMESPACE, name });
  }

  providerObject(name: string): CapacityProvider {
    return this.hub.store.get<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name })!;
  }

  shardObject(id: string): Shard {
    return this.hub.store.get<Shard>(ShardResource, { namespace: NAMESPACE, name: id })!;
  }

  /** What a shard says of its machines, by id. */
  async views({ port }: KitShard): Promise<Map<string, MachineView>> {
    const peer = new Peer(`127.0.0.1:${port}`, { credentials: credentials.createInsecure() });
    try {
      const found = new Map<string, MachineView>();
      for await (const { machines } of peer.serverStream(ShardViewService.listMachines, ListMachinesRequest.create())) for (const machine of machines) found.set(machine.id, machine);
      return found;
    } finally {
      peer.close();
    }
  }

  async close(): Promise<void> {
    this.held.clear();
    for (const { kind } of [...this.waiting]) this.finish(kind);
    for (const stop of this.stops.splice(0).reverse()) await stop();
    if (this.isOpen) {
      await this.provider.close();
      await this.hub.close();
    }
    rmSync(this.dir, { recursive: true, force: true });
  }
}
