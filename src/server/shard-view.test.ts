import { credentials } from '@grpc/grpc-js';
import { gunzipSync } from 'node:zlib';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { DecisionKind, ShardViewService } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { ListMachinesRequest, MachineView } from '../api/gen/bigfleet/v1alpha1/view.ts';
import { GrpcCode, Peer } from '../api/grpc.ts';
import { createEngine, planOnce } from '../engine/engine.ts';
import { amounts, machine, need, policy } from '../engine/testing/builders.ts';
import type { Engine, NeedVerdict } from '../engine/types.ts';
import { systemClock } from '../lib/clock.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { SessionHub } from '../session/server/session-hub.ts';
import { createShardServer } from '../shard/grpc-server.ts';
import { rowKey } from '../shard/source-rows.ts';
import { Inventory } from '../shard/inventory.ts';
import type { RowTrouble } from '../shard/row-troubles.ts';
import { seen } from '../shard/testing/machines.ts';
import { verdict } from '../shard/testing/needs.ts';
import { parseSnapshot } from '../snapshot/parse.ts';
import { formatPlan, formatReport } from '../snapshot/plan-report.ts';
import { ShardView } from './shard-view.ts';

const AT = Date.UTC(2026, 1, 2);
const web = need({ cluster: 'east', priority: 9 });
const batch = need({ cluster: 'east', priority: 1 });

