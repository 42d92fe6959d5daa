import { describe, expect, it } from 'vitest';
import { createEngine, planOnce } from '../engine.ts';
import { amounts, assignmentOf, bindTo, machine, machinesChange, MINUTE, need, policy, sameZone, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import type { EngineMachine, MachineReason, Need, Plan } from '../types.ts';
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

  it('by cluster, as was decided last where its provider does not say for whom it is being configured', () => {
    const one = machine('a', 'Configuring', { cluster: '', assigned: assignmentOf(need({ cluster: 'c2' })), intent: bindTo(need(), true) });
    expect(plan({ machines: [one], needs: [need(), need({ cluster: 'c2' })] }).machineReasons.get('a')).toMatchObject({ code: 'InFlight', cluster: 'c1' });
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

describe('machines that are alike', () => {
  it('say anew whom they serve when one of two who share them asks for more and the other for less', () => {
    const engine = createEngine(policy());
    engine.apply(machinesChange(...['a', 'b', 'c'].map((id) => machine(id, 'Configured'))));
    const servedBy = (first: number, second: number) => {
      engine.apply({ kind: 'needs', cluster: 'c1', needs: [need({ group: 'one', priority: 2, units: first }), need({ group: 'two', priority: 1, units: second })] });
      const { machineReasons } = engine.plan(T0);
      return ['a', 'b', 'c'].map((id) => machineReasons.get(id)).map((reason) => reason !== undefined && 'group' in reason && reason.group);
    };
    expect(servedBy(2, 1)).toEqual(['one', 'one', 'two']);
    expect(servedBy(1, 2)).toEqual(['one', 'two', 'two']);
  });
});

describe('the reason of a machine that counts for nobody', () => {
  it.each<[string, EngineMachine, MachineReason | undefined]>([
    ['names the state in which it is stuck', machine('a', 'Creating', { stuck: true }), { code: 'Stuck', state: 'Creating' }],
    ['is not had of what is only an offer, though it rests', machine('a', 'Speculative', { stuck: true }), undefined],
    ['names the cluster that it leaves', machine('a', 'Draining', { cluster: 'c2', allocatable: amounts({ memory: 1 }) }), { code: 'Leaving', cluster: 'c2' }],
    ['names no cluster if it belonged to none', machine('a', 'Deleting'), { code: 'Leaving', cluster: '' }],
    ['names the cluster for which it is being configured', machine('a', 'Configuring', { cluster: 'c2' }), { code: 'ExcessConfiguring', cluster: 'c2' }],
    ['names the cluster for which Configure was sent', machine('a', 'Idle', { intent: bindTo(need({ cluster: 'c2' }), true) }), { code: 'ExcessConfiguring', cluster: 'c2' }],
    ['is that it arrives for nobody, if nobody knows for whom it is being configured: it is no offer', machine('a', 'Configuring', { cluster: '' }), { code: 'ArrivingForNobody' }],
  ])('%s', (_, one, reason) => {
    const result = plan({ machines: [one], needs: [need()], reported: ['c2'] });
    expect(result.actions).toEqual([]);
    expect(result.machineReasons.get('a')).toEqual(reason);
  });

  it('names the cluster that it leaves also while it is reserved for demand that is gone', () => {
    const memory = [{ what: 'reservation', key: 'a', to: assignmentOf(need()) }] as const;
    expect(plan({ machines: [machine('a', 'Draining', { cluster: 'c2' })], memory }).machineReasons.get('a')).toEqual({ code: 'Leaving', cluster: 'c2' });
  });
});

describe('what has changed since the last plan', () => {
  const told = (...machines: EngineMachine[]) => {
    const engine = createEngine(policy());
    engine.apply(machinesChange(...machines));
    engine.apply({ kind: 'memory', changes: engine.plan(T0).memory });
    engine.plan(T0);
    return engine;
  };

  it('is the machine that was removed, by its name', () => {
    const engine = told(machine('a', 'Idle'), machine('b', 'Idle'));
    engine.apply({ kind: 'machines', upserted: [], removed: ['a'] });
    const { machineReasons } = engine.plan(T0);
    expect([...machineReasons.changed]).toEqual(['a']);
    expect(machineReasons.get('a')).toBeUndefined();
  });

  it('is until when idle machines are held, where the policy is another', () => {
    const engine = told(machine('a', 'Idle', { capacityType: 'Spot' }));
    engine.apply({ kind: 'policy', policy: policy({ holds: { ...policy().holds, spotMs: 7 * MINUTE } }) });
    const { machineReasons } = engine.plan(T0);
    expect(machineReasons.get('a')).toEqual({ code: 'IdleHeld', untilMs: T0 + 7 * MINUTE });
    expect([...machineReasons.changed]).toEqual(['a']);
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
