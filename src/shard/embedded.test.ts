import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MACHINE_FINALIZER } from '../api/constants.ts';
import { CapacityProviderResource, MachineResource, NamespaceResource, ShardResource } from '../api/resources.ts';
import { kstatusOf } from '../api/testing/kstatus.ts';
import type { CapacityProvider, Machine, Shard } from '../api/types.ts';
import { startEmbeddedControlPlane } from '../embedded/index.ts';
import type { EmbeddedControlPlane } from '../embedded/index.ts';
import { amounts, need, requirement } from '../engine/testing/builders.ts';
import type { MachineState } from '../engine/types.ts';
import { systemClock } from '../lib/clock.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createInformer, createKubeClient } from '../runtime/index.ts';
import { silentLog } from '../runtime/types.ts';
import type { KubeObject, ResourceType } from '../runtime/types.ts';
import { Inventory } from './inventory.ts';
import { bindingFromObject } from './machine-object.ts';
import { MachineWriter } from './machine-writer.ts';
import type { MachineIntent } from './record.ts';
import { ShardStatusPublisher } from './status-publisher.ts';
import { seen, toEast } from './testing/machines.ts';
import { verdict } from './testing/needs.ts';
import { byState, plan } from './testing/plans.ts';

const NAMESPACE = 'bigfleet-system';
const crd = (name: string): string => fileURLToPath(new URL(`../../config/crd/bases/control.bigfleet.lucy.sh_${name}.yaml`, import.meta.url));
const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: 'wanted', decidedAt: 1_770_000_000_000, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: 'excess', graceSeconds: 5, preemptorPriority: 7, decidedAt: 1_770_000_000_000 };