describe('ShardView over a socket', () => {
  let inventory: Inventory;
  let verdicts: NeedVerdict[];
  let peer: Peer;
  let running: Promise<void>;
  let halt: AbortController;
  let engine: Engine;
  let troubles: Map<string, RowTrouble>;

  beforeEach(async () => {
    engine = createEngine(policy());
    troubles = new Map();
    inventory = new Inventory(new VirtualClock(AT));
    verdicts = [verdict(web, { machines: 1 }), verdict(batch, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 3 }), machines: 0 })];
    inventory.observe(seen('m-1', 'Configured'), inventory.mark(), 'metal');
    inventory.explain('m-1', { code: 'Serving', cluster: 'east', fingerprint: web.fingerprint, group: '', unitClass: web.unitClass, priority: 9 });
    inventory.observe(seen('m-2', 'Idle', { zone: 'zone-b' }), inventory.mark(), 'metal');
    inventory.explain('m-2', { code: 'IdleHeld', untilMs: AT + 60_000 });
    const view = new ShardView({
      needViews: () => ({ cycle: 7, computedAt: AT, verdicts, ageOf: () => 3, troubles }),
      machine: (id) => inventory.get(id),
      machines: () => inventory.all(),
      machinesOf: (cluster) => inventory.ofCluster(cluster),
      hintOf: (_cluster, machineId) => (machineId === 'm-1' ? { machineId, ready: true, pods: 4, disruptionCost: 4, doNotDisrupt: true } : undefined),
      nodeNameOf: (_cluster, machineId) => (machineId === 'm-1' ? 'node-1' : undefined),
      clusterFacts: (cluster) => ({ connected: false, lastRollupUnixNanos: cluster === 'east' ? 5n : 0n, held: cluster === 'east' }),
      plannedState: () => Promise.resolve({ plan: engine.plan(AT), facts: engine.capture() }),
      withheld: () => [],
    });
    const hub = new SessionHub({
      shardId: 's', epoch: () => 1n, clock: new VirtualClock(), log: silentLog, ids: () => 'id', onRollup: () => true,
      replay: () => ({ updates: [], complete: false }), onConnected: () => undefined, onDisconnected: () => undefined,
    });
    const listening = Promise.withResolvers<number>();
    halt = new AbortController();
    running = createShardServer({
      listen: '127.0.0.1:0', clock: systemClock, hub, view, needViews: () => ({ cycle: 7, computedAt: AT, verdicts, ageOf: () => 3, troubles }),
      log: { ...silentLog, info: (fields) => listening.resolve((fields as { port: number }).port) },
    }).run(halt.signal);
    peer = new Peer(`127.0.0.1:${await listening.promise}`, { credentials: credentials.createInsecure() });
  });
  afterEach(async () => {
    peer.close();
    halt.abort();
    await running;
  });

  const explainNeed = (fields: { clusterId: string; fingerprint?: string; minUnit?: Map<string, string> }) =>
    peer.unary(ShardViewService.explainNeed, { fingerprint: '', group: '', matchGroup: false, minUnit: new Map(), machineLimit: 0, ...fields });
  async function list(filter: Partial<ListMachinesRequest> = {}): Promise<MachineView[]> {
    const all: MachineView[] = [];
    const request: ListMachinesRequest = { clusterId: '', states: [], instanceType: '', zone: '', capacityType: 0, provider: '', limit: 0, ...filter };
    for await (const frame of peer.serverStream(ShardViewService.listMachines, request)) all.push(...frame.machines);
    return all;
  }

  it('says why a machine is where it is, as data and as the sentence that everything prints', async () => {
    const { machine, creditedTo, cycle } = await peer.unary(ShardViewService.explainMachine, { machineId: 'm-1' });
    expect(cycle).toBe(7n);
    expect(machine).toMatchObject({ id: 'm-1', state: MachineState.MACHINE_STATE_CONFIGURED, clusterId: 'east', nodeName: 'node-1', hinted: true, pods: 4, doNotDisrupt: true });
    expect(machine?.why).toMatchObject({ kind: DecisionKind.DECISION_KIND_KEPT, code: 'Serving', text: `Serves demand ${web.fingerprint} of cluster east (priority 9).` });
    expect(machine?.why?.operands).toContainEqual({ name: 'priority', value: '9' });
    expect(creditedTo.map((v) => v.profileFingerprint)).toEqual([web.fingerprint]);
  });

  it('says of a machine that nobody uses until when it is kept', async () => {
    const { machine, creditedTo } = await peer.unary(ShardViewService.explainMachine, { machineId: 'm-2' });
    expect(machine?.why).toMatchObject({ kind: DecisionKind.DECISION_KIND_HELD, code: 'IdleHeld', operands: [{ name: 'untilMs', value: String(AT + 60_000) }] });
    expect([machine?.hinted, creditedTo]).toEqual([false, []]);
  });

  it('says what a need lacks and who is ahead of it', async () => {
    const { needs } = await explainNeed({ clusterId: 'east' });
    expect(needs.map(({ why }) => why?.code)).toEqual(['Satisfied', 'SUPPLY_EXHAUSTED']);
    expect(needs[0]?.machines.map((m) => m.id)).toEqual(['m-1']);
    expect(needs[1]?.why?.text).toBe('Lacks cpu 3: every machine that matches is in use already, or has nothing of what lacks.');
    expect(needs[1]?.ahead.map((v) => v.profileFingerprint)).toEqual([web.fingerprint]);
    expect(needs[1]?.need?.ageCyclesUnmet).toBe(3);
    expect((await explainNeed({ clusterId: 'east', fingerprint: web.fingerprint })).needs).toHaveLength(1);
  });

  it('names the machines that were preempted for a need, whose cluster still has them', async () => {
    verdicts = [verdict(web, { satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', deficit: amounts({ cpu: 3 }), preemption: { victims: 1, freed: amounts({ cpu: 3 }) } }), verdict(batch)];
    inventory.observe(seen('victim', 'Draining', { cluster: 'west' }), inventory.mark(), 'metal');
    inventory.explain('victim', { code: 'Reserved', cluster: 'east', fingerprint: web.fingerprint, group: '', unitClass: web.unitClass, priority: 9 });
    const { needs } = await explainNeed({ clusterId: 'east' });
    expect(needs.map(({ machines }) => machines.map(({ id, state }) => [id, state]))).toEqual([[['m-1', MachineState.MACHINE_STATE_CONFIGURED], ['victim', MachineState.MACHINE_STATE_DRAINING]], []]);
  });

  it('says what keeps machines from a need that the plan takes for met', async () => {
    verdicts = [verdict(web, { inFlight: 1 })];
    troubles.set(rowKey(web), { words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 0 });
    const { needs } = await explainNeed({ clusterId: 'east' });
    const text = 'A machine chosen for it does not come: disk broken.';
    expect(needs[0]).toMatchObject({ why: { kind: DecisionKind.DECISION_KIND_BLOCKED, code: 'MachineDoesNotCome', text }, need: { satisfied: false, reasonText: text } });
    expect(await peer.unary(ShardViewService.explainCluster, { clusterId: 'east', needLimit: 1 })).toMatchObject({ needsUnmet: 1 });
  });

  it('says what the machines of a cluster cost together, as far as the wire can', async () => {
    const costs = async (...machines: ReturnType<typeof seen>[]): Promise<bigint> => {
      for (const machine of machines) inventory.observe(machine, inventory.mark(), 'metal');
      return (await peer.unary(ShardViewService.explainCluster, { clusterId: 'east', needLimit: 1 })).priceMicroUsdPerHour;
    };
    const { host: _gone, ...failed } = seen('f', 'Failed', { cluster: 'east' });
    expect(await costs(failed, seen('s', 'Speculative'))).toBe(400_000n);
    expect(await costs(seen('d', 'Draining', { priceMicroUsdPerHour: 5 }))).toBe(400_005n);
    expect(await costs(seen('g', 'Failed', { cluster: 'east', priceMicroUsdPerHour: 2 }))).toBe(400_007n);
    const dear = { priceMicroUsdPerHour: Number.MAX_SAFE_INTEGER };
    expect(await costs(...Array.from({ length: 1_100 }, (_, i) => seen(`dear-${String(i)}`, 'Configured', dear)))).toBe(BigInt(2 ** 63 - 1024));
  });

  it('says what holds a cluster back as a whole', async () => {
    const cluster = await peer.unary(ShardViewService.explainCluster, { clusterId: 'east', needLimit: 1 });
    expect(cluster).toMatchObject({ connected: false, rollupHeld: true, needsTotal: 2, needsUnmet: 1, priceMicroUsdPerHour: 400_000n });
    expect(cluster.machinesByState).toEqual(new Map([['Configured', 1]]));
    expect(cluster.needs.map((v) => v.satisfied)).toEqual([false]); // unmet first
    expect(cluster.conditions.map((c) => c.code)).toEqual(['NoSession', 'RollupHeld']);
  });

  it('lists machines in order of id, filtered and limited', async () => {
    expect((await list()).map((m) => m.id)).toEqual(['m-1', 'm-2']);
    expect((await list({ clusterId: 'east' })).map((m) => m.id)).toEqual(['m-1']);
    expect((await list({ states: [MachineState.MACHINE_STATE_IDLE] })).map((m) => m.id)).toEqual(['m-2']);
    expect((await list({ zone: 'zone-b' })).map((m) => m.id)).toEqual(['m-2']);
    expect((await list({ limit: 1 })).map((m) => m.id)).toEqual(['m-1']);
    expect(await list({ provider: 'other' })).toEqual([]);
    for (let i = 0; i < 1_200; i++) inventory.observe(seen(`x-${String(i).padStart(4, '0')}`, 'Speculative'), inventory.mark(), 'metal');
    expect(await list()).toHaveLength(1_202);
  });

  it('gives what the engine knew, with the plan that it made of it, as a file in pieces, which can be planned again', async () => {
    engine.apply({ kind: 'machines', upserted: Array.from({ length: 3 }, (_, i) => machine(`m-${i}`, 'Idle')), removed: [] });
    engine.apply({ kind: 'session', cluster: 'east', connected: true });
    engine.apply({ kind: 'needs', cluster: 'east', needs: [web] });
    const pieces: Uint8Array[] = [];
    for await (const { data } of peer.serverStream(ShardViewService.takeSnapshot, {})) pieces.push(data);
    expect(pieces.length > 0 && pieces.every((piece) => piece.length < 1_048_576)).toBe(true);
    const { snapshot, at, plan } = parseSnapshot(JSON.parse(gunzipSync(Buffer.concat(pieces)).toString('utf8')));
    expect([at, snapshot.machines]).toEqual([AT, engine.snapshot().machines]);
    expect(formatReport(plan)).toBe(formatPlan(planOnce(snapshot, at)));
    expect(engine.plan(AT).actions).toHaveLength(1);
  });

  it('says NOT_FOUND, naming what was asked for, and INVALID_ARGUMENT for a unit that is none', async () => {
    await expect(peer.unary(ShardViewService.explainMachine, { machineId: 'ghost' })).rejects.toMatchObject({ code: GrpcCode.NOT_FOUND, details: expect.stringContaining('"ghost"') as string });
    await expect(explainNeed({ clusterId: 'nobody' })).rejects.toMatchObject({ code: GrpcCode.NOT_FOUND });
    await expect(peer.unary(ShardViewService.explainCluster, { clusterId: 'nobody', needLimit: 0 })).rejects.toMatchObject({ code: GrpcCode.NOT_FOUND });
    await expect(explainNeed({ clusterId: 'east', minUnit: new Map([['cpu', 'many']]) })).rejects.toMatchObject({ code: GrpcCode.INVALID_ARGUMENT, details: expect.stringContaining('min_unit') as string });
  });

});
