import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { sameRequirement } from '../api/profile.ts';
import { planOnce } from './engine.ts';
import { attribute, ZONE_KEY } from './match.ts';
import { worlds } from './testing/arbitraries.ts';
import { need, T0 } from './testing/builders.ts';
import { committed, freesSupply, hasSharedDemands, undecided } from './testing/commit.ts';
import { Coverage } from './testing/coverage.ts';
import { served } from './testing/served.ts';
import { idsOf } from './testing/summary.ts';
import type { Action, EngineMachine, MachineReason, Need, Plan, Snapshot } from './types.ts';

const RUNS = { seed: Number(process.env['SEED'] ?? 20_260_103), numRuns: Number(process.env['RUNS'] ?? 600) };
const coverage = new Coverage();

interface Taking {
  readonly action: Action;
  readonly machine: EngineMachine;
  readonly reason: MachineReason & { readonly code: 'Preempted' };
}

function takings(world: Snapshot, plan: Plan): Taking[] {
  return plan.actions.flatMap((action) => {
    const { reason } = action;
    const machine = world.machines.find((m) => m.id === action.machineId);
    return action.kind === 'Preempt' && reason.code === 'Preempted' && machine ? [{ action, machine, reason }] : [];
  });
}

/** The world without all that one cluster asks for at one priority. */
function withoutDemand(world: Snapshot, cluster: string, priority: number): Snapshot {
  const others = (world.needs.get(cluster) ?? []).filter((n) => n.profile.priority !== priority);
  return { ...world, needs: new Map(world.needs).set(cluster, others) };
}

