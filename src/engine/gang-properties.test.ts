/** What gangs keep, and what they leave to others, in random fleets. That they are acquired whole or not at all is in `preemption-properties.test.ts`. */
import { afterAll, describe, expect, it } from 'vitest';
import { sameRequirement, strictSpread } from '../api/profile.ts';
import { attribute, matches } from './match.ts';
import { worlds } from './testing/arbitraries.ts';
import { Coverage } from './testing/coverage.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { isOwn, served } from './testing/served.ts';
import type { Served } from './testing/served.ts';
import type { EngineMachine, Need } from './types.ts';

const file = new Coverage();

function suits(machine: EngineMachine, { profile, minUnit }: Need): boolean {
  const has = new Map(machine.allocatable);
  return matches(profile, machine) && minUnit.every(([name, amount]) => (has.get(name) ?? 0) >= amount);
}

describe('a gang', { timeout: PATIENCE_MS }, () => {
  it('that is not whole, or whole only with what is on its way, loses none of its own', () => {
    let incomplete = 0;
    let moving = 0;
    const fleets = overFleets(worlds(), (world, plan) => {
      for (const verdict of plan.verdicts) {
        const { need: gang, satisfied, foldedAs } = verdict;
        const key = sameRequirement(gang.profile)?.key;
        if (key === undefined || foldedAs !== undefined || (satisfied && verdict.inFlight === 0) || gang.aggregate.every(([, amount]) => amount === 0)) continue;
        const own = world.machines.filter((m) => m.state === 'Configured' && isOwn(m, gang, world) && suits(m, gang));
        if (own.length > 0 && !satisfied) incomplete++;
        if (satisfied && own.some((m) => attribute(key, m) !== verdict.sameDomain)) moving++;
        const lost = plan.actions.filter(({ kind, machineId }) => kind === 'Reclaim' && own.some(({ id }) => id === machineId));
        expect(lost.map(({ machineId }) => machineId)).toEqual([]);
      }
    }, { file });
    console.log(`  of ${String(fleets)} fleets ${String(incomplete)} had incomplete gangs with members, ${String(moving)} some that move`);
    expect(incomplete).toBeGreaterThan(fleets / 50);
    expect(moving).toBeGreaterThan(fleets / 2000);
  });

  it('that is not whole has no machine that another Need of its cluster lacks', () => {
    let checked = 0;
    const fleets = overFleets(worlds(), (world) => {
      const all = served(world);
      for (const gang of all.filter(({ row, covered, slots }) => row.sameKey !== undefined && !covered && slots.length > 0)) {
        const strange = gang.slots.map((slot) => gang.machine(slot)).filter((m) => !isOwn(m, gang.row.need, world));
        const others = all.filter(({ row }) => row.need.cluster === gang.row.need.cluster && isAlone(row.demandKey, all) && row.sameKey === undefined && row.gangs === undefined && strictSpread(row.need.profile) === undefined);
        for (const other of others) {
          if (other.picks.length + other.victims.length === 0 && other.covered) continue;
          checked += strange.length;
          const usable = strange.filter((m) => m.state === 'Configured' && m.cluster === other.row.need.cluster && m.intent === undefined && suits(m, other.row.need) && helps(m, other));
          expect(usable.map(({ id }) => id)).toEqual([]);
        }
      }
    }, { file });
    expect(checked).toBeGreaterThan(fleets / 400);
  });

  afterAll(() => {
    console.log(file.lineOfFile());
  });
});

function isAlone(demandKey: string, all: readonly Served[]): boolean {
  return all.filter(({ row }) => row.demandKey === demandKey).length === 1;
}

/** Whatever the Need lacked before it picked anything, the machine has some of it. */
function helps(machine: EngineMachine, { row, covered, slots, victims, picks, machine: at }: Served): boolean {
  const has = new Map(machine.allocatable);
  const taken = covered ? slots.filter((slot) => !picks.includes(slot)) : [...slots, ...victims];
  const lacks = row.need.aggregate.filter(([name, wanted]) => taken.reduce((sum, slot) => sum + (new Map(at(slot).allocatable).get(name) ?? 0), 0) < wanted);
  return lacks.some(([name]) => (has.get(name) ?? 0) > 0);
}