/** What the shard writes, against an API server that validates, prunes and keeps finalizers, over HTTP. */
describe('against an API server', () => {
  let hub: EmbeddedControlPlane;
  let client: ReturnType<typeof createKubeClient>;
  let stop: AbortController;
  let running: Promise<unknown>[];

  beforeEach(async () => {
    hub = await startEmbeddedControlPlane({ name: 'hub', crds: [crd('machines'), crd('shards'), crd('capacityproviders')], clock: systemClock });
    hub.store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
    client = createKubeClient({ config: { server: hub.url } as Parameters<typeof createKubeClient>[0]['config'], clock: systemClock, random: () => 0, fieldManager: 'test', userAgent: 'test', qps: 10_000, burst: 10_000 });
    stop = new AbortController();
    running = [];
  });

  afterEach(async () => {
    stop.abort();
    await Promise.all(running);
    await client.close();
    await hub.close();
  });

  /** Resolves with the object as soon as it is as wanted; `undefined` stands for its absence. */
  function becomes<T extends KubeObject>(type: ResourceType, name: string, wanted: (object: T | undefined) => boolean): Promise<T | undefined> {
    return new Promise((resolve) => {
      const look = (): void => {
        const object = hub.store.get<T>(type, { namespace: NAMESPACE, name });
        if (!wanted(object)) return;
        resolve(object);
        setImmediate(() => end());
      };
      const end = hub.store.watch(type, look);
      look();
    });
  }

  describe('Machine objects', () => {
    let inventory: Inventory;
    let writer: MachineWriter;

    beforeEach(async () => {
      inventory = new Inventory(systemClock);
      const informer = createInformer<Machine>({ client, clock: systemClock, random: () => 0, log: silentLog, type: MachineResource, namespace: NAMESPACE });
      writer = new MachineWriter({ client, inventory, clock: systemClock, objects: informer.store, identity: { namespace: NAMESPACE, shard: 'shard-0' }, log: silentLog, workers: 4, mode: () => 'NonSpeculative', isReleasing: () => false, settleMs: 0 });
      inventory.onChange(({ id }) => writer.markDirty(id));
      informer.subscribe((event) => {
        const object = event.type === 'deleted' ? event.old : event.object;
        writer.observed(object.spec.machineId, event.type === 'deleted' ? undefined : object);
      });
      running.push(informer.run(stop.signal), writer.run(stop.signal));
      await informer.waitForSync();
    });

    const stored = (name = 'm'): Machine | undefined => hub.store.get<Machine>(MachineResource, { namespace: NAMESPACE, name });

    it('pass validation in every state, with every decision, and survive unpruned', async () => {
      const states: MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];
      for (const state of states) {
        const id = `Machine/${state}`;
        inventory.observe(seen(id, state), inventory.mark(), 'metal');
        inventory.setIntent(id, state === 'Configured' ? unbind : state === 'Idle' ? { kind: 'release', reason: 'idle', decidedAt: 1 } : bind);
        inventory.explain(id, { code: 'Excess', cluster: 'east', sinceMs: 1_770_000_000_000 });
        inventory.begin(id, { kind: 'Create', operationId: 'op', startedAt: 1_770_000_000_000, attempts: 2, lastError: 'create: quota' });
        await writer.written(id, stop.signal);
        const object = hub.store.list<Machine>(MachineResource, { namespace: NAMESPACE }).find((o) => o.spec.machineId === id);
        expect(object?.metadata.finalizers).toEqual([MACHINE_FINALIZER]);
        expect(object?.status).toMatchObject({
          phase: state, reason: 'Excess', operation: { kind: 'Create', operationId: 'op', startedAt: '2026-02-02T02:40:00Z', attempts: 2, lastError: 'create: quota' },
          dollarsPerHour: '0.40', resources: { cpu: '8', memory: '32Gi' }, since: expect.any(String) as string,
        });
        expect(object?.status?.conditions?.map((c) => c.type)).toEqual(['Ready', 'Progressing', 'Stuck', 'Stalled', 'Disrupting']);
        if (state === 'Creating') expect(bindingFromObject(object!)).toEqual(bind);
        if (state === 'Configured') expect(object?.spec.unbind).toMatchObject({ graceSeconds: 5, preemptorPriority: 7 });
      }
    });

    it('are written once and not again when the watch echoes them', async () => {
      inventory.observe(seen('m', 'Idle'), inventory.mark(), 'metal');
      await writer.written('m', stop.signal);
      const version = stored()?.metadata.resourceVersion;
      // A second machine's echo comes after the first one's: by then the writer has seen both.
      inventory.observe(seen('n', 'Idle'), inventory.mark(), 'metal');
      await writer.written('n', stop.signal);
      writer.markDirty('m');
      await writer.written('m', stop.signal);
      expect(stored()?.metadata.resourceVersion).toBe(version);
    });

    it('come back when a person deletes them, and go when the machine is a slot again', async () => {
      inventory.observe(seen('m', 'Idle'), inventory.mark(), 'metal');
      await writer.written('m', stop.signal);
      const uid = stored()?.metadata.uid;
      await client.delete(MachineResource, { namespace: NAMESPACE, name: 'm' });
      await becomes<Machine>(MachineResource, 'm', (o) => o !== undefined && o.metadata.uid !== uid && o.status?.phase === 'Idle');
      inventory.observe(seen('m', 'Speculative'), inventory.mark(), 'metal');
      await becomes<Machine>(MachineResource, 'm', (o) => o === undefined);
    });

    it('are repaired when a person edits what is not theirs', async () => {
      inventory.observe(seen('m', 'Idle'), inventory.mark(), 'metal');
      await writer.written('m', stop.signal);
      await client.patch(MachineResource, { namespace: NAMESPACE, name: 'm' }, { metadata: { finalizers: null }, spec: { hold: true, unbind: { reason: 'me', graceSeconds: 0, decidedAt: '2026-01-01T00:00:00Z' } } });
      const repaired = await becomes<Machine>(MachineResource, 'm', (o) => o?.spec.unbind === undefined && (o?.metadata.finalizers ?? []).length === 1);
      expect(repaired?.spec.hold).toBe(true);
    });

    it('are written all the same by a server that refuses once and drops an answer once', async () => {
      inventory.observe(seen('m', 'Idle'), inventory.mark(), 'metal');
      await writer.written('m', stop.signal);
      hub.faults.fail({ verb: 'patch', plural: 'machines', code: 409, reason: 'Conflict' });
      hub.faults.drop({ verb: 'create', plural: 'machines', after: true });
      inventory.observe(seen('m', 'Failed'), inventory.mark(), 'metal');
      inventory.observe(seen('n', 'Idle'), inventory.mark(), 'metal');
      await Promise.all([writer.written('m', stop.signal), writer.written('n', stop.signal)]);
      expect([stored()?.status?.phase, stored('n')?.status?.phase]).toEqual(['Failed', 'Idle']);
    });
  });

  describe('statuses of Shard and CapacityProvider', () => {
    it('pass validation and survive unpruned', async () => {
      hub.store.create<Shard>(ShardResource, { metadata: { name: 'shard-0', namespace: NAMESPACE }, spec: {} });
      hub.store.create<CapacityProvider>(CapacityProviderResource, { metadata: { name: 'metal', namespace: NAMESPACE }, spec: { address: 'metal:1', shardRef: 'shard-0' } });
      const clock = new VirtualClock(1_770_000_000_000);
      const inventory = new Inventory(clock);
      inventory.observe(seen('m', 'Speculative'), 0, 'metal');
      const publisher = new ShardStatusPublisher({
        client, namespace: NAMESPACE, shardId: 'shard-0', clock, log: silentLog,
        shardObject: () => hub.store.get<Shard>(ShardResource, { namespace: NAMESPACE, name: 'shard-0' }),
        providers: () => [{
          name: 'metal', object: hub.store.get<CapacityProvider>(CapacityProviderResource, { namespace: NAMESPACE, name: 'metal' }), supply: inventory.supplyOf('metal'), facts: { address: 'metal:1' },
          list: { trusted: true, lastListAt: clock.now(), lastFullListAt: clock.now(), rejected: 1, lastError: '', quarantine: undefined },
        }],
        facts: () => ({ epoch: 5n, holder: 'me', sessions: 2, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative' }),
      });
      const wanted = need({ cluster: 'east', requirements: [requirement('zone', 'In', 'a'), requirement('rack', 'Same')] });
      const unmet = verdict(wanted, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 2 }), arrival: clock.now() });
      publisher.planned(plan([unmet, verdict()], { stats: { machines: 1, byState: byState({ Speculative: 1 }), microUsdPerHour: 5 } }), { cycle: 9, seconds: 0, withheld: 3 });
      running.push(publisher.run(stop.signal));
      const shard = await becomes<Shard>(ShardResource, 'shard-0', (o) => o?.status?.cycle === 9);
      expect(shard?.status).toMatchObject({
        epoch: 5, holder: 'me', sessions: 2, needs: { rows: 2, satisfied: 1, unmet: 1 }, pausedActions: 3, lastCycleTime: '2026-02-02T02:40:00Z',
        shortfalls: [{ clusterId: 'east', requirements: [{ key: 'zone', operator: 'In', values: ['a'] }, { key: 'rack', operator: 'Same', values: [] }], deficit: { cpu: '2' }, reason: 'SUPPLY_EXHAUSTED' }],
      });
      expect(shard?.status?.conditions).toHaveLength(7);
      const provider = await becomes<CapacityProvider>(CapacityProviderResource, 'metal', (o) => o?.status?.offers !== undefined);
      expect(provider?.status).toMatchObject({ offers: [{ instanceType: 'c8', available: 1, priceMicroUsdPerHour: { min: 400_000, max: 400_000 } }], rejected: 1, lastListTime: '2026-02-02T02:40:00Z' });
      expect(provider?.status?.conditions).toHaveLength(5);
      expect([kstatusOf(shard!), kstatusOf(provider!)]).toEqual(['Current', 'Current']);
    });
  });
});
