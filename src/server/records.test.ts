import { afterEach, describe, expect, it } from 'vitest';
import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import { planOnce } from '../engine/engine.ts';
import { amounts, assignmentOf, machine, need, sameZone, T0, typeIn, world } from '../engine/testing/builders.ts';
import type { EngineMachine, Need } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { BindRefusals } from '../shard/bind-refusals.ts';
import { Inventory } from '../shard/inventory.ts';
import { desiredMachine } from '../shard/machine-object.ts';
import { NeedStatusPublisher } from '../shard/need-status.ts';
import { RowTroubles } from '../shard/row-troubles.ts';
import { whyInactive } from '../shard/settings.ts';
import { SourceRows } from '../shard/source-rows.ts';
import { shardStatus } from '../shard/status.ts';
import { seen } from '../shard/testing/machines.ts';
import type { NeedViews } from './shard-read.ts';
import { needView } from './shard-read.ts';
import { ShardView } from './shard-view.ts';

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

const cpus = (n: number) => amounts({ cpu: n });
const large = need({ minUnit: cpus(64), aggregate: cpus(64) });
const small = need({ minUnit: cpus(1), aggregate: cpus(1) });
const gang = (group: string, cluster = 'c1'): Need => need({ cluster, units: 2, group, requirements: [sameZone()] });
const nameOf = ({ group, unitClass, cluster }: Need): string => `${cluster} ${group} ${unitClass}`;

/** A shard right after the engine planned for these machines and Needs, and what everybody is told of it. */
function planned(needs: readonly Need[], machines: readonly EngineMachine[], mode: 'Active' | 'Paused' = 'Active') {
  const clock = new VirtualClock(T0);
  const inventory = new Inventory(clock);
  const plan = planOnce(world({ machines, needs }), T0);
  const rows = new SourceRows();
  const refusals = new BindRefusals(clock, rows);
  const troubles = new RowTroubles({ clock, inventory, refusals, rows, whyWithheld: () => whyInactive(mode) });
  rows.planned(plan.verdicts);
  for (const { id, state, cluster, instanceType, zone, allocatable } of machines) inventory.observe(seen(id, state, { cluster, instanceType, zone, allocatable }), inventory.mark());
  for (const { machineId, to, reason } of plan.actions) {
    inventory.setIntent(machineId, to && { kind: 'bind', to, requirements: [], reason: '', decidedAt: T0, configureSent: false });
    inventory.explain(machineId, reason);
  }
  for (const [id, reason] of plan.machineReasons) inventory.explain(id, reason);
  const needViews = (): NeedViews => ({ cycle: 1, computedAt: T0, verdicts: plan.verdicts, ageOf: () => 0, troubles: troubles.current() });
  const view = new ShardView({
    needViews, machine: (id) => inventory.get(id), machines: () => inventory.all(), machinesOf: (of) => inventory.ofCluster(of), hintOf: () => undefined, nodeNameOf: () => undefined,
    clusterFacts: () => ({ connected: true, lastRollupUnixNanos: 1n, held: false }), plannedState: () => Promise.reject(new Error('not asked')), withheld: () => [],
  });
  const explain = async (row: Need) => {
    const { needs: [answer] } = await view.explainNeed({ clusterId: row.cluster, fingerprint: row.fingerprint, group: row.group, matchGroup: true, minUnit: formatResources(row.minUnit), machineLimit: 0 });
    return answer!;
  };
  const told = async (): Promise<Map<string, NeedStatus>> => {
    const items = new Map<string, NeedStatus>();
    const publisher = new NeedStatusPublisher({
      onError: (error) => { throw error; },
      clock, clusters: () => ['c1'], timestampOf: () => 1n, troubles: () => troubles.current(),
      send: (_cluster, statuses) => statuses.items.forEach((item, i) => items.set(nameOf(plan.verdicts[i]!.need), item)),
    });
    stops.push(() => publisher.stop());
    publisher.planned(plan.verdicts);
    await clock.advance(0);
    return items;
  };
  const status = () => shardStatus(plan, {
    generation: 1, epoch: 1n, holder: '', cycle: 1, at: T0, sessions: 1, withheld: 0, leaseProven: true, supplyTrusted: true, fenced: '', objectsMode: 'NonSpeculative', previous: [], troubles: troubles.current(),
  });
  return {
    inventory, refusals, told, explain, status,
    views: () => plan.verdicts.map((verdict) => needView(verdict, 0, troubles.current())),
    machinesOf: async (row: Need) => (await explain(row)).machines.map((m) => m.id),
    ahead: async (row: Need) => (await explain(row)).ahead.map((v) => v.profileFingerprint),
    why: (id: string) => view.explainMachine(id).machine?.why,
    serves: (id: string) => view.explainMachine(id).creditedTo.map((v) => `${v.clusterId} ${v.need?.group ?? ''} ${v.need?.minUnit.get('cpu') ?? ''}`),
  };
}

