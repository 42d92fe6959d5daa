import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { amounts, bindTo, DOLLAR, hint, machine, need, policy, T0, world, zoneSpread } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import type { EngineMachine, MachineState, Plan } from '../types.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
const inZone = (zone: string, n: number, state: MachineState = 'Idle', over: Partial<EngineMachine> = {}): EngineMachine[] =>
  Array.from({ length: n }, (_, i) => machine(`${zone}-${state}-${i}`, state, { zone, ...over }));
const zonesOf = (result: Plan): string =>
  ['za', 'zb', 'zc'].map((z) => result.actions.filter((a) => a.kind !== 'Reclaim' && a.machineId.startsWith(z)).length).join('/');
const spread = (units: number, maxSkew = 1) => need({ units, spread: [zoneSpread(maxSkew)] });

describe('a strict spread', () => {
  it.each<[string, WorldSpec, string]>([
    ['is even', { machines: [...inZone('za', 4), ...inZone('zb', 4), ...inZone('zc', 4)], needs: [spread(6)] }, '2/2/2'],
    ['is held back by an exhausted domain', { machines: [...inZone('za', 1), ...inZone('zb', 5), ...inZone('zc', 5)], needs: [spread(6)] }, '1/2/2'],
    ['does not follow the price', { machines: [...inZone('za', 3, 'Idle', { priceMicroUsdPerHour: DOLLAR }), ...inZone('zb', 3, 'Idle', { priceMicroUsdPerHour: 5 * DOLLAR })], needs: [spread(4)] }, '2/2/0'],
    ['may lean as far as the skew allows', { machines: [...inZone('za', 5), ...inZone('zb', 5)], needs: [spread(8, 2)] }, '5/3/0'],
    ['counts what is bound already (X10)', { machines: [...inZone('za', 2, 'Configured'), ...inZone('za', 3), ...inZone('zb', 3)], needs: [spread(4)] }, '0/2/0'],
    ['counts domains that have only speculative machines', { machines: [...inZone('za', 5), ...inZone('zb', 1, 'Speculative')], needs: [spread(4)] }, '2/1/0'],
    ['is held back by a domain in which all is somebody else\'s (X10)', { machines: [...inZone('za', 4), ...inZone('zb', 1, 'Configured', { cluster: 'c2' })], needs: [spread(4), need({ cluster: 'c2' })] }, '1/0/0'],
    ['is held back by a domain in which all is held by a person or failed (X10)', { machines: [...inZone('za', 4), ...inZone('zb', 1, 'Idle', { hold: true }), ...inZone('zc', 1, 'Failed')], needs: [spread(4)] }, '1/0/0'],
    ['is not held back by a domain in which nothing fits', { machines: [...inZone('za', 4), ...inZone('zb', 1, 'Idle', { allocatable: amounts({ cpu: 0 }) })], needs: [spread(4)] }, '4/0/0'],
    ['takes idle before speculative machines where it has the choice', { machines: [...inZone('za', 1, 'Speculative'), ...inZone('zb', 1)], needs: [spread(1)] }, '0/1/0'],
    ['takes the cheapest domain where it has the choice', { machines: [...inZone('za', 1, 'Idle', { priceMicroUsdPerHour: 2 }), ...inZone('zb', 1)], needs: [spread(1)] }, '0/1/0'],
    ['takes the domain where interruptions make it dear last (B55)', { machines: [...inZone('za', 1, 'Speculative', { priceMicroUsdPerHour: DOLLAR, interruptionProbability: 0.5 }), ...inZone('zb', 1, 'Speculative', { priceMicroUsdPerHour: 2 * DOLLAR })], needs: [need({ units: 1, spread: [zoneSpread(1)], interruptionBucket: 27 })] }, '0/1/0'],
    ['ignores machines without the label', { machines: [...inZone('', 3), ...inZone('za', 1)], needs: [spread(3)] }, '1/0/0'],
    ['stops at the limit', { machines: [...inZone('za', 2, 'Speculative'), ...inZone('zb', 2, 'Speculative')], needs: [spread(4)], policy: policy({ limits: { machines: 3 } }) }, '2/1/0'],
    ['that is only preferred changes nothing', { machines: [...inZone('za', 6), ...inZone('zb', 2, 'Idle', { priceMicroUsdPerHour: 5 })], needs: [need({ units: 4, spread: [zoneSpread(1, 'ScheduleAnyway')] })] }, '4/0/0'],
  ])('%s', (_, spec, expected) => {
    expect(zonesOf(plan(spec))).toBe(expected);
  });

  it('gives up machines where there are most', () => {
    const cheap = { priceMicroUsdPerHour: 0 };
    const machines = [...inZone('za', 3, 'Configured', cheap), ...inZone('zb', 1, 'Configured', { priceMicroUsdPerHour: DOLLAR }), ...inZone('', 1, 'Configured', cheap)];
    const result = plan({ machines, needs: [spread(3)] });
    expect(result.actions.map((a) => `${a.kind} ${a.machineId}`)).toEqual(['Reclaim -Configured-0', 'Reclaim za-Configured-2']);
  });

  it.each<[string, WorldSpec, string[]]>([
    ['the busy as far as the skew allows (D13)', { needs: [spread(3, 5)] }, ['Reclaim zb-Configured-0', 'Reclaim zb-Configured-1']],
    ['as many in each domain where the skew allows no more', { needs: [spread(4)] }, ['Reclaim za-Configured-2']],
    ['as many more in one as the skew allows', { needs: [spread(4, 2)] }, ['Reclaim zb-Configured-1']],
    ['as many more in one, whatever others have or is on offer in another domain', {
      needs: [spread(4, 2), need({ cluster: 'c2' })], machines: [...inZone('zc', 1, 'Configured', { cluster: 'c2' }), ...inZone('zd', 1, 'Speculative')],
    }, ['Reclaim zb-Configured-1']],
  ])('keeps of what is bound %s', (_, { machines = [], needs = [] }, expected) => {
    const own = [...inZone('za', 3, 'Configured'), ...inZone('zb', 2, 'Configured')];
    const hints = { c1: own.map(({ id, zone }) => hint(id, zone === 'za' ? { pods: 5, disruptionCost: 5 } : { pods: 0, disruptionCost: 0 })) };
    const result = plan({ machines: [...own, ...machines], needs, hints, policy: policy({ holds: { onDemandMs: 0, spotMs: 0, occupiedExcessMs: 0 } }) });
    expect(result.actions.map((a) => `${a.kind} ${a.machineId}`)).toEqual(expected);
  });

  it('keeps, of domains that have as many, the machine that ranks first in its cluster, not the one in the smallest domain', () => {
    const machines = [machine('a', 'Configured', { zone: 'za', priceMicroUsdPerHour: DOLLAR }), machine('b', 'Configured', { zone: 'zb' })];
    expect(plan({ machines, needs: [spread(1)] }).actions.map((a) => `${a.kind} ${a.machineId}`)).toEqual(['Reclaim a']);
  });

  it('never gives up what serves for what is on its way', () => {
    const machines = [...inZone('za', 3, 'Configured'), ...inZone('zb', 1, 'Idle', { intent: bindTo(spread(3)) }), ...inZone('zc', 1, 'Configuring')];
    const result = plan({ machines, needs: [spread(3)] });
    expect(result.actions.map((a) => `${a.kind} ${a.machineId}`)).toEqual(['Withdraw zb-Idle-0']);
  });

  it('credits what is bound even where the skew is wide', () => {
    const result = plan({ machines: [...inZone('za', 4, 'Configured'), ...inZone('zb', 4)], needs: [spread(4)] });
    expect(result.actions).toEqual([]);
  });

  it('says that the spread is in the way, not that supply is', () => {
    const stuck = plan({ machines: [...inZone('za', 1), ...inZone('zb', 5)], needs: [spread(5)] });
    expect(stuck.verdicts[0]).toMatchObject({ reason: 'SPREAD_UNSATISFIABLE', deficit: [['cpu', 2000]] });
    const empty = plan({ machines: [...inZone('za', 1), ...inZone('zb', 1)], needs: [spread(5)] });
    expect(empty.verdicts[0]?.reason).toBe('SUPPLY_EXHAUSTED');
  });
});
