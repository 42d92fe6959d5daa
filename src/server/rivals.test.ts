import { describe, expect, it } from 'vitest';
import { amounts, need } from '../engine/testing/builders.ts';
import type { MachineReason, Need } from '../engine/types.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import type { MachineRecord } from '../shard/record.ts';
import { comingFor, seen } from '../shard/testing/machines.ts';
import { verdict } from '../shard/testing/needs.ts';
import { heldMachines, rowsAhead } from './rivals.ts';

const labels = { rack: 'r1' };
const allocatable = amounts({ cpu: 8 });
const holder = need({ priority: 900 });
const why = comingFor(holder);
const held = (fields: Partial<ProviderMachine> = {}, reason: MachineReason | undefined = why): MachineRecord => ({ seen: seen('m', 'Configured', { labels, allocatable, ...fields }), why: reason }) as MachineRecord;
const kinds = async (...machines: MachineRecord[]): Promise<number> => (await heldMachines(machines)).length;

describe('what demand holds', () => {
  it('is told once for machines that are alike and held by the same', async () => {
    expect(await kinds(held(), held())).toBe(1);
    expect(await kinds(held(), held({}, comingFor(need({ priority: 1 }))))).toBe(2);
    expect(await kinds(held({}, { code: 'Available' }), held({}, { code: 'Excess', cluster: 'c1', sinceMs: 0 }))).toBe(0);
  });

  it.each<[string, Partial<ProviderMachine>]>([
    ['zone', { zone: 'zone-b' }], ['type', { instanceType: 'other' }], ['labels', { labels: { rack: 'r2' } }], ['size', { allocatable: amounts({ cpu: 9 }) }],
  ])('differs by %s', async (_name, fields) => {
    expect(await kinds(held(), held(fields), held(), held(fields))).toBe(2);
  });
});

describe('the rows ahead', () => {
  const lacking = need({ priority: 1, minUnit: amounts({ cpu: 8 }) });
  const ahead = async (machines: MachineRecord[], ...rows: Need[]): Promise<Need[]> => {
    const [last, ...others] = [verdict(lacking, { satisfied: false }), ...rows.map((row) => verdict(row))];
    return (await rowsAhead(last!, [...others, last!], await heldMachines(machines), 9)).map((v) => v.need);
  };

  it('hold a machine that matches and covers the unit', async () => {
    expect(await ahead([held()], holder)).toEqual([holder]);
    expect(await ahead([held({ allocatable: amounts({ cpu: 7 }) })], holder)).toEqual([]);
    expect(await ahead([held({ allocatable: amounts({ memory: 8 }) })], holder)).toEqual([]);
  });

  it('also hold what is on its way to them because it was preempted', async () => {
    expect(await ahead([held({}, { ...why, code: 'Reserved' } as MachineReason)], holder)).toEqual([holder]);
  });

  it('are told apart by unit class, and found though they share a fingerprint', async () => {
    const [other, third] = [{ ...holder, unitClass: 'cpu=9' }, { ...holder, unitClass: 'cpu=11' }];
    expect(await ahead([held(), held({}, comingFor(third))], holder, other, third)).toEqual([holder, third]);
  });
});