describe('what a provider refuses', () => {
  it('is the same record for all who tell of the row', async () => {
    const t = planned([small], [machine('m', 'Idle')]);
    t.inventory.update('m', { obstacle: 'quota exceeded' });
    const text = 'A machine chosen for it does not come: quota exceeded.';
    const { why, need: explained } = await t.explain(small);
    expect([...(await t.told()).values()]).toMatchObject([{ satisfied: false, reason: 0, reasonText: text }]);
    expect(t.views()).toMatchObject([{ satisfied: false, unmetReason: 0, reasonText: text }]);
    expect([why, explained]).toMatchObject([{ code: 'MachineDoesNotCome', text }, { satisfied: false, reasonText: text }]);
    expect(t.status()).toMatchObject({ needs: { rows: 1, satisfied: 0, unmet: 1 }, shortfalls: [{ reason: 'MachineDoesNotCome', message: text }] });
  });

  it('is told of the row for which the machine was chosen, and of no other of the same profile', async () => {
    const t = planned([large, small], [machine('big', 'Configured', { allocatable: cpus(64) }), machine('i', 'Idle')]);
    const satisfied = async () => [...(await t.told())].map(([name, { satisfied: is }]) => [name, is]);
    t.inventory.update('i', { obstacle: 'quota exceeded' });
    expect(await satisfied()).toEqual([[nameOf(large), true], [nameOf(small), false]]);
    t.refusals.refused(t.inventory.get('i')!, { code: 'INTERNAL', words: 'quota exceeded' });
    t.inventory.update('i', { obstacle: '' });
    expect(await satisfied()).toEqual([[nameOf(large), true], [nameOf(small), false]]);
    expect((await t.explain(large)).why?.code).toBe('Satisfied');
  });

  it('is told of every gang that was to share the machine', async () => {
    const other = need({ units: 3, group: 'g3', priority: 101, requirements: [sameZone()] });
    const t = planned([gang('g1'), gang('g2'), other], [machine('m', 'Idle', { allocatable: cpus(4) }), machine('n', 'Configured', { allocatable: cpus(3) })]);
    expect(t.inventory.get('m')?.intent?.kind).toBe('bind');
    t.inventory.update('m', { obstacle: 'quota exceeded' });
    expect([...(await t.told())].map(([name, { satisfied, reasonText }]) => [name.split(' ')[1], satisfied, reasonText])).toEqual([
      ['g3', true, ''], ['g1', false, 'A machine chosen for it does not come: quota exceeded.'], ['g2', false, 'A machine chosen for it does not come: quota exceeded.'],
    ]);
  });
});

it('in a mode in which nothing is decided no row is met by what would be, and all say so', async () => {
  const lacking = need({ minUnit: cpus(2), aggregate: cpus(999), priority: 1 });
  const t = planned([small, large, lacking], [machine('big', 'Configured', { allocatable: cpus(64) }), machine('i', 'Idle')], 'Paused');
  const text = 'Machines could serve it, and none is taken: the shard is in mode Paused.';
  const expected = [[nameOf(large), true, false], [nameOf(small), false, true], [nameOf(lacking), false, false]].sort();
  expect([...(await t.told())].map(([name, { satisfied, reasonText }]) => [name, satisfied, reasonText === text]).sort()).toEqual(expected);
  expect(t.views().map(({ satisfied, reasonText }) => `${satisfied} ${reasonText === text}`).sort()).toEqual(['false false', 'false true', 'true false']);
  expect((await t.explain(small)).why).toMatchObject({ code: 'Withheld', text });
  expect(t.status().needs).toEqual({ rows: 3, satisfied: 1, unmet: 2 });
  expect(t.status().shortfalls?.find(({ message }) => message === text)).toMatchObject({ reason: 'Withheld' });
});

