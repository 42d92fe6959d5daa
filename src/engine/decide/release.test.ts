import { describe, expect, it } from 'vitest';
import { changesOf, createEngine, planOnce } from '../engine.ts';
import { bindTo, machine, MINUTE, need, policy, RAILS_OFF, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { actionsOf, codesOf, idsOf } from '../testing/summary.ts';
import type { CapacityType, Change, MemoryChange } from '../types.ts';

const plan = (spec: WorldSpec, now = T0) => planOnce(world(spec), now);
const idleSince = (key: string, at: number | null): MemoryChange => ({ what: 'idleSince', key, at });
const types: CapacityType[] = ['BareMetal', 'OnDemand', 'Reserved', 'Spot', 'Unspecified'];
const oneOfEach = types.map((capacityType) => machine(capacityType, 'Idle', { capacityType }));
const sinceT0 = types.map((id) => idleSince(id, T0));

describe('release', () => {
  it.each<[number, string[]]>([
    [MINUTE - 1, []],
    [MINUTE, ['Spot']],
    [10 * MINUTE - 1, ['Spot']],
    [10 * MINUTE, ['OnDemand', 'Spot']],
    [60_000 * MINUTE, ['OnDemand', 'Spot']],
  ])('after %i ms idle lets go of %j', (waited, expected) => {
    expect(idsOf(plan({ machines: oneOfEach, memory: sinceT0 }, T0 + waited), 'Delete')).toEqual(expected);
  });

  it('keeps what is never released, for a reason of its own, and does not wake for it', () => {
    const kept = oneOfEach.filter(({ capacityType }) => capacityType !== 'OnDemand' && capacityType !== 'Spot');
    const result = plan({ machines: kept, memory: sinceT0.filter(({ key }) => kept.some(({ id }) => id === key)) });
    expect(codesOf(result)).toEqual({ BareMetal: 'IdleKept', Reserved: 'IdleKept', Unspecified: 'IdleKept' });
    expect(result.wakeAt).toBeUndefined();
  });

  it.each<[string, Change[]]>([
    ['told twice since when it idles', [{ kind: 'memory', changes: [idleSince('a', T0)] }]],
    ['that went and came back', [{ kind: 'machines', upserted: [], removed: ['a'] }, { kind: 'machines', upserted: [machine('a', 'Idle', { capacityType: 'Spot' })], removed: [] }]],
    ['whose clock was stopped and set again', [{ kind: 'memory', changes: [idleSince('a', null)] }, { kind: 'memory', changes: [idleSince('a', T0)] }]],
    ['that was of another capacity type meanwhile', (['OnDemand', 'Spot'] as const).map((capacityType) => ({ kind: 'machines', upserted: [machine('a', 'Idle', { capacityType })], removed: [] }))],
  ])('lets go once of a machine %s', (_, changes) => {
    const engine = createEngine(policy());
    for (const change of [...changesOf(world({ machines: ['a', 'b'].map((id) => machine(id, 'Idle', { capacityType: 'Spot' })), memory: ['a', 'b'].map((id) => idleSince(id, T0)) })), ...changes]) engine.apply(change);
    const result = engine.plan(T0 + MINUTE);
    expect(actionsOf(result)).toEqual(['Delete a', 'Delete b']);
    expect(result.stats.actions).toMatchObject({ Delete: 2 });
  });

  it.each<[CapacityType, CapacityType, number]>([['Spot', 'OnDemand', 10 * MINUTE], ['OnDemand', 'Spot', MINUTE]])('holds a machine that was %s and is %s as long as it is said of what it is', (before, after, held) => {
    const idle = (capacityType: CapacityType): Change => ({ kind: 'machines', upserted: [machine('a', 'Idle', { capacityType })], removed: [] });
    const engine = createEngine(policy());
    for (const change of [idle(before), { kind: 'memory', changes: [idleSince('a', T0)] } as const, idle(after)]) engine.apply(change);
    expect(actionsOf(engine.plan(T0 + held - 1))).toEqual([]);
    expect(actionsOf(engine.plan(T0 + held))).toEqual(['Delete a']);
  });

  it.each<[string, MemoryChange[]]>([
    ['in whatever order clocks were told of', [idleSince('c', T0 + 50_000), idleSince('a', T0), idleSince('b', T0 + 30_000)]],
    ['whatever a clock said before', [idleSince('a', T0), idleSince('b', T0 + 1), idleSince('b', null), idleSince('b', T0 + 30_000), idleSince('c', T0 + 50_000)]],
  ])('lets go of each machine when its time has come, %s', (_, changes) => {
    const engine = createEngine(policy());
    engine.apply({ kind: 'machines', upserted: ['a', 'b', 'c'].map((id) => machine(id, 'Idle', { capacityType: 'Spot' })), removed: [] });
    engine.apply({ kind: 'memory', changes });
    expect([0, 1, 29_999, 30_000, 50_000].map((ms) => idsOf(engine.plan(T0 + MINUTE + ms), 'Delete').join())).toEqual(['a', 'a', 'a', 'a,b', 'a,b,c']);
  });

  it('starts the clock when a machine is first seen idle', () => {
    const result = plan({ machines: [machine('a', 'Idle', { capacityType: 'Spot' })] });
    expect(result.actions).toEqual([]);
    expect(result.memory).toEqual([idleSince('a', T0)]);
    expect(result.machineReasons.get('a')).toEqual({ code: 'IdleHeld', untilMs: T0 + MINUTE });
  });

  it('wakes when a hold ends whose clock it has only just started: the earliest of those that are not chosen for anything', () => {
    const held = (id: string, capacityType: CapacityType) => machine(id, 'Idle', { capacityType });
    expect(plan({ machines: [held('a', 'Spot')] }).wakeAt).toBe(T0 + MINUTE);
    expect(plan({ machines: [held('a', 'OnDemand'), held('b', 'Spot')] }).wakeAt).toBe(T0 + MINUTE);
    const chosen = plan({ machines: [held('a', 'Spot'), held('b', 'Spot')], needs: [need()] });
    expect(actionsOf(chosen)).toEqual(['Bootstrap a c1']);
    expect(chosen.wakeAt).toBe(T0 + MINUTE);
  });

  it('names machines whose clocks nobody has written down, as long as each plan would start them anew', () => {
    const spot = (id: string) => machine(id, 'Idle', { capacityType: 'Spot' });
    const engine = createEngine(policy());
    engine.apply({ kind: 'machines', upserted: [spot('z1'), spot('z2')], removed: [] });
    const first = engine.plan(T0);
    expect(first.machineReasons.get('z1')).toEqual({ code: 'IdleHeld', untilMs: T0 + MINUTE });
    const again = engine.plan(T0 + 1_000);
    expect(again.machineReasons.get('z1')).toEqual({ code: 'IdleHeld', untilMs: T0 + 1_000 + MINUTE });
    expect([...again.machineReasons.changed]).toEqual(['z1', 'z2']);
    engine.apply({ kind: 'machines', upserted: Array.from({ length: 50_000 }, (_, i) => spot(`m${String(i)}`)), removed: [] });
    const others = engine.plan(T0 + 2_000);
    expect(others.machineReasons.get('z1')).toEqual({ code: 'Available' });
    expect([...others.machineReasons.changed]).toContain('z1');
  });

  it('starts the clocks of very many machines with several plans, by id, and says of the others that they are free', () => {
    const ids = Array.from({ length: 110_000 }, (_, i) => `m${String(i).padStart(6, '0')}`);
    const engine = createEngine(policy({ holds: RAILS_OFF.holds }));
    engine.apply({ kind: 'machines', upserted: ids.toReversed().map((id) => machine(id, 'Idle', { capacityType: 'Spot' })), removed: [] });
    const heldSince = (at: number) => ({ code: 'IdleHeld', untilMs: at + MINUTE });
    const free = { code: 'Available' };
    const parts = [ids.slice(0, 50_000), ids.slice(50_000, 100_000), ids.slice(100_000), []];
    parts.forEach((part, second) => {
      const now = T0 + second * 1000;
      const result = engine.plan(now);
      expect(result.actions).toEqual([]);
      expect(result.memory.map(({ key }) => key).join()).toBe(part.join());
      expect(result.wakeAt).toBe(second < 2 ? now : T0 + MINUTE);
      const news = [...result.machineReasons.changed].sort().join();
      expect(news).toBe(second === 0 ? ids.join() : [...(parts[second - 1] ?? []), ...part].join());
      expect(['m000000', 'm050000', 'm109999'].map((id) => result.machineReasons.get(id))).toEqual([
        second > 0 ? heldSince(T0) : free, second > 1 ? heldSince(T0 + 1000) : free, second > 1 ? heldSince(T0 + 2000) : free,
      ]);
      expect(engine.planInFull(now).memory.map(({ key }) => key).join()).toBe(part.join());
      engine.apply({ kind: 'memory', changes: result.memory });
    });
    // Known one by one again.
    engine.apply({ kind: 'machines', upserted: [machine('m000007', 'Configuring')], removed: ['m000008'] });
    expect(engine.plan(T0 + 5000).memory).toEqual([idleSince('m000007', null), idleSince('m000008', null)]);
  });

  it('wakes when the earliest hold ends', () => {
    expect(plan({ machines: oneOfEach, memory: sinceT0 }, T0 + 5).wakeAt).toBe(T0 + MINUTE);
    expect(plan({ machines: oneOfEach, memory: sinceT0 }, T0 + MINUTE).wakeAt).toBe(T0 + 10 * MINUTE);
    expect(plan({ machines: oneOfEach, memory: sinceT0 }, T0 + 10 * MINUTE).wakeAt).toBeUndefined();
  });

  it('forgets the clock of a machine that is no longer idle or no longer there', () => {
    const result = plan({ machines: [machine('a', 'Configuring')], memory: [idleSince('a', T0), idleSince('gone', T0)] });
    expect(result.memory).toEqual([idleSince('a', null), idleSince('gone', null)]);
  });

  it('spares what is claimed, decided for, held or leaving', () => {
    const spot = { capacityType: 'Spot' } as const;
    const machines = [
      machine('claimed', 'Idle', spot), machine('decided', 'Idle', { ...spot, intent: bindTo(need()) }),
      machine('held', 'Idle', { ...spot, hold: true }), machine('untrusted', 'Idle', { ...spot, untrusted: true }), machine('stuck', 'Idle', { ...spot, stuck: true }),
      machine('released', 'Idle', { ...spot, intent: { kind: 'release' } }),
    ];
    const memory = machines.map((m) => idleSince(m.id, T0 - 60 * MINUTE));
    expect(actionsOf(plan({ machines, needs: [need({ units: 2 })], memory }))).toEqual(['Bootstrap claimed c1']);
  });

  it('waits while supply is not trusted', () => {
    const result = plan({ machines: oneOfEach, memory: sinceT0, supplyTrusted: false }, T0 + 10 * MINUTE);
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toMatchObject({ Spot: 'SupplyUntrusted', OnDemand: 'SupplyUntrusted', BareMetal: 'IdleKept' });
  });

  it('is switched off by a hold of 0', () => {
    const off = policy({ holds: { ...RAILS_OFF.holds, onDemandMs: 0, spotMs: 0 } });
    const result = plan({ machines: oneOfEach, memory: sinceT0, policy: off }, T0 + 60_000 * MINUTE);
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toMatchObject({ Spot: 'Available', OnDemand: 'Available' });
  });

  it('does not need any cluster to have reported', () => {
    expect(idsOf(plan({ machines: oneOfEach, memory: sinceT0, unreported: ['c1'] }, T0 + MINUTE), 'Delete')).toEqual(['Spot']);
  });

  it('names how long the machine was idle', () => {
    const result = plan({ machines: oneOfEach, memory: sinceT0 }, T0 + 2 * MINUTE);
    expect(result.actions).toEqual([
      { kind: 'Delete', machineId: 'Spot', cluster: '', graceSeconds: 0, preemptorPriority: 0, reason: { code: 'HoldExpired', heldMs: 2 * MINUTE } },
    ]);
  });
});
