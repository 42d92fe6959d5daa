import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { gunzipSync } from 'node:zlib';
import { credentials } from '@grpc/grpc-js';
import type { ServerCredentials } from '@grpc/grpc-js';
import { CapacityProviderResource, LeaseResource, MachineResource, NamespaceResource, ShardResource } from '../../api/resources.ts';
import type { CapacityProvider, Lease, Machine, Shard } from '../../api/types.ts';
import { Peer } from '../../api/grpc.ts';
import { ShardReadService } from '../../api/gen/bigfleet/v1alpha1/shardread.ts';
import { ListMachinesRequest, ShardViewService, type ExplainMachineResponse, type ExplainClusterResponse, type MachineView } from '../../api/gen/bigfleet/v1alpha1/view.ts';
import { machineObjectName } from '../../api/names.ts';
import { startEmbeddedControlPlane } from '../../embedded/index.ts';
import type { EmbeddedControlPlane } from '../../embedded/index.ts';
import { systemClock } from '../../lib/clock.ts';
import { Role } from '../../runtime/testing/role.ts';
import { silentLog } from '../../runtime/types.ts';
import { FakeOperator } from '../../session/server/testing/fake-operator.ts';
import { runShard } from '../compose.ts';
import type { ShardOptions } from '../compose.ts';
import { shardPermissions } from '../rbac.ts';
import { WireProvider } from './wire-provider.ts';

export const NAMESPACE = 'bigfleet-system';
const LEASE = { namespace: NAMESPACE, name: 'bigfleet-shard-shard-0' };
const crd = (name: string): string => fileURLToPath(new URL(`../../../config/crd/bases/control.bigfleet.lucy.sh_${name}.yaml`, import.meta.url));
const LOOK_MS = 10;
const BOUND_MS = 8_000;

export interface RunningShard {
  /** Where operators and readers connect; it is announced once the shard serves. */
  readonly address: Promise<string>;
  readonly finished: Promise<void>;
  stop(): Promise<void>;
}

/**
 * A whole shard in this process, by its own composition root, against an API server over HTTP and a provider over gRPC.
 * Sockets need the real clock; so waiting is looking again until a condition holds, within a bound.
 */
export class ShardWorld {
  readonly provider = new WireProvider();
  /** What the shards may ask of the hub: more is refused, and fails the test when the world closes. */
  readonly role = new Role(shardPermissions, NAMESPACE);
  readonly dir = mkdtempSync(join(tmpdir(), 'shard-'));
  /** What the shards said that is no warning and no error. */
  readonly said: string[] = [];
  /** The errors that they logged. */
  readonly errors: string[] = [];
  /** Of the shard that was started last: where it answers probes, if it was given a port for it. */
  probes = '';
  /** What operators say instead of handing out bootstrap blobs; '' = they hand them out. */
  blobError = '';
  /** Clusters whose operators do not answer at all. */
  readonly silent = new Set<string>();
  private edits = 100;
  private hubServer: EmbeddedControlPlane | undefined;
  private readonly shards: RunningShard[] = [];
  private readonly operators: FakeOperator[] = [];
  private readonly peers = new Map<RunningShard, Peer>();

  get hub(): EmbeddedControlPlane {
    if (!this.hubServer) throw new Error('open the world first');
    return this.hubServer;
  }

  /** A hub with the Shard and the CapacityProvider; machines come by `provider.put`. */
  async open({ spec = {}, withProvider = true, providerCredentials }: { spec?: Shard['spec']; withProvider?: boolean; providerCredentials?: ServerCredentials } = {}): Promise<this> {
    await this.provider.start(providerCredentials);
    this.hubServer = await startEmbeddedControlPlane({ name: 'hub', crds: [crd('machines'), crd('shards'), crd('capacityproviders')], clock: systemClock, authorize: (request) => this.role.allows(request) });
    const { store } = this.hubServer;
    store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
    // Nothing rests and nothing is capped, so that what may happen happens at once; and no plan is made without a reason.
    store.create<Shard>(ShardResource, {
      metadata: { name: 'shard-0', namespace: NAMESPACE },
      spec: { cycleSeconds: 3_600, rails: { emptyRollupGuard: false, reclaimCapFraction: '1' }, holds: { onDemandSeconds: 0, spotSeconds: 0, occupiedExcessSeconds: 0 }, ...spec },
    });
    if (withProvider) this.addProvider();
    await this.hubServer.writeKubeconfig(join(this.dir, 'hub.kubeconfig'));
    return this;
  }

  addProvider(): void {
    this.hub.store.create<CapacityProvider>(CapacityProviderResource, {
      metadata: { name: 'metal', namespace: NAMESPACE }, spec: { address: this.provider.address, shardRef: 'shard-0' },
    });
  }