it('a row that lacks more than what the mode keeps from it says both', async () => {
  const lacking = need({ minUnit: cpus(1), aggregate: cpus(3) });
  const t = planned([lacking], [machine('i', 'Idle'), machine('j', 'Idle')], 'Paused');
  const text = 'Lacks cpu 1: every machine that matches is in use already, or has nothing of what lacks. Nor is anything taken that could serve it: the shard is in mode Paused.';
  expect([...(await t.told()).values()]).toMatchObject([{ satisfied: false, reason: 102, reasonText: text }]);
  expect(t.views()).toMatchObject([{ satisfied: false, reasonText: text }]);
  expect((await t.explain(lacking)).why).toMatchObject({ code: 'SUPPLY_EXHAUSTED', text });
  expect(t.status().shortfalls).toMatchObject([{ reason: 'SUPPLY_EXHAUSTED', message: text }]);
  t.inventory.standStill('i', 'the shard is in mode Paused');
  expect((await t.explain(lacking)).why?.text).toBe(`${text} Nor does a machine come that was chosen for it: the shard is in mode Paused.`);
});

it('a row that lacks more than a machine that does not come says both, in every mode', async () => {
  const lacking = need({ minUnit: cpus(1), aggregate: cpus(3) });
  const t = planned([lacking], [machine('i', 'Idle'), machine('j', 'Idle')]);
  t.inventory.update('i', { obstacle: 'no template' });
  const text = 'Lacks cpu 1: every machine that matches is in use already, or has nothing of what lacks. Nor does a machine come that was chosen for it: no template.';
  expect([...(await t.told()).values()]).toMatchObject([{ satisfied: false, reason: 102, reasonText: text }]);
  expect((await t.explain(lacking)).why).toMatchObject({ code: 'SUPPLY_EXHAUSTED', text });
});

it('in a mode in which nothing is decided no row is told that machines are being drained for it that are not', async () => {
  const victim = machine('v', 'Configured', { cluster: 'c2', assigned: assignmentOf(need({ cluster: 'c2', priority: 1 })) });
  const first = need({ minUnit: cpus(1), aggregate: cpus(1), priority: 500 });
  const needs = [first, need({ cluster: 'c2', priority: 1, minUnit: cpus(1), aggregate: cpus(1) })];
  const [active, paused] = [planned(needs, [victim]), planned(needs, [victim], 'Paused')];
  expect((await active.told()).get(nameOf(first))).toMatchObject({ satisfied: false, reasonText: 'Lacks cpu 1: machines for it are still being drained, or created.' });
  const text = 'Lacks cpu 1: machines that serve others are chosen for it, and no more of them are taken, because the shard is in mode Paused.';
  expect((await paused.told()).get(nameOf(first))).toMatchObject({ satisfied: false, reason: 0, reasonText: text });
  expect((await paused.explain(first)).why).toMatchObject({ code: 'Withheld', text });
  expect(paused.status().shortfalls?.find(({ message }) => message === text)).toMatchObject({ reason: 'Withheld' });
});

it('a machine that was chosen and is not begun is told as that, and so is the row that counts on it', async () => {
  const t = planned([small], [machine('i', 'Idle')]);
  t.inventory.standStill('i', 'cluster c1 is not connected');
  const text = 'A machine chosen for it does not come: cluster c1 is not connected.';
  expect([...(await t.told()).values()]).toMatchObject([{ satisfied: false, reasonText: text }]);
  expect((await t.explain(small)).why).toMatchObject({ code: 'MachineDoesNotCome', text });
  const words = /^Decided and not begun, because cluster c1 is not connected: /;
  expect(t.why('i')).toMatchObject({ code: 'Withheld', text: expect.stringMatching(words) as string });
  const { status } = desiredMachine(t.inventory.get('i')!, { namespace: 'n', shard: 's' });
  expect(status).toMatchObject({ reason: 'Withheld', message: expect.stringMatching(words) as string });
  expect(status?.conditions?.find(({ type }) => type === 'Progressing')).toMatchObject({ status: 'True', message: 'cluster c1 is not connected' });
});

