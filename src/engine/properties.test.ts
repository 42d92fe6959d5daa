import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { sameRequirement, strictSpread } from '../api/profile.ts';
import { changesOf, createEngine, planOnce } from './engine.ts';
import { explainMachine, explainNeed } from './explain.ts';
import { ANY_GANG } from './facts/need-row.ts';
import { matches } from './match.ts';
import { deepFreeze, worlds } from './testing/arbitraries.ts';
import { need, T0 } from './testing/builders.ts';
import { committed, exceptionFromRest, freesSupply, mayChangePlaces, undecided } from './testing/commit.ts';
import { choosesDomain, Coverage } from './testing/coverage.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { isPaid } from './testing/paid.ts';
import { isIncomplete, isOwn, served } from './testing/served.ts';
import { actionsOf, idsOf, textOf } from './testing/summary.ts';
import type { Need, NeedVerdict, Plan, Snapshot } from './types.ts';

/** What the random worlds have led to; a property that never met its subject promises nothing. */
const file = new Coverage();
const seen = new Map<string, number>();
function note(plan: Plan): Plan {
  const facts = [
    ...plan.actions.map((a) => a.kind), ...plan.verdicts.map((v) => v.reason ?? 'satisfied'), ...[...plan.machineReasons].map(([, r]) => r.code),
    ...plan.verdicts.filter((v) => v.sameDomain !== undefined && v.satisfied).map(() => 'wholeGang'),
    ...plan.verdicts.filter((v) => v.need.profile.spread.length > 0 && v.bootstraps + v.provisions > 1).map(() => 'spreadOut'),
  ];
  for (const fact of new Set(facts)) seen.set(fact, (seen.get(fact) ?? 0) + 1);
  return plan;
}

