import { describe, expect, it } from 'vitest';
import { createEngine } from '../../engine/engine.ts';
import type { FrozenFacts } from '../../engine/facts/frozen-facts.ts';
import { reasonsOf } from '../../engine/decide/machine-reasons.ts';
import { amounts, need, policy } from '../../engine/testing/builders.ts';
import type { Action, Change, Engine, MachineReason, Plan } from '../../engine/types.ts';
import { steadyClock } from '../../lib/steady-clock.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../../runtime/types.ts';
import type { AuditLog, AuditOutcome } from '../../shard/audit-log.ts';
import { Demand } from '../../shard/demand.ts';
import { Inventory } from '../../shard/inventory.ts';
import type { Mode } from '../../shard/settings.ts';
import { seen, toEast } from '../../shard/testing/machines.ts';
import { rollup, wireRow } from '../../shard/testing/needs.ts';
import { plan } from '../../shard/testing/plans.ts';
import { CYCLES_PER_FULL_PLAN, CYCLE_KEY, CycleReconciler, DECISIONS_PER_TURN, intentOf } from './cycle.ts';
import type { CycleFacts } from './cycle.ts';

const context = { signal: new AbortController().signal, reconcileId: '' };
const wanted = need({ cluster: 'east' });
const action = (fields: Partial<Action>): Action => ({
  kind: 'Bootstrap', machineId: 'm', cluster: '', graceSeconds: 0, preemptorPriority: 0, reason: { code: 'Excess', cluster: 'east', sinceMs: 0 }, ...fields,
});

/** A cycle over an engine: the real one, or one that decides what the test says. */
function setUp(options: { engine?: Engine; audit?: AuditLog } = {}) {
  const wallClock = new VirtualClock();
  const clock = steadyClock(wallClock); // as the shard composes it
  const inventory = new Inventory(clock);
  const errors: object[] = [];
  const log = { ...silentLog, error: (fields: object) => errors.push(fields) };
  const demand = new Demand({ clock, log, guardEnabled: () => false, onRejected: () => undefined });
  const audited: [cycle: number, kinds: string[], outcome: AuditOutcome][] = [];
  const acted: [outcome: AuditOutcome, kinds: Record<string, number>][] = [];
  const told: { plan: Plan; facts: CycleFacts }[] = [];
  const counted = { differences: 0 };
  const settings = { mode: 'Active' as Mode, cycleMs: 10_000, mayTakeAway: true, mayAcquire: true };
  const reconciler = new CycleReconciler({
    engine: options.engine ?? createEngine(policy()), inventory, demand, clock, log,
    audit: options.audit ?? ({ append: (cycle: number, actions: readonly Action[], outcome: AuditOutcome) => audited.push([cycle, actions.map((a) => a.kind), outcome]), retry: () => undefined } as unknown as AuditLog),
    mode: () => settings.mode,
    mayTakeAway: () => settings.mayTakeAway,
    mayAcquire: () => settings.mayAcquire,
    whyWithheld: () => `the shard is in mode ${settings.mode}`,
    cycleMs: () => settings.cycleMs,
    onPlanned: (planned, facts) => told.push({ plan: planned, facts }),
    onActions: (kinds, outcome) => acted.push([outcome, Object.fromEntries(kinds)]),
    onPlanDiffers: () => { counted.differences++; },
  });
  return { clock: wallClock, inventory, demand, errors, audited, acted, told, settings, counted, cycle: (signal = context.signal) => reconciler.reconcile(CYCLE_KEY, { ...context, signal }) };
}

/** Decides the given actions every time and remembers what it was told. */
function scripted(actions: readonly Action[], fields: Partial<Plan> = {}) {
  const changes: Change[] = [];
  const engine: Engine = {
    apply: (change) => void changes.push(change),
    plan: (at) => plan([], { at, actions, ...fields, stats: {} }),
    planInFull: () => expect.unreachable(),
    settle: () => false,
    audit: function* () { yield; return []; },
    rebuild: () => expect.unreachable(),
    snapshot: () => expect.unreachable(),
    capture: () => expect.unreachable(),
  };
  return { engine, changes };
}