it('a provider that refuses to drain a machine has its words in the record of the machine', () => {
  const t = planned([], [machine('m', 'Configured', { drainRefused: true })]);
  t.inventory.update('m', { drainRefusal: { words: 'drain: no way', code: 'UNIMPLEMENTED', until: T0 + 60_000, spells: 1 } });
  const text = 'No demand of cluster c1 needs it; kept for now because its provider refused to drain it (drain: no way).';
  expect(t.why('m')).toMatchObject({ code: 'ExcessDrainRefused', text });
  const { status } = desiredMachine(t.inventory.get('m')!, { namespace: 'n', shard: 's' });
  expect(status).toMatchObject({ reason: 'ExcessDrainRefused', message: text });
});

describe('the rows that a machine serves, and the machines that serve a row, are the ones that the plan credited', () => {
  it('where rows are alike but for their unit', async () => {
    const t = planned([large, small], [machine('big', 'Configured', { allocatable: cpus(64) }), machine('little', 'Configured')]);
    expect([t.serves('big'), t.serves('little')]).toEqual([['c1  64'], ['c1  1']]);
    expect([await t.machinesOf(large), await t.machinesOf(small)]).toEqual([['big'], ['little']]);
  });

  it('where machines were bound for another gang', async () => {
    const bound = (id: string): EngineMachine => machine(id, 'Configured', { zone: `z${id[0]!}`, assigned: assignmentOf(gang('g1')) });
    const t = planned([gang('g1'), gang('g2')], ['a1', 'a2', 'b1', 'b2'].map(bound));
    expect([t.serves('a1'), t.serves('b2')]).toEqual([['c1 g1 1'], ['c1 g2 1']]);
    expect([await t.machinesOf(gang('g1')), await t.machinesOf(gang('g2'))]).toEqual([['a1', 'a2'], ['b1', 'b2']]);
  });

  it('where another cluster asks for the same', async () => {
    const western = need({ cluster: 'c2', minUnit: cpus(1), aggregate: cpus(1) });
    const t = planned([small, western], [machine('e', 'Configured'), machine('w', 'Configured', { cluster: 'c2' })]);
    expect([t.serves('e'), t.serves('w')]).toEqual([['c1  1'], ['c2  1']]);
    expect([await t.machinesOf(small), await t.machinesOf(western)]).toEqual([['e'], ['w']]);
  });

  it('where gangs share machines, in several clusters', async () => {
    const eight = { allocatable: cpus(8) };
    const t = planned([gang('g1'), gang('g2'), gang('g1', 'c2')], [machine('m', 'Configured', eight), machine('w', 'Configured', { ...eight, cluster: 'c2' })]);
    expect([t.serves('m'), t.serves('w')]).toEqual([['c1 g1 1', 'c1 g2 1'], ['c2 g1 1']]);
    expect([await t.machinesOf(gang('g1')), await t.machinesOf(gang('g2')), await t.machinesOf(gang('g1', 'c2'))]).toEqual([['m'], ['m'], ['w']]);
  });

  it('where gangs of several sizes share machines', async () => {
    const three = { ...gang('g3'), aggregate: cpus(3) };
    const t = planned([gang('g1'), three, gang('g2')], [machine('m', 'Configured', { allocatable: cpus(4) }), machine('n', 'Configured', { allocatable: cpus(3) })]);
    expect([t.serves('m'), t.serves('n')].sort()).toEqual([['c1 g1 1', 'c1 g2 1'], ['c1 g3 1']]);
    expect([...(await t.machinesOf(gang('g1'))), ...(await t.machinesOf(three))].sort()).toEqual(['m', 'n']);
  });

  it('but of very many gangs on one machine only the first thousand are named', () => {
    const t = planned(Array.from({ length: 1_100 }, (_, i) => gang(`g${String(10_000 + i)}`)), [machine('m', 'Configured', { allocatable: cpus(2_200) })]);
    expect([t.serves('m').length, t.serves('m')[0], t.serves('m').at(-1)]).toEqual([1_000, 'c1 g10000 1', 'c1 g10999 1']);
  });

  it('also of machines that are only chosen yet', async () => {
    const t = planned([large, small], [machine('big', 'Idle', { allocatable: cpus(64) }), machine('little', 'Speculative')]);
    expect([t.serves('big'), t.serves('little')]).toEqual([['c1  64'], ['c1  1']]);
    expect([await t.machinesOf(large), await t.machinesOf(small)]).toEqual([['big'], ['little']]);
  });
});

