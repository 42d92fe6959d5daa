import { describe, expect, it } from 'vitest';
import { createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, machine, machinesChange, need, policy, sameZone, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import type { Need, Plan } from '../types.ts';
import { Holders, servedDemand } from './holders.ts';
import type { NeedRow } from '../facts/need-row.ts';

const plan = (spec: WorldSpec): Plan => planOnce(world(spec), T0);
const cpus = (n: number) => amounts({ cpu: n });
const gang = (group: string, priority = 100): Need => need({ units: 2, group, priority, requirements: [sameZone()] });
/** Group and unit class of the demand that each machine counts for. */
const served = (result: Plan) => Object.fromEntries([...result.machineReasons].map(([id, reason]) => [id, 'unitClass' in reason ? [reason.group, reason.unitClass] : reason.code]));

describe('the reason of a machine names the row that was credited with it', () => {
  const large = need({ minUnit: cpus(64), aggregate: cpus(64) });
  const small = need({ minUnit: cpus(1), aggregate: cpus(1) });

  it('by unit class, where rows are alike but for that (D2)', () => {
    const machines = [machine('big', 'Configured', { allocatable: cpus(64) }), machine('little', 'Configured')];
    expect(served(plan({ machines, needs: [large, small] }))).toEqual({ big: ['', large.unitClass], little: ['', small.unitClass] });
  });

  it('also when it is only chosen for it, or on its way', () => {
    const assigned = assignmentOf(small);
    const machines = [machine('big', 'Idle', { allocatable: cpus(64) }), machine('little', 'Creating', { intent: { kind: 'bind', to: assigned, configureSent: false } }), machine('next', 'Speculative')];
    expect(served(plan({ machines, needs: [large, { ...small, aggregate: cpus(2) }] }))).toEqual({ big: ['', large.unitClass], little: ['', small.unitClass], next: ['', small.unitClass] });
  });

  it('by group, whatever gang it was bound for', () => {
    const bound = ['a1', 'a2', 'b1', 'b2'].map((id) => machine(id, 'Configured', { zone: `z${id[0]!}`, assigned: assignmentOf(gang('g1')) }));
    const result = served(plan({ machines: bound, needs: [gang('g1'), gang('g2')] }));
    expect(Object.values(result).map(([group]) => group)).toEqual(['g1', 'g1', 'g2', 'g2']);
  });

  it('of gangs that were planned as one with the name that all their verdicts have, and with a fingerprint that somebody reported', () => {
    const result = plan({ machines: [machine('m', 'Configured', { allocatable: cpus(8) })], needs: [gang('g1'), gang('g2'), need({ priority: 1 })] });
    const [one, other, plain] = result.verdicts;
    expect(result.machineReasons.get('m')).toMatchObject({ code: 'Serving', fingerprint: gang('g1').fingerprint, group: '', foldedAs: one?.foldedAs });
    expect(one?.foldedAs).toMatch(/cpu=2000/);
    expect([other?.foldedAs, plain?.foldedAs]).toEqual([one?.foldedAs, undefined]);
  });

  it('and that of gangs of another size is another one', () => {
    const machines = [machine('m', 'Configured', { allocatable: cpus(8) }), machine('n', 'Configured', { allocatable: cpus(8) })];
    const result = plan({ machines, needs: [gang('g1'), { ...gang('g2'), aggregate: cpus(3) }] });
    expect(new Set(result.verdicts.map((v) => v.foldedAs)).size).toBe(2);
    const names = [...result.machineReasons].map(([, reason]) => 'foldedAs' in reason && reason.foldedAs);
    expect(new Set(names)).toEqual(new Set(result.verdicts.map((v) => v.foldedAs)));
  });

  it('and tells when the machine changes over to another row of the same profile', () => {
    const engine = createEngine(policy());
    engine.apply({ kind: 'session', cluster: 'c1', connected: true });
    engine.apply(machinesChange(machine('big', 'Configured', { allocatable: cpus(64) })));
    const replan = (...needs: Need[]): Plan => {
      engine.apply({ kind: 'needs', cluster: 'c1', needs });
      return engine.plan(T0);
    };
    expect(served(replan(small))).toEqual({ big: ['', small.unitClass] });
    const next = replan(large);
    expect(served(next)).toEqual({ big: ['', large.unitClass] });
    expect([...next.machineReasons.changed]).toContain('big');
  });
});

describe('the numbers of those whom machines serve', () => {
  const row = (i: number): NeedRow => ({ need: gang(`g${String(i)}`), holder: -1, gangs: undefined }) as unknown as NeedRow;

  it('are alike for rows that say the same', () => {
    const holders = new Holders();
    expect(holders.of(row(1))).toBe(holders.of(row(1)));
    expect(holders.of(row(1))).not.toBe(holders.of(row(2)));
  });

  it('are given again once nobody has them, so that they do not become more for ever', () => {
    const holders = new Holders();
    let most = 0;
    const kept = row(-1);
    const first = holders.of(kept);
    for (let i = 0; i < 20_000; i++) {
      most = Math.max(most, holders.of(row(i)));
      if (holders.areMany) holders.keepOnly([first, -1]);
    }
    expect(most).toBeLessThan(3_000);
    expect(holders.at(first)).toEqual(servedDemand(kept));
    expect(holders.of(row(-1))).toBe(first);
    expect(holders.at(holders.of(row(7))).group).toBe('g7');
  });

  it('say in what was frozen whom they meant then', () => {
    const engine = createEngine(policy());
    engine.apply(machinesChange(machine('m', 'Configured')));
    const asksFor = (group: string): void => {
      engine.apply({ kind: 'needs', cluster: 'c1', needs: [need({ group })] });
      engine.plan(T0);
    };
    asksFor('first');
    const { machineReasons } = engine.capture();
    for (let i = 0; i < 2_500; i++) asksFor(`g${String(i)}`);
    expect(machineReasons.get('m')).toMatchObject({ group: 'first' });
  });

  it('stay what they were for whoever has frozen them', () => {
    const holders = new Holders();
    const first = holders.of(row(1));
    const frozen = holders.freeze();
    holders.keepOnly([]);
    expect(holders.of(row(2))).toBe(first);
    expect([frozen.at(first).group, holders.at(first).group]).toEqual(['g1', 'g2']);
  });

  it('are taken from no machine that has one, however many demands come and go', () => {
    const engine = createEngine(policy());
    engine.apply(machinesChange(machine('m', 'Configured'), machine('kept', 'Configured', { cluster: 'c2' }), machine('shared', 'Configured', { cluster: 'c3', allocatable: cpus(8) })));
    engine.apply({ kind: 'needs', cluster: 'c2', needs: [need({ cluster: 'c2', group: 'stays' })] });
    engine.apply({ kind: 'needs', cluster: 'c3', needs: [{ ...gang('g1'), cluster: 'c3' }, { ...gang('g2'), cluster: 'c3' }] });
    for (let i = 0; i < 2_500; i++) {
      engine.apply({ kind: 'needs', cluster: 'c1', needs: [need({ group: `g${String(i)}` })] });
      const { machineReasons } = engine.plan(T0);
      expect(['m', 'kept', 'shared'].map((id) => machineReasons.get(id))).toMatchObject([{ group: `g${String(i)}` }, { group: 'stays' }, { cluster: 'c3' }]);
    }
  });
});