describe('a cycle', () => {
  it('feeds the engine what changed and turns its decisions into intents, in one turn', async () => {
    const engine = createEngine(policy());
    engine.apply({ kind: 'session', cluster: 'east', connected: true });
    engine.apply({ kind: 'supply', trusted: true });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    t.demand.offer('east', rollup([wireRow({ requirements: [{ key: 'topology.kubernetes.io/zone', operator: 1, values: ['zone-a'] }] })]));
    const cycle = t.cycle();
    // Nothing was awaited: all is decided before the promise is looked at.
    expect(t.inventory.get('m')?.intent).toMatchObject({
      kind: 'bind', configureSent: false, decidedAt: t.clock.now(),
      to: { cluster: 'east', priority: 100, interruptionBucket: 1, reclamationBucket: 1 },
      requirements: [{ key: 'topology.kubernetes.io/zone', operator: 'In', values: ['zone-a'] }],
    });
    expect(t.told[0]?.facts).toMatchObject({ cycle: 1, withheld: 0 });
    expect(t.audited).toEqual([[1, ['Bootstrap'], 'decided']]);
    await cycle;
    await t.cycle();
    expect(t.audited).toHaveLength(1); // what is decided is not decided again
  });

  it('commits what the engine wants remembered before anything else is decided', async () => {
    const memory = [{ what: 'idleSince', key: 'm', at: 5 }] as const;
    const { engine, changes } = scripted([], { memory });
    const t = setUp({ engine });
    await t.cycle();
    expect(changes).toEqual([{ kind: 'supply', trusted: true }, { kind: 'memory', changes: memory }]);
    t.settings.mayTakeAway = false;
    await t.cycle();
    expect(changes[2]).toEqual({ kind: 'supply', trusted: false });
  });

  it('remembers no reclaim that is not done: it would count against the next ones', async () => {
    const memory = [{ what: 'leftOverSince', key: 'm', at: 5 }, { what: 'reclaims', key: 'east', at: [5] }] as const;
    const { engine, changes } = scripted([], { memory });
    const t = setUp({ engine });
    t.settings.mode = 'Paused';
    await t.cycle();
    t.settings.mode = 'Active';
    await t.cycle();
    expect(changes.flatMap((change) => (change.kind === 'memory' ? [change.changes] : []))).toEqual([[memory[0]], memory]);
  });

  it('remembers no reclaim that waits for the audit log', async () => {
    const memory = [{ what: 'reclaims', key: 'east', at: [5] }] as const;
    const { engine, changes } = scripted([], { memory });
    const audit = { failure: 'ENOSPC', append: () => undefined, retry: () => undefined };
    const t = setUp({ engine, audit: audit as unknown as AuditLog });
    const remembered = (): unknown[] => changes.flatMap((change) => (change.kind === 'memory' ? change.changes : []));
    await t.cycle();
    expect(remembered()).toEqual([]);
    audit.failure = '';
    await t.cycle();
    expect(remembered()).toEqual(memory);
  });

  it('tells the engine of a removal and of nothing twice', async () => {
    const { engine, changes } = scripted([]);
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    t.inventory.observe(seen('n', 'Idle'), 0);
    await t.cycle();
    t.inventory.remove('m');
    await t.cycle();
    await t.cycle();
    expect(changes.filter((c) => c.kind === 'machines').map((c) => [c.upserted.map((m) => m.id), c.removed])).toEqual([[['m', 'n'], []], [[], ['m']]]);
  });

  it('says why each machine is where it is', async () => {
    const { engine } = scripted([], { machineReasons: reasonsOf(new Map<string, MachineReason>([['m', { code: 'Available' }], ['gone', { code: 'Failed' }]])) });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    await t.cycle();
    expect(t.inventory.get('m')?.why).toEqual({ code: 'Available' });
  });

  it('forgets the reason of a machine that has none any more', async () => {
    const reasons = new Map<string, MachineReason>([['m', { code: 'Available' }]]);
    const { engine } = scripted([], { machineReasons: { get: (id) => reasons.get(id), changed: ['m'], [Symbol.iterator]: () => reasons.entries() } });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    await t.cycle();
    expect(t.inventory.get('m')?.why).toEqual({ code: 'Available' });
    reasons.clear();
    await t.cycle();
    expect(t.inventory.get('m')?.why).toBeUndefined();
  });

  it('passes over a machine that is gone meanwhile', async () => {
    const t = setUp({ engine: scripted([action({ kind: 'Delete', machineId: 'gone' }), action({ kind: 'Delete', machineId: 'm' })]).engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    await t.cycle();
    expect(t.inventory.get('m')?.intent?.kind).toBe('release');
  });
});

describe('a large fleet', () => {
  const ids = Array.from({ length: 5_000 }, (_, i) => `m${i}`);

  it('is told in parts, with a turn for others in between, and planned for when all of it is told and filed', async () => {
    const { engine, changes } = scripted([]);
    const told: (string | number)[] = [];
    let filings = 3;
    const t = setUp({ engine: { ...engine,
      apply: (change) => (engine.apply(change), change.kind === 'machines' && told.push(change.upserted.length)),
      settle: () => (told.push('file'), --filings > 0),
      plan: (at) => (told.push('plan'), engine.plan(at)),
    } });
    for (const id of ids) t.inventory.observe(seen(id, 'Idle'), 0);
    let turns = 0;
    const count = (): void => void (turns++ < 100 && setImmediate(count));
    setImmediate(count);
    await t.cycle();
    expect(told).toEqual([1_000, 1_000, 1_000, 1_000, 1_000, 'file', 'file', 'file', 'plan']);
    expect(turns).toBeGreaterThanOrEqual(5);
    expect(changes.flatMap((c) => (c.kind === 'machines' ? c.upserted.map((m) => m.id) : []))).toEqual(ids);
  });

  it('is told what came while it was being told, before it is planned for', async () => {
    const { engine, changes } = scripted([]);
    const t = setUp({ engine });
    for (const id of ids) t.inventory.observe(seen(id, 'Idle'), 0);
    const cycle = t.cycle();
    t.inventory.observe(seen('m4999', 'Failed'), 0);
    t.inventory.observe(seen('late', 'Idle'), 0);
    await cycle;
    const upserted = changes.flatMap((c) => (c.kind === 'machines' ? c.upserted : []));
    expect(upserted.filter((m) => m.id === 'm4999').map((m) => m.state)).toEqual(['Failed']);
    expect(upserted.at(-1)?.id).toBe('late');
  });

  it('is told the demand of many clusters one after the other, and what came meanwhile, before it is planned for', async () => {
    const { engine } = scripted([]);
    const told: string[] = [];
    const t = setUp({ engine: { ...engine, apply: (change) => change.kind === 'needs' && told.push(change.cluster), plan: (at) => (told.push('plan'), engine.plan(at)) } });
    for (const clusterId of ['a', 'b', 'c']) t.demand.offer(clusterId, rollup([wireRow()], { clusterId }));
    const cycle = t.cycle();
    expect(told).toEqual(['a']);
    t.demand.offer('late', rollup([wireRow()], { clusterId: 'late' }));
    await cycle;
    expect(told).toEqual(['a', 'b', 'c', 'late', 'plan']);
  });

  it('does not wait without end for demand that keeps coming', async () => {
    const { engine } = scripted([]);
    let told = 0;
    const t = setUp({ engine: { ...engine, apply: (change) => {
      if (change.kind !== 'needs') return;
      told++;
      t.demand.offer('a', rollup([wireRow()], { clusterId: 'a' }));
      t.demand.offer('b', rollup([wireRow()], { clusterId: 'b' }));
    } } });
    t.demand.offer('a', rollup([wireRow()], { clusterId: 'a' }));
    t.demand.offer('b', rollup([wireRow()], { clusterId: 'b' }));
    await t.cycle();
    expect(told).toBeGreaterThan(100);
    expect(t.told).toHaveLength(1);
  });

  it('has its memory committed and its decisions made in parts, each once', async () => {
    const memory = ids.map((key) => ({ what: 'idleSince', key, at: 5 }) as const);
    const { engine, changes } = scripted(ids.map((machineId) => action({ kind: 'Delete', machineId })), { memory });
    const t = setUp({ engine });
    for (const id of ids) t.inventory.observe(seen(id, 'Idle'), 0);
    await t.cycle();
    expect(changes.flatMap((c) => (c.kind === 'memory' ? c.changes : []))).toEqual(memory);
    expect(t.audited.map(([, kinds]) => kinds.length)).toEqual(Array.from({ length: 20 }, () => DECISIONS_PER_TURN));
    expect([...t.inventory.withIntent()]).toHaveLength(5_000);
    expect(t.told).toHaveLength(1);
  });

  it('has no decision made about a machine that changed after the plan', async () => {
    const t = setUp({ engine: scripted(ids.map((machineId) => action({ kind: 'Delete', machineId }))).engine });
    for (const id of ids) t.inventory.observe(seen(id, 'Idle'), 0);
    const decided = Promise.withResolvers<void>();
    t.inventory.onChange(({ id }) => id === 'm0' && decided.resolve());
    const cycle = t.cycle();
    await decided.promise;
    t.inventory.observe(seen('m4999', 'Failed'), 0); // between two parts of the decisions
    await cycle;
    expect([t.inventory.get('m4998')?.intent?.kind, t.inventory.get('m4999')?.intent]).toEqual(['release', undefined]);
  });

  it('gives up being told when the shard stops', async () => {
    const { engine } = scripted([]);
    const t = setUp({ engine: { ...engine, settle: () => true } });
    const stop = new AbortController();
    const cycle = t.cycle(stop.signal);
    stop.abort(new Error('stopping'));
    await expect(cycle).rejects.toThrow('stopping');
  });
});

describe('the next cycle', () => {
  it.each<[string, number | undefined, number]>([
    ['after the longest pause, when time alone changes nothing', undefined, 10_000],
    ['when a hold runs out, if that is earlier', 3_000, 3_000],
    ['after the longest pause, if the hold is longer', 60_000, 10_000],
    ['not at once, if the time has come already', -5, 1],
  ])('comes %s', async (_name, wakeIn, expected) => {
    const t = setUp({ engine: scripted([], wakeIn === undefined ? {} : { wakeAt: new VirtualClock().now() + wakeIn }).engine });
    expect(await t.cycle()).toEqual({ requeueAfterMs: expected });
  });

  it('follows a changed setting', async () => {
    const t = setUp({ engine: scripted([]).engine });
    t.settings.cycleMs = 500;
    expect(await t.cycle()).toEqual({ requeueAfterMs: 500 });
  });

  it('comes within a second while nothing may be taken away: nobody says when it may be again', async () => {
    const t = setUp();
    t.settings.mayTakeAway = false;
    expect(await t.cycle()).toEqual({ requeueAfterMs: 1_000 });
    t.settings.mayTakeAway = true;
    expect(await t.cycle()).toEqual({ requeueAfterMs: 10_000 });
  });
});

describe.each([3_600_000, -3_600_000])('a wall clock that is set by %i ms', (jumpMs) => {
  const HINT = { machineId: 'm', nodeName: 'm', ready: true, pods: 1, disruptionCost: 0, doNotDisrupt: false, heldBy: '' };

  /** One machine that the plan takes away when its time has come: in ten minutes if it idles, in five if Pods run on it. */
  async function counting(state: 'Idle' | 'Configured') {
    const engine = createEngine(policy());
    engine.apply({ kind: 'session', cluster: 'east', connected: true });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', state), 0);
    const elsewhere = wireRow({ requirements: [{ key: 'topology.kubernetes.io/zone', operator: 1, values: ['zone-b'] }] });
    t.demand.offer('east', rollup([elsewhere], { nodeHints: { items: [HINT] } }));
    await t.cycle();
    expect(t.errors).toEqual([]);
    const decided = (): string | undefined => t.inventory.get('m')?.intent?.kind;
    expect(decided()).toBeUndefined();
    return { ...t, decided };
  }

  it.each([
    ['the hold of a machine that idles', 'Idle', 600_000, 'release'],
    ['the patience with a machine that Pods run on', 'Configured', 300_000, 'unbind'],
  ] as const)('neither ends nor prolongs %s', async (_what, state, holdMs, kind) => {
    const t = await counting(state);
    t.clock.jumpWall(jumpMs);
    await t.cycle();
    await t.clock.advance(0.75 * holdMs);
    await t.cycle();
    expect(t.decided()).toBeUndefined();
    await t.clock.advance(0.6 * holdMs);
    await t.cycle();
    expect(t.decided()).toBe(kind);
  });
});

it('takes nothing for demand while machines that serve are not known, neither free nor from others; what else is decided is done', async () => {
  const actions = (['Bootstrap', 'Provision', 'Preempt', 'Reclaim', 'Delete'] as const).map((kind, i) => action({ kind, machineId: `m-${i}`, to: toEast }));
  const t = setUp({ engine: scripted(actions).engine });
  for (const [i, state] of (['Idle', 'Speculative', 'Configured', 'Configured', 'Idle'] as const).entries()) t.inventory.observe(seen(`m-${i}`, state), 0);
  t.inventory.takeEngineChanges();
  t.settings.mayAcquire = false;
  await t.cycle();
  expect(actions.map(({ machineId }) => t.inventory.get(machineId)?.intent?.kind)).toEqual([undefined, undefined, undefined, 'unbind', 'release']);
  expect(t.audited).toEqual([[1, ['Reclaim', 'Delete'], 'decided'], [1, ['Bootstrap', 'Provision', 'Preempt'], 'suppressed']]);
  expect(t.told[0]?.facts.withheld).toBe(3);
  expect(t.acted).toEqual([['decided', { Reclaim: 1, Delete: 1 }], ['suppressed', { Bootstrap: 1, Provision: 1, Preempt: 1 }]]);
  t.settings.mayAcquire = true;
  await t.cycle();
  expect(t.inventory.get('m-0')?.intent?.kind).toBe('bind');
});

describe('a shard that is not Active', () => {
  it.each([['DryRun', 'dryrun'], ['Paused', 'suppressed']] as const)('%s: plans, reports and audits as %s, and decides nothing', async (mode, outcome) => {
    const t = setUp({ engine: scripted([action({ kind: 'Delete' }), action({ kind: 'Withdraw', machineId: 'n' })]).engine });
    for (const id of ['m', 'o']) t.inventory.observe(seen(id, 'Idle'), 0);
    t.settings.mode = mode;
    await t.cycle();
    expect(t.inventory.get('m')?.intent).toBeUndefined();
    expect([t.inventory.get('m')?.withheld, t.inventory.get('o')?.withheld]).toEqual([`the shard is in mode ${mode}`, undefined]);
    expect(t.audited).toEqual([[1, ['Delete', 'Withdraw'], outcome]]);
    expect(t.told[0]?.facts.withheld).toBe(2);
    expect(t.acted).toEqual([[outcome, { Delete: 1, Withdraw: 1 }]]);
    t.settings.mode = 'Active';
    await t.cycle();
    expect(t.inventory.get('m')).toMatchObject({ intent: { kind: 'release' }, withheld: undefined });
    expect(t.told[1]?.facts).toMatchObject({ cycle: 2, withheld: 0 });
    expect(t.acted[1], 'there is no machine n').toEqual(['decided', { Delete: 1 }]);
  });
});

it('a machine is not said to be withheld any more once nothing is planned for it', async () => {
  const actions = [action({ kind: 'Delete' })];
  const t = setUp({ engine: scripted(actions).engine });
  t.inventory.observe(seen('m', 'Idle'), 0);
  t.settings.mode = 'DryRun';
  await t.cycle();
  expect(t.inventory.get('m')?.withheld).toBe('the shard is in mode DryRun');
  actions.pop();
  await t.cycle();
  expect(t.inventory.get('m')).toMatchObject({ withheld: undefined, intent: undefined });
});

describe('trouble', () => {
  it('with the demand of one cluster does not keep the others from being served', async () => {
    const real = createEngine(policy());
    const engine: Engine = { ...real, apply: (change) => {
      if (change.kind === 'needs' && change.cluster === 'bad') throw new Error('min_unit');
      real.apply(change);
    } };
    real.apply({ kind: 'session', cluster: 'east', connected: true });
    real.apply({ kind: 'supply', trusted: true });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle'), 0);
    t.demand.offer('bad', rollup([wireRow()]));
    t.demand.offer('east', rollup([wireRow()]));
    await t.cycle();
    expect(t.inventory.get('m')?.intent).toMatchObject({ to: { cluster: 'east' } });
    expect(t.errors).toMatchObject([{ cluster: 'bad', error: 'Error: min_unit' }]);
  });

  it('with the audit log stops nothing that the fleet gets, and whatever would be taken waits for it', async () => {
    let isFull = true;
    const audit = { append: () => { if (isFull) throw new Error('ENOSPC'); }, retry: () => undefined } as unknown as AuditLog;
    const to = { ...toEast, unitClass: '' };
    const t = setUp({
      engine: scripted([
        action({ kind: 'Bootstrap', machineId: 'idle', to }), action({ kind: 'Delete', machineId: 'free' }), action({ kind: 'Reclaim', machineId: 'excess' }), action({ kind: 'Preempt', machineId: 'victim' }),
      ]).engine, audit,
    });
    for (const id of ['idle', 'free']) t.inventory.observe(seen(id, 'Idle'), 0);
    for (const id of ['excess', 'victim']) t.inventory.observe(seen(id, 'Configured'), 0);
    const decided = (): unknown[] => ['idle', 'free', 'excess', 'victim'].map((id) => t.inventory.get(id)?.intent?.kind);
    const told = (): unknown[] => ['idle', 'free', 'excess', 'victim'].map((id) => t.inventory.get(id)?.withheld);
    await t.cycle();
    expect(decided()).toEqual(['bind', undefined, undefined, undefined]);
    const waits = 'the audit log cannot be written';
    expect(told()).toEqual([undefined, waits, waits, waits]);
    expect(t.errors).toMatchObject([{ error: 'Error: ENOSPC', actions: 4 }]);
    expect(t.acted).toEqual([['decided', { Bootstrap: 1 }], ['suppressed', { Delete: 1, Reclaim: 1, Preempt: 1 }]]);
    isFull = false;
    await t.cycle();
    expect(decided()).toEqual(['bind', 'release', 'unbind', 'unbind']);
    expect(told()).toEqual([undefined, undefined, undefined, undefined]);
  });
});

describe('a gang that is whole only with a machine of somebody else, while the audit log cannot be written', () => {
  const zone = 'topology.kubernetes.io/zone';
  const gang = wireRow({ requirements: [{ key: zone, operator: 5, values: [] }], aggregateResources: new Map([['cpu', '16']]), minUnit: new Map([['cpu', '8']]), priority: 1_000, group: 'g' });
  let isFull: boolean;
  const audit = { append: () => { if (isFull) throw new Error('ENOSPC'); }, retry: () => undefined } as unknown as AuditLog;

  it('costs nothing, and is had whole once it can be', async () => {
    isFull = true;
    const engine = createEngine(policy());
    for (const cluster of ['east', 'west']) engine.apply({ kind: 'session', cluster, connected: true });
    const t = setUp({ engine, audit });
    t.inventory.observe(seen('bought', 'Speculative'), 0);
    t.inventory.observe(seen('elsewhere', 'Idle', { zone: 'zone-b' }), 0);
    t.inventory.observe(seen('victim', 'Configured', { cluster: 'west' }), 0);
    t.demand.offer('west', rollup([wireRow({ priority: 1, requirements: [{ key: zone, operator: 1, values: ['zone-a'] }] })], { clusterId: 'west' }));
    t.demand.offer('east', rollup([gang, wireRow({ priority: 2, requirements: [{ key: zone, operator: 1, values: ['zone-b'] }] })]));
    const decided = (): unknown[] => ['bought', 'victim', 'elsewhere'].map((id) => t.inventory.get(id)?.intent?.kind);
    const told = (): unknown[] => ['bought', 'victim', 'elsewhere'].map((id) => t.inventory.get(id)?.withheld);
    for (let i = 0; i < 3; i++) {
      await t.cycle();
      expect(decided(), 'the other demand gets what it needs').toEqual([undefined, undefined, 'bind']);
      expect(told()).toEqual(['a machine that would be taken for the same gang waits: the audit log cannot be written', 'the audit log cannot be written', undefined]);
    }
    isFull = false;
    await t.cycle();
    expect(decided()).toEqual(['bind', 'unbind', 'bind']);
    expect(told()).toEqual([undefined, undefined, undefined]);
  });

  it('costs nothing when its purchases alone are a part of the plan, however little more the disk took', async () => {
    const sought = need({ cluster: 'east', requirements: [{ key: zone, operator: 'Same', values: [] }], group: 'g' });
    const shared = { ...toEast, fingerprint: sought.fingerprint, group: '*' };
    const ids = Array.from({ length: DECISIONS_PER_TURN }, (_, i) => `m${i}`);
    const bought = ids.map((machineId) => action({ kind: 'Provision', machineId, need: sought, to: { ...shared, group: 'g' } }));
    const sharing = action({ kind: 'Provision', machineId: 'shared', need: sought, to: shared });
    const taken = action({ kind: 'Preempt', machineId: 'victim', cluster: 'west', reason: { code: 'Preempted', cluster: 'west', forCluster: 'east', fingerprint: sought.fingerprint, priority: 1_000 } });
    let writes = 0;
    const t = setUp({ engine: scripted([...bought, sharing, taken]).engine, audit: { append: () => { if (writes++ === 0) throw new Error('ENOSPC'); }, retry: () => undefined } as unknown as AuditLog });
    for (const id of [...ids, 'shared']) t.inventory.observe(seen(id, 'Speculative'), 0);
    t.inventory.observe(seen('victim', 'Configured', { cluster: 'west' }), 0);
    await t.cycle();
    expect([...t.inventory.withIntent()].map((record) => record.seen.id), 'what holds a gang of its own').toEqual(['shared']);
    expect(t.acted).toContainEqual(['suppressed', { Preempt: 1, Provision: DECISIONS_PER_TURN - 1 }]);
    await t.cycle();
    expect([...t.inventory.withIntent()]).toHaveLength(DECISIONS_PER_TURN + 2);
  });
});

describe('the plan of everything', () => {
  const withFull = (full: Partial<Plan>): Engine => {
    const { engine } = scripted([]);
    return { ...engine, planInFull: (at) => plan([], { at, stats: {}, ...full }) };
  };

  it('is made now and then, and is silent when it is the same', async () => {
    let made = 0;
    const t = setUp({ engine: { ...scripted([]).engine, planInFull: (at) => { made++; return plan([], { at, stats: {} }); } } });
    for (let i = 0; i < 2 * CYCLES_PER_FULL_PLAN; i++) await t.cycle();
    expect(made).toBe(2);
    expect(t.counted.differences).toBe(0);
    expect(t.errors).toEqual([]);
  });

  it('counts when it is another: it is carried out, counted and said', async () => {
    const { engine: first } = scripted([], { machineReasons: reasonsOf(new Map<string, MachineReason>([['n', { code: 'Failed' }]])) });
    const second = withFull({ actions: [action({ kind: 'Delete' })], machineReasons: reasonsOf(new Map<string, MachineReason>([['n', { code: 'Available' }]])) });
    const t = setUp({ engine: { ...first, planInFull: (at) => second.planInFull(at) } });
    t.inventory.observe(seen('m', 'Idle'), 0);
    t.inventory.observe(seen('n', 'Idle'), 0);
    for (let i = 0; i < CYCLES_PER_FULL_PLAN; i++) await t.cycle();
    expect(t.counted.differences).toBe(1);
    expect(t.errors).toMatchObject([{ cycle: CYCLES_PER_FULL_PLAN, difference: expect.stringMatching(/^actions\[0\]: nothing instead of .*Delete/) as string }]);
    expect(t.inventory.get('m')?.intent?.kind).toBe('release');
    expect(t.inventory.get('n')?.why).toEqual({ code: 'Available' });
  });
});

describe('the audit of what the engine keeps', () => {
  /** An engine whose audits find one after the other what is given, and then nothing; what was asked of it, in order. */
  function audited(...found: (readonly string[] | Error | undefined)[]) {
    const asked: string[] = [];
    const engine: Engine = {
      ...scripted([]).engine,
      plan: (at) => (asked.push('plan'), plan([], { at, stats: {} })),
      planInFull: (at) => (asked.push('full'), plan([], { at, stats: {} })),
      audit: function* () {
        asked.push('audit');
        yield;
        const next = found.length > 0 ? found.shift() : [];
        if (next instanceof Error) throw next;
        return next;
      },
      rebuild: function* () {
        yield;
        asked.push('rebuild');
      },
    };
    return { asked, t: setUp({ engine }) };
  }

  async function cycles(t: ReturnType<typeof setUp>, times: number): Promise<void> {
    for (let i = 0; i < times; i++) await t.cycle();
  }

  it('is made before every plan that is compared with the full one, and before no other', async () => {
    const { asked, t } = audited();
    await cycles(t, 2 * CYCLES_PER_FULL_PLAN);
    const plans = Array.from({ length: CYCLES_PER_FULL_PLAN - 1 }, () => 'plan');
    expect(asked).toEqual([...plans, 'audit', 'plan', 'full', ...plans, 'audit', 'plan', 'full']);
    expect([t.counted.differences, t.errors]).toEqual([0, []]);
  });

  it('leads to facts that are worked out anew, before they are planned with; it is counted and said', async () => {
    const { asked, t } = audited(['drains (c1): 1 instead of 2']);
    await cycles(t, CYCLES_PER_FULL_PLAN + 1);
    expect(asked.slice(CYCLES_PER_FULL_PLAN - 1)).toEqual(['audit', 'rebuild', 'plan', 'full', 'plan']);
    expect(t.counted.differences).toBe(1);
    expect(t.errors).toEqual([{ cycle: CYCLES_PER_FULL_PLAN, differences: ['drains (c1): 1 instead of 2'] }]);
  });

  it('is made again in the next cycle if it was disturbed', async () => {
    const { asked, t } = audited(undefined);
    await cycles(t, CYCLES_PER_FULL_PLAN + 2);
    expect(asked.slice(CYCLES_PER_FULL_PLAN - 1)).toEqual(['audit', 'plan', 'full', 'audit', 'plan', 'plan']);
    expect([t.counted.differences, t.errors]).toEqual([0, []]);
  });

  it('need not come to its end to find something wrong', async () => {
    const { asked, t } = audited(new TypeError('no such group'));
    await cycles(t, CYCLES_PER_FULL_PLAN);
    expect(asked.slice(CYCLES_PER_FULL_PLAN - 1)).toEqual(['audit', 'rebuild', 'plan', 'full']);
    expect(t.errors).toMatchObject([{ differences: ['the audit broke off: TypeError: no such group'] }]);
  });

  it('finds what a full plan repeats', async () => {
    const engine = createEngine(policy({ reclaimCapFraction: 0.5 }));
    engine.apply({ kind: 'session', cluster: 'east', connected: true });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Configured'), 0);
    await t.cycle();
    const { inventory } = engine.capture().machines as FrozenFacts;
    inventory.clusters.named('east').configured += 7;
    await cycles(t, CYCLES_PER_FULL_PLAN);
    expect(t.counted.differences).toBe(1);
    expect(t.errors).toEqual([{ cycle: CYCLES_PER_FULL_PLAN, differences: ['configured machines (east): 8 instead of 1'] }]);
    await cycles(t, CYCLES_PER_FULL_PLAN);
    expect(t.counted.differences).toBe(1); // put right
  });
});

describe('why machines are where they are, by the plan of everything', () => {
  const said = (reasons: Record<string, MachineReason>, changed = Object.keys(reasons)): Plan['machineReasons'] => {
    const all = reasonsOf(new Map(Object.entries(reasons)));
    return { get: (id) => all.get(id), changed, [Symbol.iterator]: () => all[Symbol.iterator]() };
  };
  const idle: MachineReason = { code: 'Available' };
  const failed: MachineReason = { code: 'Failed' };

  /** Until the plan of everything `m` and `n` are idle; then the two plans say what they are given. */
  async function after(first: Plan['machineReasons'], full: Plan['machineReasons'], onFull = (): void => undefined) {
    let cycle = 0;
    const engine: Engine = {
      ...scripted([]).engine,
      plan: (at) => plan([], { at, stats: {}, machineReasons: ++cycle < CYCLES_PER_FULL_PLAN ? said({ m: idle, n: idle }) : first }),
      planInFull: (at) => (onFull(), plan([], { at, stats: {}, machineReasons: full })),
    };
    const t = setUp({ engine });
    for (const id of ['m', 'n']) t.inventory.observe(seen(id, 'Idle'), 0);
    while (cycle < CYCLES_PER_FULL_PLAN) await t.cycle();
    return { differences: t.counted.differences, errors: t.errors, m: t.inventory.get('m')?.why?.code, n: t.inventory.get('n')?.why?.code };
  }

  it('is told of what only the first plan has changed', async () => {
    expect(await after(said({ m: failed }), said({ m: failed }, []))).toEqual({ differences: 0, errors: [], m: 'Failed', n: 'Available' });
  });

  it('is compared where the first plan has changed it', async () => {
    const errors = [{ cycle: CYCLES_PER_FULL_PLAN, difference: 'reason of m: {"code":"Failed"} instead of {"code":"Available"}' }];
    expect(await after(said({ m: failed }), said({ m: idle, n: idle }, []))).toEqual({ differences: 1, errors, m: 'Available', n: 'Available' });
  });

  it('is compared where the full plan has changed it, with what was told before', async () => {
    expect(await after(said({}), said({ m: idle, n: failed }))).toMatchObject({ differences: 1, errors: [{ difference: 'reason of n: {"code":"Available"} instead of {"code":"Failed"}' }], n: 'Failed' });
    expect(await after(said({}), said({ m: idle, n: idle }))).toMatchObject({ differences: 0, n: 'Available' });
  });

  it('is compared although the reasons of a plan move on with the next one', async () => {
    const now = new Map<string, MachineReason>([['m', failed]]);
    const live: Plan['machineReasons'] = { get: (id) => now.get(id), changed: ['m'], [Symbol.iterator]: () => now.entries() };
    expect(await after(live, { ...live, changed: [] }, () => now.set('m', idle))).toMatchObject({ differences: 1, m: 'Available' });
  });
});

describe('what an action wants of its machine', () => {
  it.each(['Bootstrap', 'Provision'] as const)('%s: a binding, with what the bootstrap request needs', (kind) => {
    const reason = { code: 'AcquiredIdle', cluster: 'east', fingerprint: 'fp', group: '', unitClass: 'cpu=6', priority: 1, effectiveMicroUsdPerHour: 5 } as const;
    expect(intentOf(action({ kind, to: toEast, need: wanted, reason }), 7)).toEqual({
      kind: 'bind', to: toEast, requirements: [], reason: expect.stringContaining('idle machines') as string, decidedAt: 7, configureSent: false,
    });
    expect(() => intentOf(action({ kind }), 7)).toThrow(`${kind} of machine m names no cluster`);
  });

  it.each(['Reclaim', 'Preempt'] as const)('%s: to be drained with its grace', (kind) => {
    expect(intentOf(action({ kind, graceSeconds: 30, preemptorPriority: 9 }), 7)).toMatchObject({ kind: 'unbind', graceSeconds: 30, preemptorPriority: 9, decidedAt: 7 });
  });

  it('Delete: to be released; Withdraw: nothing any more', () => {
    expect(intentOf(action({ kind: 'Delete' }), 7)).toMatchObject({ kind: 'release', decidedAt: 7 });
    expect(intentOf(action({ kind: 'Withdraw', to: toEast }), 7)).toBeUndefined();
  });
});

it('a binding is withdrawn when its demand goes before Configure was sent, and not after (D34)', async () => {
  for (const configureSent of [false, true]) {
    const engine = createEngine(policy());
    engine.apply({ kind: 'session', cluster: 'east', connected: true });
    engine.apply({ kind: 'supply', trusted: true });
    const t = setUp({ engine });
    t.inventory.observe(seen('m', 'Idle', { allocatable: amounts({ cpu: 8 }) }), 0);
    t.demand.offer('east', rollup([wireRow()]));
    await t.cycle();
    const intent = t.inventory.get('m')?.intent;
    if (intent?.kind !== 'bind') return expect.unreachable();
    t.inventory.setIntent('m', { ...intent, configureSent });
    t.demand.offer('east', rollup([]));
    await t.cycle();
    expect(t.inventory.get('m')?.intent?.kind).toBe(configureSent ? 'bind' : undefined);
  }
});