describe('a plan', { timeout: PATIENCE_MS }, () => {
  it('does not depend on the order in which facts arrive', () => {
    overFleets(worlds(), (world, plan, order) => {
      const rank = (): number => order.next().value as number;
      const shuffled = <T>(items: readonly T[]): T[] => items.map((item) => [rank(), item] as const).sort(([a], [b]) => a - b).map(([, item]) => item);
      const engine = createEngine(world.policy);
      for (const change of shuffled(changesOf(world))) {
        if (change.kind === 'machines') for (const m of shuffled(change.upserted)) engine.apply({ kind: 'machines', upserted: [m], removed: [] });
        else if (change.kind === 'needs') engine.apply({ ...change, needs: shuffled(change.needs) });
        else if (change.kind === 'hints') engine.apply({ ...change, hints: change.hints && shuffled(change.hints) });
        else if (change.kind === 'memory') engine.apply({ ...change, changes: shuffled(change.changes) });
        else engine.apply(change);
      }
      expect(textOf(engine.plan(T0))).toBe(textOf(note(plan)));
    }, { file, also: fc.infiniteStream(fc.nat()) });
  });

  it('does not depend on what the world was before', () => {
    overFleets(worlds(), (drawn, _, before) => {
      const world = afterHearing(before, drawn);
      const engine = createEngine(before.policy);
      for (const change of changesOf(before)) engine.apply(change);
      engine.plan(T0);
      replaceWorld(engine, before, world);
      const plan = textOf(planOnce(world, T0));
      expect(textOf(engine.plan(T0))).toBe(plan);
      expect(textOf(planOnce(engine.snapshot(), T0))).toBe(plan);
    }, { file, also: worlds() });
  });

  it('mutates nothing', () => {
    overFleets(worlds().map(deepFreeze), (world) => {
      const engine = createEngine(world.policy);
      for (const change of changesOf(world)) engine.apply(change);
      const before = snapshotText(engine.snapshot());
      const first = textOf(engine.plan(T0));
      expect(snapshotText(engine.snapshot())).toBe(before);
      expect(textOf(engine.plan(T0))).toBe(first);
    }, { file });
  });

  it('decides nothing more once its decisions are written down', () => {
    const exceptions = new Exceptions();
    // What was decided or preempted earlier may turn out superfluous next to what is decided now: see the next property.
    const fleets = overFleets(worlds({ rails: false, reservations: false }).map(undecided), (world, first) => {
      if (first.actions.length > 0) exceptions.acted++;
      const second = planOnce(committed(world, first), T0);
      if (second.actions.length > 0) exceptions.note(first, second);
    }, { file });
    exceptions.close(fleets, { folding: 0.2 });
  });

  it('at most withdraws what its own decisions have made superfluous, as long as nothing else changes', () => {
    const exceptions = new Exceptions();
    const fleets = overFleets(worlds({ rails: false, busy: true }), (world, first) => {
      fc.pre(!freesSupply(world, first));
      if (first.actions.length > 0) exceptions.acted++;
      const second = planOnce(committed(world, first), T0);
      const lost = first.verdicts.filter((v, i) => v.satisfied && second.verdicts[i]?.satisfied !== true && !mayChangePlaces(v, first));
      if (second.actions.some((a) => a.kind !== 'Withdraw') || lost.length > 0) exceptions.note(first, second, lost);
    }, { file });
    exceptions.close(fleets, { folding: 0.2 });
  });

  it('claims each machine at most once', () => {
    overFleets(worlds(), (world) => {
      const claimed = served(world).flatMap(({ slots, victims }) => [...slots, ...victims]);
      expect(new Set(claimed).size).toBe(claimed.length);
    }, { file });
  });

  it('credits a Need with what matches it', () => {
    let folded = 0;
    const fleets = overFleets(worlds(), (world) => {
      for (const { row, slots, victims, machine } of served(world)) {
        const asked = [row.need, ...(row.gangs ?? []).map((gang) => gang.need)];
        if (row.gangs !== undefined && slots.length > 0) folded++;
        const strange = [...slots, ...victims].map(machine).filter((m) => !asked.some(({ profile }) => matches(profile, m)) || (row.gangs !== undefined && !row.gangs.some(({ need: of }) => matches(of.profile, m))));
        expect(strange.map(({ id }) => id)).toEqual([]);
      }
    }, { file });
    expect(folded).toBeGreaterThan(fleets / 40);
  });

  it('names each machine at most once, and only machines that exist', () => {
    overFleets(worlds({ rails: false }), (world, plan) => {
      const ids = note(plan).actions.map((a) => a.machineId);
      expect(new Set(ids).size).toBe(ids.length);
      expect(ids.filter((id) => !world.machines.some((m) => m.id === id))).toEqual([]);
    }, { file });
  });

  it('acquires only for clusters that asked and are connected', () => {
    overFleets(worlds(), (world, plan) => {
      for (const { kind, to } of note(plan).actions) {
        if (kind !== 'Bootstrap' && kind !== 'Provision') continue;
        expect(world.sessions.has(to?.cluster ?? '')).toBe(true);
        const isFor = ({ profile, fingerprint, group }: Need): boolean =>
          fingerprint === to?.fingerprint && (group === to.group || (sameRequirement(profile) !== undefined && to.group === ANY_GANG));
        expect(world.needs.get(to?.cluster ?? '')?.some(isFor)).toBe(true);
      }
    }, { file });
  });

  it('exceeds a demand by no more than the last machine', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world) => {
      for (const { row, slots, victims, machine } of served(world)) {
        if (row.sameKey !== undefined || slots.length + victims.length === 0) continue;
        // Gangs that were planned as one keep what they were bound each for itself until what holds them whole has arrived.
        const isKept = (slot: number): boolean => row.gangs?.some(({ need: of }) => isOwn(machine(slot), of, world)) === true;
        const all = [...slots, ...victims].filter((slot) => !isKept(slot)).map((slot) => new Map(machine(slot).allocatable));
        if (all.length === 0) continue;
        checked++;
        const lacksWithout = (left: (typeof all)[number]): boolean =>
          row.need.aggregate.some(([name, wanted]) => all.reduce((sum, c) => sum + (c === left ? 0 : (c.get(name) ?? 0)), 0) < wanted);
        expect(all.some(lacksWithout)).toBe(true);
      }
    }, { file });
    expect(checked).toBeGreaterThan(fleets / 2);
  });

  it('leaves higher Needs as they were when a lower plain Need is added', () => {
    overFleets(worlds(), (drawn, _, units) => {
      const world = { ...drawn, needs: new Map(drawn.needs).set('c1', drawn.needs.get('c1') ?? []) };
      const lower = need({ cluster: 'c1', priority: 1, units });
      const added = { ...world, needs: new Map(world.needs).set('c1', [...(world.needs.get('c1') ?? []), lower]) };
      const before = planOnce(world, T0);
      // Who preempts is served no worse; but from whom it takes may change, for what nobody needs goes first, and so what
      // becomes of those between: see preemption-properties.
      const after = planOnce(added, T0);
      const highestOf = (plan: Plan): number => plan.verdicts.find((v) => v.preemption)?.need.profile.priority ?? 1;
      const highest = Math.max(highestOf(before), highestOf(after)); // occupied machines that nobody needed may be taken now
      // Why it lacks depends on who has the rest; of what is not its own an incomplete gang has what is left over.
      const told = ({ matchingSupply: _, reason: __, ...v }: NeedVerdict): unknown => (isIncomplete(v) ? { need: v.need } : v);
      const outcome = (plan: Plan): unknown[] => plan.verdicts.filter((v) => v.need.profile.priority > highest).map(told);
      expect(outcome(after)).toEqual(outcome(before));
    }, { file, also: fc.integer({ min: 1, max: 9 }) });
  });

  it('leaves every Need as it is when what it takes back is gone', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world, plan) => {
      fc.pre(!choosesDomain(plan)); // by what else is there
      const gone = new Set([...idsOf(plan, 'Reclaim'), ...idsOf(plan, 'Delete')]);
      if (gone.size === 0) return;
      // Whether gangs share a machine depends on what there is.
      const losers = new Set(world.machines.filter(({ id }) => gone.has(id)).map(({ cluster }) => cluster));
      if (plan.verdicts.some(({ foldedAs, need: of }) => foldedAs !== undefined && (losers.has(of.cluster) || losers.has('')))) return;
      const left = world.machines.filter(({ id }) => !gone.has(id));
      // A place in which there is nothing any more is none of those over which a strict spread spreads.
      const zones = new Set(left.map(({ zone }) => zone));
      if (world.machines.some(({ zone }) => !zones.has(zone)) && plan.verdicts.some(({ need: of, satisfied }) => !satisfied && strictSpread(of.profile))) return;
      checked++;
      const without = planOnce({ ...world, policy: { ...world.policy, limits: {} }, machines: left }, T0);
      const unlimited = planOnce({ ...world, policy: { ...world.policy, limits: {} } }, T0);
      expect(without.verdicts.map((v) => v.deficit)).toEqual(unlimited.verdicts.map((v) => v.deficit));
    }, { file, without: ['Same'] }); // but for gangs that are planned as plain Needs
    expect(checked).toBeGreaterThan(fleets / 8);
  });

  it('takes away only what nothing speaks for', () => {
    overFleets(worlds(), (world, plan) => {
      note(plan);
      const credited = new Set(served(world).flatMap((s) => s.slots.map((slot) => s.machine(slot).id)));
      for (const { kind, machineId, cluster } of plan.actions) {
        const machine = world.machines.find((m) => m.id === machineId);
        if (kind !== 'Reclaim' && kind !== 'Delete') continue;
        expect(credited.has(machineId)).toBe(false);
        expect(world.supplyTrusted).toBe(true);
        expect(machine?.hold).toBe(false);
        expect(machine?.state).toBe(kind === 'Reclaim' ? 'Configured' : 'Idle');
        if (kind === 'Delete') expect(['OnDemand', 'Spot']).toContain(machine?.capacityType);
        if (kind === 'Reclaim') {
          expect(world.sessions.has(cluster) && world.needs.has(cluster)).toBe(true);
          expect(world.hints.get(cluster)?.find((h) => h.machineId === machineId)?.doNotDisrupt ?? false).toBe(false);
        }
      }
    }, { file });
  });

  it('keeps to the rails', () => {
    overFleets(worlds(), (world, plan) => {
      note(plan);
      const { reclaimCapFraction: fraction, maxConcurrentDrainsPerCluster: drains, maxReclaimsPerMinute: rate, limits } = world.policy;
      for (const cluster of ['c1', 'c2', 'c3']) {
        const taken = plan.actions.filter((a) => a.kind === 'Reclaim' && a.cluster === cluster).length;
        if (taken === 0) continue;
        const own = world.machines.filter((m) => m.cluster === cluster);
        if (fraction > 0) expect(taken).toBeLessThanOrEqual(Math.max(1, Math.floor(fraction * own.filter((m) => m.state === 'Configured').length)));
        const preempted = plan.actions.filter((a) => a.kind === 'Preempt' && a.cluster === cluster).length;
        if (drains > 0) expect(taken + preempted + own.filter((m) => m.state === 'Draining' || m.intent?.kind === 'unbind').length).toBeLessThanOrEqual(drains);
        if (rate > 0) expect(plan.memory.find((m) => m.what === 'reclaims' && m.key === cluster)).toMatchObject({ at: expect.any(Array) as unknown });
        if (rate > 0) expect(taken).toBeLessThanOrEqual(rate);
      }
      const provisioned = new Set(idsOf(plan, 'Provision'));
      if (provisioned.size === 0) return;
      const paid = world.machines.filter((m) => provisioned.has(m.id) || isPaid(m));
      expect(paid.length).toBeLessThanOrEqual(limits.machines ?? Infinity);
      expect(paid.reduce((sum, m) => sum + m.priceMicroUsdPerHour, 0)).toBeLessThanOrEqual(limits.microUsdPerHour ?? Infinity);
    }, { file });
  });

  it('wants one thing remembered of each', () => {
    overFleets(worlds(), (_, plan) => {
      const named = plan.memory.map(({ what, key }) => `${what} ${key}`);
      expect(new Set(named).size).toBe(named.length);
    }, { file });
  });

  it('has a reason, and a sentence for it, for every machine that exists and every Need', () => {
    overFleets(worlds(), (world, plan) => {
      note(plan);
      for (const m of world.machines) if (m.state !== 'Speculative') expect(plan.machineReasons.get(m.id)).toBeDefined();
      for (const { machineId, reason } of plan.actions) expect(plan.machineReasons.get(machineId)).toBe(reason);
      for (const [, reason] of plan.machineReasons) expect(explainMachine(reason)).toMatch(/^[A-Z].*\.$/);
      for (const verdict of plan.verdicts) {
        expect(explainNeed(verdict)).toMatch(/^[A-Z].*\.$/);
        expect(verdict.satisfied).toBe(verdict.reason === undefined);
      }
    }, { file });
  });
});

