import { afterEach, describe, expect, it } from 'vitest';
import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { amounts, need } from '../engine/testing/builders.ts';
import type { NeedVerdict } from '../engine/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import type { Trouble } from './bind-refusals.ts';
import { NeedStatusPublisher } from './need-status.ts';
import type { MachineRecord } from './record.ts';
import { RowTroubles } from './row-troubles.ts';
import { SourceRows, rowKey } from './source-rows.ts';
import { comingFor, seen } from './testing/machines.ts';
import { verdict } from './testing/needs.ts';

const small = need({ cluster: 'east', priority: 1 });
const large = need({ cluster: 'east', priority: 2 });

function setUp() {
  const clock = new VirtualClock();
  const stamps = new Map<string, bigint>([['east', 1n]]);
  let clusters = ['east'];
  const hindered: MachineRecord[] = [];
  const moving: MachineRecord[] = [];
  const refusals = new Map<string, Trouble>();
  const withheld = { why: '' };
  const troubles = new RowTroubles({ clock, inventory: { hindered: () => hindered, inTransition: () => moving }, refusals: { current: () => refusals }, rows: new SourceRows(), whyWithheld: () => withheld.why });
  const sent: { at: number; cluster: string; stamp: bigint; rows: [fingerprint: string, satisfied: boolean][]; items: NeedStatus[] }[] = [];
  const failures: unknown[] = [];
  const broken = { on: '' };
  const publisher = new NeedStatusPublisher({
    clock,
    clusters: () => clusters,
    troubles: () => troubles.current(),
    timestampOf: (cluster) => stamps.get(cluster) ?? 0n,
    send: (cluster, { rollupTimestampUnixNanos: stamp, items }) => {
      if (cluster === broken.on) throw new Error(`${cluster} is broken`);
      sent.push({ at: clock.monotonic(), cluster, stamp, rows: items.map((i) => [i.fingerprint, i.satisfied]), items });
    },
    onError: (error) => failures.push(error),
  });
  stops.push(() => {
    publisher.stop();
    expect(clock.pending).toBe(0);
    expect(failures).toEqual([]);
  });
  const plan = async (...verdicts: NeedVerdict[]): Promise<void> => {
    publisher.planned(verdicts);
    await clock.advance(0);
  };
  return { clock, stamps, hindered, moving, refusals, withheld, publisher, sent, plan, broken, failures, connect: (...names: string[]) => (clusters = names) };
}

const stops: (() => void)[] = [];
afterEach(() => {
  for (const stop of stops.splice(0)) stop();
});

