/** What the limit on purchases (D12) must never do. Worlds in which it is reached: a few machines may still be bought, or none. */
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { planOnce } from './engine.ts';
import { worlds } from './testing/arbitraries.ts';
import { T0 } from './testing/builders.ts';
import { Coverage } from './testing/coverage.ts';
import { overFleets, PATIENCE_MS } from './testing/over-fleets.ts';
import { isPaid } from './testing/paid.ts';
import type { EngineMachine, Need, Plan, Snapshot } from './types.ts';

const file = new Coverage();

/** Everything that is offered is offered three times, so that several Needs choose from the same offers. */
const limited: fc.Arbitrary<Snapshot> = fc.tuple(worlds(), fc.integer({ min: 0, max: 4 })).map(([drawn, room]) => {
  const machines = drawn.machines.flatMap((m) => (m.state === 'Speculative' && m.intent === undefined ? ['', '+', '~', '~~'].map((end) => ({ ...m, id: m.id + end })) : [m]));
  return { ...drawn, machines, policy: { ...drawn.policy, limits: { machines: machines.filter(isPaid).length + room } } };
});

/** The same with a limit on spending. */
const poor: fc.Arbitrary<Snapshot> = fc.tuple(limited, fc.integer({ min: 0, max: 4_000_000 })).map(([world, room]) => ({ ...world, policy: { ...world.policy, limits: { microUsdPerHour: spent(world.machines) + room } } }));

function spent(machines: readonly EngineMachine[]): number {
  return machines.filter(isPaid).reduce((sum, { priceMicroUsdPerHour }) => sum + priceMicroUsdPerHour, 0);
}

function isChoosy(of: Need): boolean {
  return of.profile.spread.length > 0 || isSame(of);
}

function isSame({ profile }: Need): boolean {
  return profile.requirements.some(({ operator }) => operator === 'Same');
}

/** Those of a spread that share machines wait for what the spread allows. */
function isGang(of: Need): boolean {
  return isSame(of) && of.profile.spread.length === 0;
}

describe('a limit that is nearly reached', { timeout: PATIENCE_MS }, () => {
  it('is never exceeded, and used up if only those who take machines wherever they are lack any', () => {
    let stopped = 0;
    const fleets = overFleets(limited, (world, plan) => {
      const room = (world.policy.limits.machines ?? NaN) - world.machines.filter(isPaid).length;
      const bought = plan.actions.filter(({ kind }) => kind === 'Provision').length;
      expect(bought).toBeLessThanOrEqual(room);
      const unmet = plan.verdicts.filter(({ satisfied }) => !satisfied);
      if (!unmet.some(({ reason }) => reason === 'LIMIT_REACHED') || unmet.some(({ need }) => isChoosy(need))) return;
      stopped++;
      expect(bought).toBe(room);
    }, { file, times: 2 });
    expect(stopped).toBeGreaterThan(fleets / 80);
  });

  it('on spending is never exceeded, Failed machines that are paid for included', () => {
    let [stopped, failed] = [0, 0];
    const fleets = overFleets(poor, (world, plan) => {
      const bought = new Set(plan.actions.flatMap(({ kind, machineId }) => (kind === 'Provision' ? [machineId] : [])));
      expect(spent(world.machines) + world.machines.reduce((sum, m) => sum + (bought.has(m.id) ? m.priceMicroUsdPerHour : 0), 0)).toBeLessThanOrEqual(world.policy.limits.microUsdPerHour ?? NaN);
      if (!plan.verdicts.some(({ reason }) => reason === 'LIMIT_REACHED')) return;
      stopped++;
      if (world.machines.some(({ state, hasHost, priceMicroUsdPerHour }) => state === 'Failed' && hasHost === true && priceMicroUsdPerHour > 0)) failed++;
    }, { file, times: 2 });
    expect(stopped).toBeGreaterThan(fleets / 80);
    expect(failed).toBeGreaterThan(fleets / 1_000);
  });

  it('does not stop a gang that could be whole if there were nothing to buy', () => {
    let stopped = 0;
    const fleets = overFleets(limited, (world, plan) => {
      const [highest] = plan.verdicts;
      // Gangs that share machines are told one reason for all of them, though some of those machines may be on their way.
      if (highest?.reason !== 'LIMIT_REACHED' || highest.preemption !== undefined || !isGang(highest.need)) return;
      stopped++;
      const without = planOnce({ ...world, machines: world.machines.filter(({ state, intent }) => state !== 'Speculative' || intent !== undefined) }, T0);
      // Of several that are alike it does not matter which.
      const stuck = ({ verdicts }: Plan): number =>
        verdicts.filter(({ need: of, satisfied, reason }) => of.cluster === highest.need.cluster && of.fingerprint === highest.need.fingerprint && !satisfied && reason !== 'PREEMPTION_IN_PROGRESS').length;
      expect(stuck(without)).toBeGreaterThanOrEqual(stuck(plan));
    }, { file, times: 2 });
    expect(stopped).toBeGreaterThan(fleets / 400);
  });

  afterAll(() => {
    console.log(file.lineOfFile());
  });
});