afterAll(() => {
  console.log(file.lineOfFile());
  expect(file.missingOfFile()).toEqual([]);
  const expected = [
    'Bootstrap', 'Provision', 'Reclaim', 'Delete', 'Withdraw', 'satisfied', 'PRIORITY_STARVED', 'SUPPLY_EXHAUSTED', 'NO_MATCHING_SUPPLY', 'NO_SESSION',
    'LIMIT_REACHED', 'TOPOLOGY_UNSATISFIABLE', 'SPREAD_UNSATISFIABLE', 'wholeGang', 'spreadOut', 'Serving', 'InFlight', 'Excess', 'ExcessWithinPatience',
    'ExcessCapped', 'ExcessNoRollupYet', 'ExcessNoSession', 'ExcessDoNotDisrupt', 'ExcessDrainRefused', 'ExcessConfiguring', 'SupplyUntrusted', 'IdleHeld', 'IdleKept', 'HeldByPerson',
    'Stuck', 'Leaving', 'Failed', 'ArrivingForNobody', 'NoLongerNeeded', 'HoldExpired',
    'Preempt', 'Preempted', 'Reserved', 'PREEMPTION_IN_PROGRESS', 'PREEMPTION_EXHAUSTED', 'DISRUPTION_BLOCKED',
  ];
  expect(expected.filter((fact) => (seen.get(fact) ?? 0) < 10)).toEqual([]);
});

