import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { sameRequirement } from '../api/profile.ts';
import { planOnce } from './engine.ts';
import { ANY_GANG } from './facts/need-row.ts';
import { attribute, ZONE_KEY } from './match.ts';
import { worlds } from './testing/arbitraries.ts';
import { need, T0 } from './testing/builders.ts';
import { committed, exceptionFromRest, undecided } from './testing/commit.ts';
import { choosesDomain, Coverage } from './testing/coverage.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { isIncomplete, served } from './testing/served.ts';
import { idsOf } from './testing/summary.ts';
import type { Action, EngineMachine, MachineReason, Need, NeedVerdict, Plan, Snapshot } from './types.ts';

const file = new Coverage();
const lowerNeed = fc.record({ cluster: fc.constantFrom('c1', 'c2', 'c3'), units: fc.integer({ min: 1, max: 9 }) });

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

describe('a preemption', { timeout: PATIENCE_MS }, () => {
  it('takes from the lower only, from nobody who is silent, and never what must stay', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world, plan) => {
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
    }, { file });
    expect(checked).toBeGreaterThan(fleets / 10);
  });

  it('takes nothing from who would be served by it at the same rank or above, were the preemptor not there (X3)', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world, plan) => {
      fc.pre(!choosesDomain(plan)); // everything may be elsewhere without the preemptor
      const taken = takings(world, plan);
      if (new Set(taken.map(({ reason }) => reason.forCluster + reason.priority)).size !== 1) return;
      for (const { machine, reason } of taken) {
        const holder = planOnce(withoutDemand(world, reason.forCluster, reason.priority), T0).machineReasons.get(machine.id);
        if (holder?.code !== 'Serving') continue;
        checked++;
        expect(holder.priority).toBeLessThan(reason.priority);
      }
    }, { file, without: ['Same'] }); // but for gangs that are planned as plain Needs
    expect(checked).toBeGreaterThan(fleets / 50);
  });

  it('prefers what nobody needs: no machine in use is taken while one of its class is left over (X24)', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world, plan) => {
      // Of a class a domain takes what is in it.
      const isPlain = ({ profile }: Need): boolean => sameRequirement(profile) === undefined && profile.spread.length === 0;
      const plain = new Set(plan.verdicts.filter(({ need: of }) => isPlain(of)).map(({ need: of }) => of.fingerprint));
      const among = new Set(plan.verdicts.filter(({ need: of }) => !isPlain(of)).map(({ need: of }) => of.cluster));
      const taken = takings(world, plan).filter(({ reason }) => plain.has(reason.fingerprint));
      fc.pre(!choosesDomain(plan));
      for (const { machine, reason } of taken) {
        const holder = planOnce(withoutDemand(world, reason.forCluster, reason.priority), T0).machineReasons.get(machine.id);
        if (holder?.code !== 'Serving') continue;
        checked++;
        const better = world.machines.filter((m) => m.cluster !== reason.forCluster && !among.has(m.cluster) && isTwin(m, machine) && isLeftOver(m, world, plan));
        expect(better.map((m) => m.id)).toEqual([]);
      }
    }, { file, without: ['Same'] }); // but for gangs that are planned as plain Needs
    expect(checked).toBeGreaterThan(fleets / 50);
  });

  it('happens once: written down, it leads to no further one (X2)', () => {
    let checked = 0;
    const fleets = overFleets(worlds({ rails: false, reservations: false }).map(undecided), (world, first) => {
      if (!first.actions.some(({ kind }) => kind === 'Preempt')) return;
      checked++;
      const after = committed(world, first);
      // What a person holds is not drained, and serves on.
      const draining = { ...after, machines: after.machines.map((m): EngineMachine => (m.intent?.kind === 'unbind' && !m.hold ? { ...m, state: 'Draining' } : m)) };
      for (const later of [after, draining]) {
        const second = planOnce(later, T0);
        const again = idsOf(second, 'Preempt');
        if (again.length > 0) expect(exceptionFromRest(first, second) === undefined ? again : []).toEqual([]);
      }
    }, { file });
    expect(checked).toBeGreaterThan(fleets / 10);
  });

  it('for a gang is whole or does not happen, and in one domain', () => {
    let acquired = 0;
    let preempted = 0;
    const fleets = overFleets(worlds(), (world) => {
      for (const { row, picks, victims, covered, machine } of served(world)) {
        if (row.sameKey !== ZONE_KEY || picks.length + victims.length === 0) continue;
        acquired++;
        if (victims.length > 0) preempted++;
        expect(covered).toBe(true);
        expect(new Set([...picks, ...victims].map((slot) => attribute(ZONE_KEY, machine(slot)))).size).toBe(1);
      }
    }, { file });
    expect(acquired).toBeGreaterThan(fleets / 50);
    expect(preempted).toBeGreaterThan(fleets / 100);
  });

  it('is not for a lower Need to prevent: a plain one more of them leaves the highest as they were', () => {
    let checked = 0;
    const fleets = overFleets(worlds({ reservations: false }), (drawn, _, { cluster, units }) => {
      const world = { ...drawn, needs: new Map(drawn.needs).set(cluster, drawn.needs.get(cluster) ?? []) };
      const lower: Need = need({ cluster, priority: 2, units });
      const added = { ...world, needs: new Map(world.needs).set(cluster, [...(world.needs.get(cluster) ?? []), lower]) };
      const highest = Math.max(...[...world.needs.values()].flat().map((n) => n.profile.priority));
      // From whom they take may change, and so what becomes of those between: what nobody needs goes first.
      // Of what is not its own an incomplete gang has what is left over.
      const demandOf = ({ need: of }: NeedVerdict): string => `${of.cluster} ${of.fingerprint} ${of.group}`;
      const before = planOnce(world, T0);
      const rowsOf = Map.groupBy(before.verdicts, demandOf);
      const alone = (plan: Plan): NeedVerdict[] => plan.verdicts.filter((v) => v.need.profile.priority === highest && rowsOf.get(demandOf(v))?.length === 1);
      if (takings(world, before).length > 0) checked++;
      const after = planOnce(added, T0);
      // It may even get more: what served nobody and was bound for somebody above is nobody's to take (B39) until a lower one has it.
      const now = alone(after);
      alone(before).forEach((was, i) => {
        if (isIncomplete(was)) return;
        const lack = new Map(now[i]?.deficit);
        for (const [name, amount] of was.deficit) expect(lack.get(name), `${demandOf(was)}: ${name}`).toBeLessThanOrEqual(amount);
      });
      // Rows of one demand in several unit classes share what they have: together they lack no more.
      for (const [demand, rows] of rowsOf) {
        if (rows.length === 1 || rows[0]?.need.profile.priority !== highest || rows.some(isIncomplete)) continue;
        const then = lackOf(rows);
        for (const [name, lack] of lackOf(after.verdicts.filter((v) => demandOf(v) === demand))) expect(lack, `${demand}: ${name}`).toBeLessThanOrEqual(then.get(name) ?? 0);
      }
    }, { file, also: lowerNeed });
    expect(checked).toBeGreaterThan(fleets / 20);
  });

  it('leaves nobody above worse off when a lower plain Need is added', () => {
    let checked = 0;
    // Of what nobody needs and of what the lower one has, the preemptor takes in another order than before. That matters only
    // to another preemptor that can use less of it, and where a gang chooses between domains.
    const fleets = overFleets(worlds(), (drawn, plan, { cluster, units }) => {
      fc.pre(!choosesDomain(plan));
      const world = { ...drawn, needs: new Map(drawn.needs).set(cluster, drawn.needs.get(cluster) ?? []) };
      const added = { ...world, needs: new Map(world.needs).set(cluster, [...(world.needs.get(cluster) ?? []), need({ cluster, priority: 0, units })]) };
      const before = planOnce(world, T0);
      if (before.verdicts.filter((v) => v.preemption).length !== 1) return;
      checked++;
      const { verdicts } = planOnce(added, T0);
      const worse = before.verdicts.filter((v) => {
        const now = verdicts.find(({ need: n }) => JSON.stringify(n) === JSON.stringify(v.need));
        return now === undefined || now.deficit.some(([, lack], i) => lack > (v.deficit[i]?.[1] ?? 0));
      });
      expect(worse).toEqual([]);
    }, { file, also: lowerNeed, without: ['Same'] }); // but for gangs that are planned as plain Needs
    expect(checked).toBeGreaterThan(fleets / 10);
  });

  it('and everything else that takes away stops while supply is not trusted', () => {
    overFleets(worlds(), (world) => {
      const { actions } = planOnce({ ...world, supplyTrusted: false }, T0);
      expect(actions.filter(({ kind }) => kind !== 'Bootstrap' && kind !== 'Provision')).toEqual([]);
    }, { file });
  });

  it('reserves each machine for one demand that is there, and forgets reservations that lead nowhere', () => {
    let dropped = 0;
    let takenOver = 0;
    const fleets = overFleets(worlds({ busy: true }), (world, plan) => {
      const reserved = new Map(world.memory.flatMap((m) => (m.what === 'reservation' && m.to !== null ? [[m.key, m.to] as const] : [])));
      for (const change of plan.memory) {
        if (change.what !== 'reservation') continue;
        if (change.to === null) dropped++;
        else expect(isAsked(change.to, world)).toBe(true);
        const before = reserved.get(change.key);
        if (before === undefined || change.to === null || !isAsked(before, world) || before.group === ANY_GANG) continue; // whether gangs are planned as one may change
        if (change.to.cluster === before.cluster && change.to.fingerprint === before.fingerprint && change.to.group === before.group) continue; // rows of one demand
        if (plan.actions.some((a) => a.kind === 'Preempt' && a.machineId === change.key)) continue; // it was not carried out
        // Only who ranks above takes what was promised to somebody.
        takenOver++;
        expect(change.to.priority).toBeGreaterThan(before.priority);
      }
      const kept = [...reserved].filter(([key]) => !plan.memory.some((m) => m.what === 'reservation' && m.key === key));
      for (const [id, to] of kept) {
        if (plan.actions.some((a) => a.kind === 'Preempt' && a.machineId === id)) continue; // it was not carried out, and is decided anew
        const machine = world.machines.find((m) => m.id === id);
        expect(isAsked(to, world)).toBe(true);
        expect(machine).toMatchObject({ hold: false, stuck: false });
        const arrived = machine?.state === 'Idle';
        expect(plan.machineReasons.get(id)?.code).toBe(arrived ? 'AcquiredIdle' : 'Reserved');
        if (arrived) expect(plan.actions.find((a) => a.machineId === id)).toMatchObject({ kind: 'Bootstrap', cluster: to.cluster });
      }
    }, { file });
    expect(dropped).toBeGreaterThan(fleets / 10);
    expect(takenOver).toBeGreaterThan(fleets / 200);
  });
});