  /** Every shard of a world shares one data directory, as successive processes do, unless told otherwise. */
  startShard(options: Partial<ShardOptions> = {}): RunningShard {
    const abort = new AbortController();
    const serving = Promise.withResolvers<string>();
    const log = {
      ...silentLog,
      error: (_fields: object, message: string) => void this.errors.push(message),
      info: (fields: object, message: string) => {
        this.said.push(message);
        if (message === 'health server listens') this.probes = `http://127.0.0.1:${(fields as { port: number }).port}`;
        if (message === 'serving operators') serving.resolve(`127.0.0.1:${(fields as { port: number }).port}`);
      },
    };
    const finished = runShard({
      id: 'shard-0', listen: '127.0.0.1:0', metricsAddress: '0', kubeconfig: join(this.dir, 'hub.kubeconfig'), namespace: NAMESPACE, dataDir: join(this.dir, 'data'),
      lease: { leaseMs: 2_000, renewDeadlineMs: 1_000, retryMs: 100 }, pollMs: 25, minCycleMs: 5, statusMs: 50, graces: { reclaimSeconds: 0 }, qps: 10_000, burst: 10_000,
      apiBackoff: { minMs: 10, maxMs: 50 }, clock: systemClock, random: Math.random, log, ...options,
    }, abort.signal);
    // A shard that cannot start must fail the test that waits for it to serve.
    finished.then(() => serving.reject(new Error('the shard ended')), (error: unknown) => serving.reject(error));
    serving.promise.catch(() => undefined);
    const shard: RunningShard = {
      address: serving.promise, finished,
      stop: () => {
        abort.abort(new Error('stopped'));
        return finished;
      },
    };
    this.shards.push(shard);
    return shard;
  }

  /** An operator that has said Hello and answers bootstrap requests. */
  async operator(shard: RunningShard, cluster = 'east', additions = true): Promise<FakeOperator> {
    const operator = new FakeOperator(await shard.address);
    this.operators.push(operator);
    operator.hello(cluster, additions);
    await operator.ack('hello');
    void (async () => {
      for (;;) {
        const { requestId } = await operator.wait('bootstrapRequest');
        if (!this.silent.has(cluster)) operator.answer(requestId, this.blobError ? { error: this.blobError } : { userData: Buffer.from(`join ${cluster}`) });
      }
    })();
    return operator;
  }

  /** What ShardView.ListMachines says, by id. */
  async machines(shard: RunningShard): Promise<Map<string, MachineView>> {
    const found = new Map<string, MachineView>();
    const all = ListMachinesRequest.create();
    for await (const { machines } of (await this.peer(shard)).serverStream(ShardViewService.listMachines, all)) for (const m of machines) found.set(m.id, m);
    return found;
  }

  async explain(shard: RunningShard, machineId: string): Promise<ExplainMachineResponse> {
    return (await this.peer(shard)).unary(ShardViewService.explainMachine, { machineId });
  }

  async explainCluster(shard: RunningShard, clusterId: string): Promise<ExplainClusterResponse> {
    return (await this.peer(shard)).unary(ShardViewService.explainCluster, { clusterId, needLimit: 0 });
  }

  /** The document that ShardView.TakeSnapshot sends. */
  async snapshot(shard: RunningShard): Promise<unknown> {
    const pieces: Uint8Array[] = [];
    for await (const { data } of (await this.peer(shard)).serverStream(ShardViewService.takeSnapshot, {})) pieces.push(data);
    return JSON.parse(gunzipSync(Buffer.concat(pieces)).toString('utf8'));
  }

  /** What ShardRead.InspectNeeds says: the number of the plan, and for every row whether it is satisfied. */
  async needs(shard: RunningShard): Promise<{ cycle: number; satisfied: boolean[] }> {
    let cycle = -1;
    const satisfied: boolean[] = [];
    for await (const { frame } of (await this.peer(shard)).serverStream(ShardReadService.inspectNeeds, { clusterId: '', limit: 0 })) {
      if (frame?.$case === 'header') cycle = Number(frame.value.cycle);
      if (frame?.$case === 'need') satisfied.push(frame.value.satisfied);
    }
    return { cycle, satisfied };
  }

  /** Has two more plans made, one after the other: what was to be decided has been, and was begun. */
  async plans(shard: RunningShard): Promise<void> {
    for (let left = 2; left > 0; left--) {
      const { cycle } = await this.needs(shard);
      // Other settings are a reason to plan anew at once.
      this.editShard({ concurrencyPerProvider: ++this.edits });
      await eventually('another plan', async () => (await this.needs(shard)).cycle > cycle);
    }
  }

  machineObject(id: string): Machine | undefined {
    return this.hub.store.get<Machine>(MachineResource, { namespace: NAMESPACE, name: machineObjectName(id) });
  }