/** What a plan decides of what was just decided, where it may: how often that was, and why. */
class Exceptions {
  acted = 0;
  readonly #met = new Map<string, number>();

  /** `lost` is what the first plan called satisfied and the second does not. */
  note(first: Plan, second: Plan, lost: readonly NeedVerdict[] = []): void {
    const exception = exceptionFromRest(first, second);
    if (exception === undefined) expect({ actions: actionsOf(second), lost }).toEqual({ actions: [], lost: [] });
    this.#met.set(exception as string, (this.#met.get(exception as string) ?? 0) + 1);
  }

  /** Of so many fleets, each exception in so many of a thousand at most, or in one. */
  close(fleets: number, mostPerMille: Readonly<Record<string, number>>): void {
    console.log(`  of ${String(fleets)} fleets ${String(this.acted)} were acted on; not at rest after it: ${JSON.stringify(Object.fromEntries(this.#met))}`);
    expect(this.acted).toBeGreaterThan(fleets / 4);
    for (const [name, times] of this.#met) expect(times, name).toBeLessThanOrEqual(Math.ceil((fleets * (mostPerMille[name] ?? 0)) / 1000));
  }
}

function replaceWorld(engine: ReturnType<typeof createEngine>, before: Snapshot, world: Snapshot): void {
  const kept = new Set(world.machines.map((m) => m.id));
  engine.apply({ kind: 'machines', upserted: [], removed: before.machines.map((m) => m.id).filter((id) => !kept.has(id)) });
  engine.apply({ kind: 'policy', policy: world.policy });
  for (const cluster of before.sessions) engine.apply({ kind: 'session', cluster, connected: false });
  for (const [cluster] of before.hints) engine.apply({ kind: 'hints', cluster, hints: null });
  engine.apply({ kind: 'memory', changes: before.memory.map((m) => (m.what === 'reservation' ? { ...m, to: null } : { ...m, at: null })) });
  for (const change of changesOf(world)) engine.apply(change);
}

/** A cluster that has reported cannot be unheard: what is not in this world is empty there. */
function afterHearing(before: Snapshot, world: Snapshot): Snapshot {
  return { ...world, needs: new Map([...[...before.needs.keys()].map((cluster) => [cluster, []] as const), ...world.needs]) };
}

function snapshotText(snapshot: Snapshot): string {
  return JSON.stringify({ ...snapshot, needs: [...snapshot.needs], hints: [...snapshot.hints], sessions: [...snapshot.sessions] });
}