describe('the demand ahead of a row', () => {
  const boxes = (type: string, count: number, cluster = 'c1') => Array.from({ length: count }, (_, i) => machine(`${type}-${cluster}-${i}`, 'Configured', { cluster, instanceType: type }));
  const asks = (priority: number, type: string, cluster = 'c1') => need({ cluster, priority, requirements: [typeIn(type)] });

  it('holds machines that the row could use: what else comes before it does not matter', async () => {
    const lacking = asks(50, 'gpu');
    const holder = asks(100, 'gpu', 'c2');
    const others = Array.from({ length: 6 }, (_, i) => asks(1000 - i, 'cpu'));
    const t = planned([...others, holder, lacking], [...boxes('cpu', 6), ...boxes('gpu', 1, 'c2')]);
    expect(await t.ahead(lacking)).toEqual([holder.fingerprint]);
  });

  it('does not hold machines that are too small for its unit', async () => {
    const first = asks(900, 'cpu');
    const t = planned([first, large], boxes('cpu', 1));
    expect([await t.machinesOf(first), (await t.explain(large)).need?.satisfied]).toEqual([['cpu-c1-0'], false]);
    expect(await t.ahead(large)).toEqual([]);
  });

  it('is told as well of a row whose machine does not come', async () => {
    const [first, second] = [asks(900, 'gpu'), asks(50, 'gpu')];
    const t = planned([first, second], [...boxes('gpu', 1), machine('i', 'Idle', { instanceType: 'gpu' })]);
    expect(await t.ahead(second)).toEqual([]);
    t.inventory.update('i', { obstacle: 'no blob' });
    expect(await t.ahead(second)).toEqual([first.fingerprint]);
  });

  it('comes before it: what chooses later is not ahead, and neither is the row itself', async () => {
    const first = { ...asks(100, 'gpu'), aggregate: cpus(2) };
    const later = asks(50, 'gpu', 'c2');
    const t = planned([first, later], [...boxes('gpu', 1), machine('safe', 'Configured', { cluster: 'c2', instanceType: 'gpu', drainRefused: true })]);
    expect([await t.machinesOf(first), await t.machinesOf(later)]).toEqual([['gpu-c1-0'], ['safe']]);
    expect((await t.explain(first)).need?.satisfied).toBe(false);
    expect(await t.ahead(first)).toEqual([]);
  });

  it('is a handful, highest precedence first', async () => {
    const holders = Array.from({ length: 7 }, (_, i) => asks(1000 - i, 'gpu'));
    const lacking = asks(50, 'gpu');
    const t = planned([...holders, lacking], boxes('gpu', 7));
    expect(await t.ahead(lacking)).toEqual(holders.slice(0, 5).map((holder) => holder.fingerprint));
    expect(await t.ahead(holders[6]!)).toEqual([]);
  });

  it('names gangs that share a machine, each by itself', async () => {
    const lacking = { ...asks(50, 't1'), aggregate: cpus(9) };
    const t = planned([gang('g1'), gang('g2'), lacking], [machine('m', 'Configured', { allocatable: cpus(8) })]);
    expect((await t.explain(lacking)).ahead.map((v) => v.need?.group)).toEqual(['g1', 'g2']);
  });
});