describe('need statuses', () => {
  it('come whole at first, then only what changed', async () => {
    const t = setUp();
    await t.plan(verdict(small), verdict(large));
    await t.clock.advance(1_000);
    await t.plan(verdict(small), verdict(large, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) }));
    expect(t.sent.map((s) => s.rows)).toEqual([[[small.fingerprint, true], [large.fingerprint, true]], [[large.fingerprint, false]]]);
    expect(t.sent[1]?.items[0]).toMatchObject({ reason: 102, reasonText: expect.stringMatching(/^Lacks .*: every machine that matches is in use already, or has nothing of what lacks\.$/) as string });
  });

  it('do not call a row satisfied by a machine that cannot come, and say why', async () => {
    const t = setUp();
    const inventory = new Inventory(t.clock);
    for (const [id, row] of [['m-1', small], ['m-2', { ...large, cluster: 'west' }]] as const) {
      const { cluster, fingerprint, group } = row;
      inventory.observe(seen(id, 'Idle'), inventory.mark());
      inventory.explain(id, comingFor(row));
      inventory.setIntent(id, { kind: 'bind', to: { cluster, fingerprint, group, priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], reason: '', decidedAt: 0, configureSent: false });
      inventory.update(id, { obstacle: 'no blob' });
    }
    t.hindered.push(...inventory.hindered());
    await t.plan(verdict(small), verdict(large));
    expect(t.sent[0]?.items.map((i) => [i.satisfied, i.reasonText])).toEqual([[false, 'A machine chosen for it does not come: no blob.'], [true, '']]);
    t.hindered.length = 0;
    await t.clock.advance(1_000);
    await t.plan(verdict(small), verdict(large));
    expect(t.sent[1]?.rows).toEqual([[small.fingerprint, true]]);
  });

  it('are told anew when a mode begins that withholds what the plan has for them, and when it ends, though the plan stays as it is', async () => {
    const t = setUp();
    const preempting = verdict(small, { satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', deficit: amounts({ cpu: 1 }) });
    const acquiring = verdict(large, { provisions: 1 });
    const both = verdict(need({ cluster: 'east', priority: 3 }), { satisfied: false, reason: 'LIMIT_REACHED', deficit: amounts({ cpu: 1 }), bootstraps: 1 });
    const told = async (): Promise<string[] | undefined> => {
      t.sent.length = 0;
      await t.plan(preempting, acquiring, both);
      await t.clock.advance(1_000);
      return t.sent[0]?.items.map((i) => `${i.satisfied} ${i.reason} ${i.reasonText}`);
    };
    const active = ['false 101 Lacks cpu 1: machines for it are still being drained, or created.', 'true 0 ', 'false 104 Lacks cpu 1: the shard\'s limit on machines or spending leaves no room for it.'];
    expect(await told()).toEqual(active);
    t.withheld.why = 'the shard is in mode Paused';
    expect(await told()).toEqual([
      'false 0 Lacks cpu 1: machines that serve others are chosen for it, and no more of them are taken, because the shard is in mode Paused.',
      'false 0 Machines could serve it, and none is taken: the shard is in mode Paused.',
      'false 104 Lacks cpu 1: the shard\'s limit on machines or spending leaves no room for it. Nor is anything taken that could serve it: the shard is in mode Paused.',
    ]);
    expect(await told()).toBeUndefined();
    t.withheld.why = '';
    expect(await told()).toEqual(active);
  });

  it('are told by the next plan what one that broke off did not tell', async () => {
    const t = setUp();
    t.connect('east', 'west');
    t.stamps.set('west', 1n);
    const west = need({ cluster: 'west' });
    await t.plan(verdict(small), verdict(west));
    await t.clock.advance(1_000);
    t.sent.length = 0;
    const lacks = { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) } as const;
    t.broken.on = 'east';
    await t.plan(verdict(small, lacks), verdict(west, lacks));
    expect(t.failures.splice(0).map(String)).toEqual(['Error: east is broken']);
    expect(t.sent).toEqual([]);
    t.broken.on = '';
    await t.clock.advance(1_000);
    await t.plan(verdict(small, lacks), verdict(west, lacks));
    expect(t.sent.map((s) => [s.cluster, s.rows])).toEqual([['east', [[small.fingerprint, false]]], ['west', [[west.fingerprint, false]]]]);
  });

  it.each<[string, Partial<NeedVerdict>, boolean, string]>([
    ['one that is being tried with another machine', { inFlight: 1 }, false, 'A machine chosen for it does not come: disk broken.'],
    ['one whose machines all rest', { satisfied: false, reason: 'NO_MATCHING_SUPPLY', deficit: amounts({ cpu: 1 }) }, false, 'A machine chosen for it does not come: disk broken. Lacks cpu 1.'],
    ['one that matching machines are too few for', { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) }, false, 'A machine chosen for it does not come: disk broken. Lacks cpu 1.'],
    ['a gang whose only place rests', { satisfied: false, reason: 'TOPOLOGY_UNSATISFIABLE', deficit: amounts({ cpu: 1 }) }, false, 'A machine chosen for it does not come: disk broken. Lacks cpu 1.'],
    ['one whose next domain rests', { satisfied: false, reason: 'SPREAD_UNSATISFIABLE', deficit: amounts({ cpu: 1 }) }, false, 'A machine chosen for it does not come: disk broken. Lacks cpu 1.'],
    ['one that lacks for another reason', { satisfied: false, reason: 'NO_SESSION', deficit: amounts({ cpu: 1 }) }, false, 'Lacks cpu 1: the cluster is not connected, or has not reported since it is.'],
    ['one that has all it needs', { inFlight: 0 }, true, ''],
  ])('say the provider’s own words of a row that was refused machines: %s', async (_name, fields, satisfied, text) => {
    const t = setUp();
    t.refusals.set(rowKey(small), { code: 'INTERNAL', words: 'disk broken' });
    await t.plan(verdict(small, fields), verdict(large, { inFlight: 1 }));
    expect(t.sent[0]?.items.map((i) => [i.satisfied, i.reasonText])).toEqual([[satisfied, text], [true, '']]);
  });

  it('say what was refused to a row that lacks machines also when another one has come, and not to one whose others come', async () => {
    const t = setUp();
    t.refusals.set(rowKey(small), { code: 'INTERNAL', words: 'out of stock', hasOneCome: true });
    await t.plan(verdict(small, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) }));
    await t.clock.advance(1_000);
    await t.plan(verdict(small, { inFlight: 1 }));
    expect(t.sent.flatMap(({ items }) => items.map((i) => [i.satisfied, i.reasonText]))).toEqual([[false, 'A machine chosen for it does not come: out of stock. Lacks cpu 1.'], [true, '']]);
  });

  it('say what is on the way all the same, in words that stay the same while machines come', async () => {
    const t = setUp();
    t.refusals.set(rowKey(small), { code: 'INTERNAL', words: 'disk broken' });
    const inventory = new Inventory(t.clock);
    const { cluster, fingerprint, group } = small;
    inventory.observe(seen('m', 'Creating'), inventory.mark());
    inventory.explain('m', comingFor(small));
    inventory.setIntent('m', { kind: 'bind', to: { cluster, fingerprint, group, priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], reason: '', decidedAt: 0, configureSent: false });
    t.moving.push(inventory.get('m')!);
    await t.plan(verdict(small, { inFlight: 1 }));
    expect(t.sent[0]?.items.map((i) => [i.satisfied, i.reasonText])).toEqual([[false, 'Machines on the way for it: 1; another one does not come: disk broken.']]);
  });

  it('call a row that lacks machines what it is, if only one that was chosen is in the way', async () => {
    const t = setUp();
    const inventory = new Inventory(t.clock);
    const { cluster, fingerprint, group } = small;
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.explain('m', comingFor(small));
    inventory.setIntent('m', { kind: 'bind', to: { cluster, fingerprint, group, priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], reason: '', decidedAt: 0, configureSent: false });
    inventory.update('m', { obstacle: 'no blob' });
    const lacking = verdict(small, { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 1 }) });
    await t.plan(lacking);
    t.hindered.push(...inventory.hindered());
    await t.clock.advance(1_000);
    await t.plan(lacking);
    expect(t.sent.flatMap(({ items }) => items.map((i) => i.reasonText))).toEqual(['Lacks cpu 1: every machine that matches is in use already, or has nothing of what lacks.', 'Lacks cpu 1: every machine that matches is in use already, or has nothing of what lacks. Nor does a machine come that was chosen for it: no blob.']);
  });

  it.each<[string, Partial<NeedVerdict>]>([
    ['machines', { machines: 2 }],
    ['machines in flight', { inFlight: 1 }],
    ['the reason', { satisfied: false, reason: 'NO_SESSION', deficit: amounts({ cpu: 1 }) }],
  ])('are told again when %s changed', async (_name, fields) => {
    const t = setUp();
    await t.plan(verdict(small, { satisfied: !('reason' in fields), ...('reason' in fields && { reason: 'LIMIT_REACHED', deficit: amounts({ cpu: 1 }) }) }));
    await t.clock.advance(1_000);
    await t.plan(verdict(small, fields));
    expect(t.sent).toHaveLength(2);
  });

  it('are silent when nothing changed, but for the roll-up that they are about', async () => {
    const t = setUp();
    await t.plan(verdict(small));
    await t.clock.advance(1_000);
    await t.plan(verdict(small));
    await t.clock.advance(1_000);
    expect(t.sent).toHaveLength(1);
    t.stamps.set('east', 2n);
    await t.plan(verdict(small));
    expect(t.sent.slice(1)).toMatchObject([{ stamp: 2n, rows: [] }]);
  });

  it('wait with one timer, however many plans there are', async () => {
    const t = setUp();
    for (let i = 0; i < 3; i++) t.publisher.planned([verdict(small)]);
    expect(t.clock.pending).toBe(1);
    t.publisher.stop();
    await t.clock.advance(10_000);
    expect(t.sent).toEqual([]);
  });

  it('of a row that went and came back are told again', async () => {
    const t = setUp();
    const again = verdict(small);
    await t.plan(again, verdict(large));
    await t.clock.advance(1_000);
    await t.plan(verdict(large));
    await t.clock.advance(1_000);
    t.stamps.set('east', 2n);
    await t.plan(again, verdict(large));
    expect(t.sent.at(-1)?.rows).toEqual([[small.fingerprint, true]]);
  });

  it('of the same verdict are told when an obstacle comes and goes', async () => {
    const t = setUp();
    const same = verdict(small);
    const inventory = new Inventory(t.clock);
    inventory.observe(seen('m', 'Idle'), inventory.mark());
    inventory.explain('m', comingFor(small));
    const { cluster, fingerprint, group } = small;
    inventory.setIntent('m', { kind: 'bind', to: { cluster, fingerprint, group, priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], reason: '', decidedAt: 0, configureSent: false });
    inventory.update('m', { obstacle: 'no blob' });
    await t.plan(same);
    t.hindered.push(...inventory.hindered());
    await t.clock.advance(1_000);
    await t.plan(same);
    t.hindered.length = 0;
    await t.clock.advance(1_000);
    await t.plan(same);
    await t.clock.advance(1_000);
    await t.plan(same);
    expect(t.sent.map((s) => s.items.map((i) => i.satisfied))).toEqual([[true], [false], [true]]);
  });

  it('of very many rows are looked at in turns; a session that begins meanwhile is told all', async () => {
    const t = setUp();
    const many = Array.from({ length: 4_500 }, (_, i) => verdict(need({ cluster: 'east', group: `g${i}` })));
    t.publisher.planned(many);
    void t.clock.advance(0);
    await new Promise((resolve) => setImmediate(resolve));
    expect(t.sent).toEqual([]);
    t.publisher.forget('east'); // it was told nothing, but that was another session
    while (t.sent.length === 0) await t.clock.advance(1_000);
    expect(t.sent[0]?.items).toHaveLength(4_500);
    await t.clock.advance(5_000);
    expect(t.sent).toHaveLength(1);
    t.publisher.planned([...many.slice(0, -1), verdict(many.at(-1)?.need, { machines: 9 })]);
    while (t.sent.length === 1) await t.clock.advance(1_000);
    expect(t.sent[1]?.items.map((i) => i.group)).toEqual(['g4499']);
  });

  it('come at most once a second, with the newest', async () => {
    const t = setUp();
    await t.plan(verdict(small, { machines: 1 }));
    for (let machines = 2; machines <= 5; machines++) {
      await t.clock.advance(200);
      await t.plan(verdict(small, { machines }));
    }
    expect(t.sent).toHaveLength(1);
    await t.clock.advance(200);
    expect(t.sent.map((s) => [s.at, s.items[0]?.machines])).toEqual([[0, 1], [1_000, 5]]);
    await t.clock.advance(10_000);
    expect(t.sent).toHaveLength(2);
  });

  it('carry the timestamp of the roll-up that the plan saw, not of one that came since', async () => {
    const t = setUp();
    t.publisher.planned([verdict(small)]);
    t.stamps.set('east', 2n); // accepted after the plan, before the statuses leave
    await t.clock.advance(0);
    expect(t.sent.map((s) => s.stamp)).toEqual([1n]);
  });

  it('are all told again after a new session', async () => {
    const t = setUp();
    await t.plan(verdict(small), verdict(large));
    await t.clock.advance(5_000);
    t.publisher.forget('east');
    await t.clock.advance(0);
    expect(t.sent.map((s) => s.rows.length)).toEqual([2, 2]);
  });

  it('do not come before a plan has seen a roll-up of the cluster', async () => {
    const t = setUp();
    t.connect('east', 'west');
    t.publisher.forget('west');
    await t.plan(verdict(small));
    expect(t.sent.map((s) => s.cluster)).toEqual(['east']);
    t.stamps.set('west', 7n);
    await t.clock.advance(1_000);
    t.publisher.forget('west');
    await t.clock.advance(1_000);
    expect(t.sent.map((s) => s.cluster)).toEqual(['east']);
    await t.plan(verdict(small), verdict(need({ cluster: 'west' })));
    expect(t.sent.slice(1).map((s) => [s.cluster, s.stamp, s.rows.length])).toEqual([['west', 7n, 1]]);
  });

  it('go to the cluster that they are about', async () => {
    const t = setUp();
    t.connect('east', 'west');
    t.stamps.set('west', 1n);
    const western = need({ cluster: 'west', priority: 9 });
    await t.plan(verdict(small), verdict(western));
    expect(t.sent.map((s) => [s.cluster, s.rows.map(([f]) => f)])).toEqual([['east', [small.fingerprint]], ['west', [western.fingerprint]]]);
  });

  it('tell rows of one profile apart by group and by unit', async () => {
    const t = setUp();
    const rows = [need({ cluster: 'east' }), need({ cluster: 'east', group: 'g' }), need({ cluster: 'east', minUnit: amounts({ cpu: 100 }) })];
    await t.plan(...rows.map((r) => verdict(r)));
    await t.clock.advance(1_000);
    await t.plan(verdict(rows[0]), verdict(rows[1], { machines: 5 }), verdict(rows[2]));
    expect(t.sent.map((s) => s.items.map((i) => [i.group, i.minUnit.get('cpu')]))).toEqual([[['', '1'], ['g', '1'], ['', '100']], [['g', '1']]]);
  });
});