  /** As another shard, or a person, would make it. */
  createMachineObject(id: string, spec: Partial<Machine['spec']> = {}, metadata: Partial<Machine['metadata']> = {}): void {
    this.hub.store.create<Machine>(MachineResource, {
      metadata: { name: machineObjectName(id), namespace: NAMESPACE, ...metadata }, spec: { machineId: id, providerRef: 'metal', shardRef: 'shard-0', ...spec },
    });
  }

  editMachine(id: string, spec: Partial<Machine['spec']>): void {
    this.hub.store.mutate<Machine>(MachineResource, { namespace: NAMESPACE, name: machineObjectName(id) }, (draft) => ({ ...draft, spec: { ...draft.spec, ...spec } }));
  }

  annotateMachine(id: string, annotations: Record<string, string>): void {
    this.hub.store.mutate<Machine>(MachineResource, { namespace: NAMESPACE, name: machineObjectName(id) }, (draft) => ({
      ...draft, metadata: { ...draft.metadata, annotations: { ...draft.metadata.annotations, ...annotations } },
    }));
  }

  /** Takes every finalizer off: an object that is being deleted goes. */
  letGo(id: string): void {
    this.hub.store.mutate<Machine>(MachineResource, { namespace: NAMESPACE, name: machineObjectName(id) }, (draft) => ({ ...draft, metadata: { ...draft.metadata, finalizers: [] } }));
  }

  deleteMachineObject(id: string): void {
    this.hub.store.delete(MachineResource, { namespace: NAMESPACE, name: machineObjectName(id) });
  }

  providerObject(): CapacityProvider {
    return this.hub.store.get<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name: 'metal' })!;
  }

  /** As a person would edit it; `undefined` takes a field away. */
  editProvider(spec: { [K in keyof CapacityProvider['spec']]?: CapacityProvider['spec'][K] | undefined }, annotations: Record<string, string> = {}): void {
    this.hub.store.mutate<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name: 'metal' }, (draft) => ({
      ...draft, metadata: { ...draft.metadata, annotations: { ...draft.metadata.annotations, ...annotations } },
      spec: JSON.parse(JSON.stringify({ ...draft.spec, ...spec })) as CapacityProvider['spec'],
    }));
  }

  deleteProvider(): void {
    this.hub.store.delete(CapacityProviderResource, { namespace: NAMESPACE, name: 'metal' });
  }

  shardObject(): Shard {
    return this.hub.store.get<Shard>(ShardResource, { namespace: NAMESPACE, name: 'shard-0' })!;
  }

  /** As a hub that was restored from a backup would have it. */
  restoreShardStatus(status: NonNullable<Shard['status']>): void {
    this.hub.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: 'shard-0' }, (draft) => ({ ...draft, status }), { subresource: 'status' });
  }

  lease(): Lease | undefined {
    return this.hub.store.get<Lease>(LeaseResource, LEASE);
  }

  /** Another process takes the Lease, whoever held it. */
  giveLeaseTo(holder: string): void {
    this.hub.store.mutate<Lease>(LeaseResource, LEASE, (draft) => ({
      ...draft, spec: { ...draft.spec, holderIdentity: holder, leaseTransitions: (draft.spec?.leaseTransitions ?? 0) + 1, renewTime: new Date().toISOString().replace('Z', '000Z') },
    }));
  }

  deleteLease(): void {
    this.hub.store.delete(LeaseResource, LEASE);
  }

  editShard(spec: Partial<Shard['spec']>): void {
    this.hub.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: 'shard-0' }, (draft) => ({ ...draft, spec: { ...draft.spec, ...spec } }));
  }

  /** Whether the Lease was renewed so long ago that another process might take it. */
  leaseHasExpired(): boolean {
    const { spec } = this.lease()!;
    return Date.parse(spec!.renewTime!) + spec!.leaseDurationSeconds! * 1000 < systemClock.now();
  }

  async close(): Promise<void> {
    for (const operator of this.operators) operator.close();
    for (const peer of this.peers.values()) peer.close();
    this.provider.releaseList();
    await Promise.allSettled(this.shards.map((shard) => shard.stop()));
    await this.provider.close();
    await this.hubServer?.close();
    rmSync(this.dir, { recursive: true, force: true });
    const { refused } = this.role;
    if (refused.length > 0) throw new Error(`a shard asked for what its role does not allow:\n${refused.join('\n')}`);
  }

  private async peer(shard: RunningShard): Promise<Peer> {
    const address = await shard.address;
    const peer = this.peers.get(shard) ?? new Peer(address, { credentials: credentials.createInsecure() });
    this.peers.set(shard, peer);
    return peer;
  }
}

/** Looks until it holds; an error that says what did not come true, otherwise. */
export async function eventually(what: string, holds: () => boolean | Promise<boolean>, boundMs = BOUND_MS): Promise<void> {
  for (const end = systemClock.monotonic() + boundMs; !(await holds());) {
    if (systemClock.monotonic() > end) throw new Error(`did not come true: ${what}`);
    await new Promise((resolve) => setTimeout(resolve, LOOK_MS));
  }
}