afterAll(() => {
  console.log(file.lineOfFile());
  expect(file.missingOfFile()).toEqual([]);
});

function isAsked(to: { readonly cluster: string; readonly fingerprint: string; readonly group: string }, world: Snapshot): boolean {
  const asked = world.needs.get(to.cluster) ?? [];
  return asked.some((n) => n.fingerprint === to.fingerprint && (n.group === to.group || (to.group === ANY_GANG && sameRequirement(n.profile) !== undefined)));
}

/** Of one class: no Need can tell them apart. */
function isTwin(a: EngineMachine, b: EngineMachine): boolean {
  const whatNeedsTell = ({ instanceType, zone, capacityType, labels, allocatable }: EngineMachine): string => JSON.stringify([instanceType, zone, capacityType, labels, allocatable]);
  return whatNeedsTell(a) === whatNeedsTell(b);
}

/** Could have been taken, and nobody was credited with it. */
function isLeftOver(machine: EngineMachine, world: Snapshot, plan: Plan): boolean {
  const code = plan.machineReasons.get(machine.id)?.code ?? '';
  return world.sessions.has(machine.cluster) && ['Excess', 'ExcessCapped', 'ExcessWithinPatience'].includes(code);
}

function lackOf(rows: readonly NeedVerdict[]): Map<string, number> {
  const sums = new Map<string, number>();
  for (const [name, lack] of rows.flatMap(({ deficit }) => deficit)) sums.set(name, (sums.get(name) ?? 0) + lack);
  return sums;
}
