import { expect, test } from 'vitest';
import { Ask, profile, vector } from './demand.ts';
import { Fleet } from './fleet.ts';
import { quantile } from './measure.ts';

const unit = vector({ memory: 1024, cpu: 1000 });
const ask = new Ask(profile([]), unit);

function fleetOf(): Fleet {
  const fleet = new Fleet(20);
  const kind = fleet.addKind({ instanceType: 't', zone: 'z', capacityType: 'BareMetal', labels: { a: 'b' }, allocatable: unit, priceMicroUsdPerHour: 7, interruptionProbability: 0 });
  for (let i = 0; i < 12; i++) fleet.add('conf-s0-c1-i', 'Configured', kind, ask.assignment('c1'));
  for (let i = 0; i < 3; i++) fleet.add('idle-', 'Idle', kind);
  return fleet;
}

test('identifiers count from 0 within their prefix and lead back to the machine', () => {
  const fleet = fleetOf();
  expect([0, 11, 12, 14].map((i) => fleet.id(i))).toEqual(['conf-s0-c1-i0', 'conf-s0-c1-i11', 'idle-0', 'idle-2']);
  for (let i = 0; i < fleet.size; i++) expect(fleet.indexOf(fleet.id(i))).toBe(i);
  expect(() => fleet.indexOf('idle-3')).toThrow('no machine "idle-3"');
});

test('machines of a kind share labels and allocatable, and what is set shows', () => {
  const fleet = fleetOf();
  expect(fleet.machine(0).labels).toBe(fleet.machine(12).labels);
  expect(fleet.machine(0)).toMatchObject({ state: 'Configured', cluster: 'c1', assigned: { cluster: 'c1' } });
  fleet.set(12, 'Idle', 'bind', ask.assignment('c2'));
  expect(fleet.machine(12)).toMatchObject({ state: 'Idle', cluster: '', intent: { kind: 'bind', configureSent: false, to: { cluster: 'c2' } } });
  expect(fleet.machine(12)).not.toHaveProperty('assigned');
  fleet.set(0, 'Idle', 'none', undefined);
  expect(fleet.countByState()).toMatchObject({ Configured: 11, Idle: 4 });
  expect([fleet.cpu[0], fleet.memory[0], fleet.price[0]]).toEqual([1000, 1024, 7]);
});

test('quantiles are samples, by nearest rank', () => {
  expect([quantile([4, 1, 3, 2], 0.5), quantile([4, 1, 3, 2], 0.99), quantile([5], 0.5)]).toEqual([2, 4, 5]);
  expect(() => quantile([], 0.5)).toThrow('no samples');
});
