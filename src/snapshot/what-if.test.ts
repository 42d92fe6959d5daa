import { describe, expect, it } from 'vitest';
import { parseSnapshot } from './parse.ts';
import { whatIf } from './what-if.ts';
import type { WhatIf } from './what-if.ts';

const known = parseSnapshot({
  machines: [{ id: 'm{1..2}', instanceType: 'm5.large' }, { id: 'n', instanceType: 'n2', priceMicroUsdPerHour: 7 }],
  clusters: { prod: { needs: [{ units: 3 }] }, staging: { needs: [{ units: 2 }] } },
});

describe('what if', () => {
  it('nothing were different: nothing is', () => {
    expect(whatIf(known, {})).toEqual(known);
  });

  it('changes exactly what is named', () => {
    expect(whatIf(known, { set: ['policy.reclaimCapFraction=0.1', 'policy.holds.spotMs=5', 'policy.limits={"machines":3}', 'supplyTrusted=false', 'at=2027-01-15T09:00:00Z'] })).toEqual({
      at: known.at + 3_600_000,
      snapshot: {
        ...known.snapshot,
        supplyTrusted: false,
        policy: { ...known.snapshot.policy, reclaimCapFraction: 0.1, holds: { ...known.snapshot.policy.holds, spotMs: 5 }, limits: { machines: 3 } },
      },
    });
    expect(whatIf(known, { price: ['m5.large=120'] }).snapshot.machines.map((m) => m.priceMicroUsdPerHour)).toEqual([120, 120, 7]);
    const { needs, sessions } = whatIf(known, { demand: ['prod=0.5'], withoutSession: ['staging'] }).snapshot;
    expect([...needs.values()].map(([need]) => need?.aggregate)).toEqual([[['cpu', 1500]], [['cpu', 2000]]]);
    expect([...sessions]).toEqual(['prod']);
    expect(whatIf(known, { demand: ['prod=0.33335'] }).snapshot.needs.get('prod')?.[0]?.aggregate).toEqual([['cpu', 1001]]); // demand is rounded up
  });

  it('multiplies by the factor as it is written', () => {
    const times = (units: number, factor: string): number | undefined => {
      const { snapshot, at } = parseSnapshot({ clusters: { prod: { needs: [{ units }] } } });
      return whatIf({ snapshot, at }, { demand: [`prod=${factor}`] }).snapshot.needs.get('prod')?.[0]?.aggregate[0]?.[1];
    };
    expect([times(100, '1.1'), times(6, '1.1'), times(3, '1.1'), times(7, '0.0001'), times(1, '1e-7'), times(1, '1e3'), times(9, '0')]).toEqual([110_000, 6_600, 3_300, 1, 1, 1_000_000, 0]);
  });

  it('changes of an object what is named, and null is as if left out', () => {
    const policy = (...set: string[]) => {
      const { snapshot, at } = parseSnapshot({ policy: { holds: { onDemandMs: 5, spotMs: 5 }, limits: { machines: 9, microUsdPerHour: 8 } } });
      const { holds, limits } = whatIf({ snapshot, at }, { set }).snapshot.policy;
      return { holds, limits };
    };
    const { holds, limits } = policy();
    expect(policy('policy.holds={"spotMs":1}')).toEqual({ holds: { ...holds, spotMs: 1 }, limits });
    expect(policy('policy.limits={"machines":3}')).toEqual({ holds, limits: { machines: 3, microUsdPerHour: 8 } });
    expect(policy('policy.limits.machines=null')).toEqual({ holds, limits: { microUsdPerHour: 8 } });
    expect(policy('policy.limits=null', 'policy.holds={"spotMs":null}')).toEqual({ holds: { ...holds, spotMs: 60_000 }, limits: {} });
  });

  it('refuses a factor with which rows of one demand are too much together', () => {
    const { snapshot, at } = parseSnapshot({ clusters: { prod: { needs: [{ units: 4e12 }, { units: 4e12 }] } } });
    expect(() => whatIf({ snapshot, at }, { demand: ['prod=2'] })).toThrow('--demand: found "2", expected a factor that leaves amounts that can be counted exactly');
  });

  it('leaves what is known as it is', () => {
    const before = structuredClone(known);
    whatIf(known, { set: ['policy.holds.spotMs=5'], price: ['n2=1'], demand: ['prod=2'], withoutSession: ['prod'] });
    expect(known).toEqual(before);
  });

  it.each<[WhatIf, string]>([
    [{ set: ['policy.reclaimCap=1'] }, '--set policy.reclaimCap: is no field here (did you mean "reclaimCapFraction"?)'],
    [{ set: ['policy.reclaimCapFraction=much'] }, '--set policy.reclaimCapFraction: found "much", expected a share, 0 to 1'],
    [{ set: ['policy.holds.spot.ms=1'] }, 'policy.holds.spot.ms is no field of a policy'],
    [{ set: ['policy.limits={}'] }, '--set: policy.limits={} changes nothing; policy.limits=null is as if left out'],
    [{ set: ['policy.limit={"machines":1}'] }, '--set policy.limit: is no field here (did you mean "limits"?)'],
    [{ set: ['policy.reclaimGraceSeconds={"a":1}'] }, '--set policy.reclaimGraceSeconds: found {"a":1}, expected a whole number'],
    [{ set: ['machines=3'] }, 'settable are policy.FIELD, supplyTrusted and at'],
    [{ set: ['policy.reclaimCapFraction'] }, 'expected NAME=VALUE, for instance --set policy.reclaimCapFraction=0.1'],
    [{ set: ['at=soon'] }, '--set at: found "soon"'],
    [{ price: ['m5.lage=1'] }, '--price: no machine is of type "m5.lage" (did you mean "m5.large"?)'],
    [{ price: ['n2=0.5'] }, '--price: found 0.5, expected whole micro-USD'],
    [{ price: ['n2= '] }, '--price: found NaN, expected whole micro-USD'],
    [{ demand: ['pord=2'] }, '--demand: no cluster "pord" has reported (did you mean "prod"?)'],
    [{ demand: ['prod=-1'] }, '--demand: found "-1", expected a factor'],
    [{ demand: ['prod=1e14'] }, '--demand: found "1e14", expected a factor that leaves amounts'],
    [{ withoutSession: ['x'] }, '--without-session: cluster "x" is not connected'],
  ])('%j is refused', (changes, message) => {
    expect(() => whatIf(known, changes)).toThrow(expect.objectContaining({ name: 'SnapshotError', message: expect.stringContaining(message) as string }));
  });
});
