import { describe, expect, it } from 'vitest';
import { CapacityType, Machine, MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { parseResources } from '../api/resource-vector.ts';
import { machineFromWire, type ProviderMachine } from './provider-machine.ts';

function machine(id: string, more: Partial<Machine> = {}): ProviderMachine {
  const wire = Machine.decode(Machine.encode(Machine.fromPartial({
    id, state: MachineState.MACHINE_STATE_SPECULATIVE, capacityType: CapacityType.CAPACITY_TYPE_SPOT, instanceType: 'c8', zone: 'a', pricePerHour: 0.1, interruptionProbability: 0,
    resources: { resources: new Map([['cpu', '8']]) }, labels: new Map([['rack', 'r1'], ['row', '7']]), ...more,
  })).finish());
  const result = machineFromWire(wire);
  if (!('machine' in result)) throw new Error(result.rejected.text);
  return result.machine;
}

describe('records of a provider', () => {
  it('share what equal machines say alike', () => {
    const [a, b] = [machine('m-1'), machine('m-2')];
    expect(a.labels).toEqual({ rack: 'r1', row: '7' });
    expect(b.labels).toBe(a.labels);
    expect(b.allocatable).toBe(a.allocatable);
    expect(b.shardMetadata).toBe(a.shardMetadata);
    expect(machine('m-3', { labels: new Map([['rack', 'r2'], ['row', '7']]) }).labels).toEqual({ rack: 'r2', row: '7' });
  });

  it.each([
    [new Map([['ab', 'c']]), new Map([['a', 'bc']])],
    [new Map([['a', 'b1,1:cd']]), new Map([['a', 'b'], ['c', 'd']])],
    [new Map([['a', '']]), new Map([['', 'a']])],
  ])('tell %o from %o', (one, other) => {
    expect(machine('m-1', { labels: one }).labels).toEqual(Object.fromEntries(one));
    expect(machine('m-2', { labels: other }).labels).toEqual(Object.fromEntries(other));
  });

  it('are right for any number of different machines', () => {
    for (let i = 0; i < 10_000; i++) {
      const seen = machine(`m-${i}`, { instanceType: `t-${i}`, labels: new Map([['host', `h-${i}`]]), resources: { resources: new Map([['cpu', String(i)]]) } });
      expect([seen.instanceType, seen.labels['host'], seen.allocatable]).toEqual([`t-${i}`, `h-${i}`, parseResources(new Map([['cpu', String(i)]]), 'down')]);
    }
  });

  it('keep what is said of one machine to it', () => {
    const bound = machine('m-1', { state: MachineState.MACHINE_STATE_CONFIGURED, cluster: 'east', host: { provider: 'p', ref: 'h' }, shardMetadata: new Map([['k', 'v']]) });
    expect([bound.cluster, bound.host, [...bound.shardMetadata]]).toEqual(['east', { provider: 'p', ref: 'h' }, [['k', 'v']]]);
    expect([...machine('m-2').shardMetadata]).toEqual([]);
  });
});
