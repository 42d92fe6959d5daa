import { describe, expect, it } from 'vitest';
import { seededRandom } from '../../src/lib/random.ts';
import { planKills } from './plan.ts';
import { accusations } from './witness.ts';
import type { AuditLine, OperationLine } from './witness.ts';

const T0 = Date.UTC(2026, 0, 1);
const state = (second: number, from: string, to: string, clusterId = ''): OperationLine => ({ event: 'state', t: T0 + second * 1_000, machineId: 'm', from, to, clusterId });
const call = (second: number, rpc: string, epoch = 1, sequence = second, outcome = 'OK'): OperationLine =>
  ({ event: 'call', t: T0 + second * 1_000, machineId: 'm', rpc, outcome, shardId: 's', epoch: String(epoch), sequence: String(sequence) });
const decided = (second: number, kind: string, outcome = 'decided'): AuditLine => ({ time: new Date(T0 + second * 1_000).toISOString(), kind, machine: 'm', outcome });

const life: readonly OperationLine[] = [
  state(1, 'Idle', 'Configuring', 'east'), call(1, 'Configure'), state(2, 'Configuring', 'Configured', 'east'),
  state(5, 'Configured', 'Draining', 'east'), call(5, 'Drain'), state(6, 'Draining', 'Idle'),
];

describe('what a provider and an audit log say', () => {
  it('of a life that went by the rules is nothing, also of one that follows it in another cluster', () => {
    const next: readonly OperationLine[] = [state(7, 'Idle', 'Configuring', 'west'), call(7, 'Configure'), state(8, 'Configuring', 'Configured', 'west')];
    expect(accusations([...life, ...next], [decided(5, 'Reclaim')])).toEqual([]);
  });

  it('of a provider that is started again, and says how things stand, is nothing', () => {
    expect(accusations([...life.slice(0, 3), state(4, 'Configured', 'Configured', 'east'), ...life.slice(3)], [decided(5, 'Preempt')])).toEqual([]);
  });

  it.each([
    ['to another cluster', [...life.slice(0, 3), state(4, 'Idle', 'Configuring', 'west')], 'Configuring in west, and it was Configured in east'],
    ['to another cluster across a restart', [...life.slice(0, 3), state(4, 'Configured', 'Configured', 'west')], 'Configured in west, and it was Configured in east'],
    ['to the same one', [...life.slice(0, 3), state(4, 'Idle', 'Configuring', 'east')], 'bound a second time to east'],
  ])('accuses a second binding %s', (_how, operations, words) => {
    expect(accusations(operations, [])).toEqual([expect.stringContaining(words)]);
  });

  it.each([
    ['none', []],
    ['one of an earlier life', [decided(0, 'Reclaim')]],
    ['one that was made afterwards', [decided(6, 'Reclaim')]],
    ['one that was only suppressed', [decided(5, 'Reclaim', 'suppressed')]],
    ['one that gives it', [decided(5, 'Bootstrap')]],
  ])('accuses a drain without a decision: %s', (_which, audit) => {
    expect(accusations(life, audit)).toEqual([expect.stringContaining('no decision')]);
  });

  it('accuses an old token that was obeyed, not one that was refused or is repeated', () => {
    const repeated = [call(1, 'Create', 2, 5), call(2, 'Create', 2, 5), call(3, 'Create', 1, 9, 'FAILED_PRECONDITION'), call(4, 'Configure', 3, 1)];
    expect(accusations(repeated, [])).toEqual([]);
    expect(accusations([...repeated, call(5, 'Configure', 2, 99)], [])).toEqual([expect.stringContaining('obeyed under 2/99, after 3/1')]);
    expect(accusations([...repeated, call(5, 'Configure', 3, 0)], [])).toEqual([expect.stringContaining('obeyed under 3/0, after 3/1')]);
  });
});

it('kills are spread: everybody is killed, nobody more than three times within twelve seconds', () => {
  const names = ['a', 'b', 'c'];
  const kills = planKills(seededRandom(1), names, 60, 1_000);
  expect(kills).toHaveLength(60);
  for (const { name, atMs } of kills) expect(kills.filter((other) => other.name === name && other.atMs <= atMs && atMs - other.atMs < 12_000).length).toBeLessThanOrEqual(3);
  for (const name of names) expect(kills.filter((kill) => kill.name === name).length).toBeGreaterThan(10);
});