describe('a preemption', () => {
  it('takes from the lower only, from nobody who is silent, and never what must stay', () => {
    let checked = 0;
    fc.assert(
      fc.property(worlds(), (world) => {
        const plan = coverage.meet(world, planOnce(world, T0));
        for (const { action, machine, reason } of takings(world, plan)) {
          checked++;
          const { cluster } = action;
          expect(world.supplyTrusted).toBe(true);
          expect(machine).toMatchObject({ state: 'Configured', hold: false, stuck: false, cluster });
          expect(machine?.drainRefused).toBeUndefined();
          expect(machine).not.toHaveProperty('intent');
          expect(cluster).not.toBe(reason.forCluster);
          for (const name of [cluster, reason.forCluster]) expect(world.needs.has(name) && world.sessions.has(name)).toBe(true);
          expect(world.hints.get(cluster)?.some((h) => h.machineId === machine.id && h.doNotDisrupt) ?? false).toBe(false);
          expect(reason.victimPriority ?? -Infinity).toBeLessThan(reason.priority);
          const gap = reason.priority - (reason.victimPriority ?? machine.assigned?.priority ?? -Infinity);
          expect(action.graceSeconds).toBe(gap > 900_000 ? 10 : gap > 500_000 ? 30 : gap > 100_000 ? 120 : 600);
          expect(plan.memory).toContainEqual(expect.objectContaining({ what: 'reservation', key: machine.id, to: expect.objectContaining({ cluster: reason.forCluster }) as unknown }));
        }
      }),
      RUNS,
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 10);
  });

  it('takes nothing from who would be served by it at the same rank or above, were the preemptor not there (X3)', () => {
    let checked = 0;
    fc.assert(
      // Where gangs choose, everything may be elsewhere without the preemptor.
      fc.property(worlds({ same: false }), (world) => {
        const taken = takings(world, planOnce(world, T0));
        fc.pre(new Set(taken.map(({ reason }) => reason.forCluster + reason.priority)).size === 1);
        for (const { machine, reason } of taken) {
          const holder = planOnce(withoutDemand(world, reason.forCluster, reason.priority), T0).machineReasons.get(machine.id);
          if (holder?.code !== 'Serving') continue;
          checked++;
          expect(holder.priority).toBeLessThan(reason.priority);
        }
      }),
      RUNS,
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 20);
  });

  it('prefers what nobody needs: no machine in use is taken while one of its class is left over (X24)', () => {
    let checked = 0;
    fc.assert(
      fc.property(worlds({ topology: false }), (world) => {
        const plan = planOnce(world, T0);
        const taken = takings(world, plan);
        fc.pre(taken.length > 0);
        for (const { machine, reason } of taken) {
          const holder = planOnce(withoutDemand(world, reason.forCluster, reason.priority), T0).machineReasons.get(machine.id);
          if (holder?.code !== 'Serving') continue;
          checked++;
          const better = world.machines.filter((m) => m.cluster !== reason.forCluster && isTwin(m, machine) && (m.assigned?.priority ?? -Infinity) < reason.priority && isLeftOver(m, world, plan));
          expect(better.map((m) => m.id)).toEqual([]);
        }
      }),
      RUNS,
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 20);
  });

  it('happens once: written down, it leads to no further one (X2)', () => {
    let checked = 0;
    fc.assert(
      // Gangs are left out: they may choose anew.
      fc.property(worlds({ same: false, rails: false, reservations: false }), (drawn) => {
        const world = { ...drawn, machines: drawn.machines.map(undecided) };
        const first = planOnce(world, T0);
        fc.pre(first.actions.some(({ kind }) => kind === 'Preempt') && !freesSupply(first) && !hasSharedDemands(world));
        checked++;
        const after = committed(world, first);
        expect(idsOf(planOnce(after, T0), 'Preempt')).toEqual([]);
        const draining = { ...after, machines: after.machines.map((m): EngineMachine => (m.intent?.kind === 'unbind' ? { ...m, state: 'Draining' } : m)) };
        expect(idsOf(planOnce(draining, T0), 'Preempt')).toEqual([]);
      }),
      { ...RUNS, numRuns: Math.ceil(RUNS.numRuns / 4) },
    );
    expect(checked).toBeGreaterThan(0);
  });

  it('for a gang is whole or does not happen, and in one domain', () => {
    let checked = 0;
    fc.assert(
      fc.property(worlds({ rails: false }), (world) => {
        for (const { row, picks, victims, covered, machine } of served(world)) {
          if (row.sameKey !== ZONE_KEY || picks.length + victims.length === 0) continue;
          if (victims.length > 0) checked++;
          expect(covered).toBe(true);
          expect(new Set([...picks, ...victims].map((slot) => attribute(ZONE_KEY, machine(slot)))).size).toBe(1);
        }
      }),
      { ...RUNS, numRuns: RUNS.numRuns * 2 },
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 50);
  });

  it('is not for a lower Need to prevent: a plain one more of them leaves the highest as they were', () => {
    let checked = 0;
    fc.assert(
      fc.property(worlds({ reservations: false }), fc.constantFrom('c1', 'c2', 'c3'), fc.integer({ min: 1, max: 9 }), (drawn, cluster, units) => {
        const world = { ...drawn, needs: new Map(drawn.needs).set(cluster, drawn.needs.get(cluster) ?? []) };
        const lower: Need = need({ cluster, priority: 2, units });
        const added = { ...world, needs: new Map(world.needs).set(cluster, [...(world.needs.get(cluster) ?? []), lower]) };
        const highest = Math.max(...[...world.needs.values()].flat().map((n) => n.profile.priority));
        // From whom they take may change, and so what becomes of those between: what nobody needs goes first.
        const lacks = (plan: Plan): unknown[] => plan.verdicts.filter((v) => v.need.profile.priority === highest).map(({ deficit }) => deficit);
        const before = planOnce(world, T0);
        if (takings(world, before).length > 0) checked++;
        expect(lacks(planOnce(added, T0))).toEqual(lacks(before));
      }),
      RUNS,
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 20);
  });

  it('leaves nobody above worse off when a lower plain Need is added', () => {
    let checked = 0;
    fc.assert(
      // Of what nobody needs and of what the lower one has, the preemptor takes in another order than before. That matters only
      // to another preemptor that can use less of it, and where a domain or a skew decides what comes next.
      fc.property(worlds({ topology: false }), fc.constantFrom('c1', 'c2', 'c3'), fc.integer({ min: 1, max: 9 }), (drawn, cluster, units) => {
        const world = { ...drawn, needs: new Map(drawn.needs).set(cluster, drawn.needs.get(cluster) ?? []) };
        const added = { ...world, needs: new Map(world.needs).set(cluster, [...(world.needs.get(cluster) ?? []), need({ cluster, priority: 0, units })]) };
        const before = planOnce(world, T0);
        fc.pre(before.verdicts.filter((v) => v.preemption).length === 1);
        checked++;
        const { verdicts } = planOnce(added, T0);
        const worse = before.verdicts.filter((v) => {
          const now = verdicts.find(({ need: n }) => JSON.stringify(n) === JSON.stringify(v.need));
          return now === undefined || now.deficit.some(([, lack], i) => lack > (v.deficit[i]?.[1] ?? 0));
        });
        expect(worse).toEqual([]);
      }),
      RUNS,
    );
    expect(checked).toBeGreaterThan(RUNS.numRuns / 20);
  });

  it('and everything else that takes away stops while supply is not trusted', () => {
    fc.assert(
      fc.property(worlds(), (world) => {
        const { actions } = planOnce({ ...world, supplyTrusted: false }, T0);
        expect(actions.filter(({ kind }) => kind !== 'Bootstrap' && kind !== 'Provision')).toEqual([]);
      }),
      RUNS,
    );
  });

  it('reserves each machine for one demand that is there, and forgets reservations that lead nowhere', () => {
    let dropped = 0;
    fc.assert(
      fc.property(worlds(), (world) => {
        const plan = planOnce(world, T0);
        const reserved = new Map(world.memory.flatMap((m) => (m.what === 'reservation' && m.to !== null ? [[m.key, m.to] as const] : [])));
        for (const change of plan.memory) {
          if (change.what !== 'reservation') continue;
          if (change.to === null) dropped++;
          else expect(isAsked(change.to, world)).toBe(true);
        }
        const kept = [...reserved].filter(([key]) => !plan.memory.some((m) => m.what === 'reservation' && m.key === key && m.to === null));
        for (const [id, to] of kept) {
          const machine = world.machines.find((m) => m.id === id);
          expect(isAsked(to, world)).toBe(true);
          expect(machine).toMatchObject({ hold: false, stuck: false });
          const arrived = machine?.state === 'Idle';
          expect(plan.machineReasons.get(id)?.code).toBe(arrived ? 'AcquiredIdle' : 'Reserved');
          if (arrived) expect(plan.actions.find((a) => a.machineId === id)).toMatchObject({ kind: 'Bootstrap', cluster: to.cluster });
        }
      }),
      RUNS,
    );
    expect(dropped).toBeGreaterThan(RUNS.numRuns / 10);
  });
});

afterAll(() => {
  console.log(coverage.table());
  expect(coverage.missing()).toEqual([]);
});

function isAsked(to: { readonly cluster: string; readonly fingerprint: string; readonly group: string }, world: Snapshot): boolean {
  const asked = world.needs.get(to.cluster) ?? [];
  return asked.some((n) => (n.fingerprint === to.fingerprint && n.group === to.group) || (to.group === '' && sameRequirement(n.profile) !== undefined));
}

/** Of one class: no Need can tell them apart. */
function isTwin(a: EngineMachine, b: EngineMachine): boolean {
  return a.instanceType === b.instanceType && a.zone === b.zone && JSON.stringify(a.allocatable) === JSON.stringify(b.allocatable);
}

/** Could have been taken, and nobody was credited with it. */
function isLeftOver(machine: EngineMachine, world: Snapshot, plan: Plan): boolean {
  const code = plan.machineReasons.get(machine.id)?.code ?? '';
  return world.sessions.has(machine.cluster) && ['Excess', 'ExcessCapped', 'ExcessWithinPatience'].includes(code);
}
