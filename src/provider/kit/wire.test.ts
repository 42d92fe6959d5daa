import { describe, expect, it } from 'vitest';
import { CapacityType, MachineList, MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { Machine } from './machine.ts';
import { frameMachine, frameRevision } from './wire.ts';

const machine: Machine = {
  id: 'm', state: 'Idle', host: { provider: 'rack', ref: 'h' }, instanceType: 'c8', zone: 'a', capacityType: 'Spot', pricePerHour: 0.5, interruptionProbability: 0.25,
  resources: { cpu: '8' }, labels: { hall: 'h1' }, lastError: '', cluster: '', shardMetadata: new Map([['k', 'v']]),
};

describe('the frame of a machine', () => {
  it('is an element of a List, whatever lies before it and behind it', () => {
    const machines = [machine, { ...machine, id: 'n'.repeat(300), allocatable: { cpu: '7' } }, { ...machine, labels: {} }];
    const { machines: decoded, revision } = MachineList.decode(Buffer.concat([...machines.map(frameMachine), frameRevision(7)]));
    expect(decoded.map(({ id, labels, resources, allocatable }) => [id, labels.size, resources?.resources.get('cpu'), allocatable?.resources.get('cpu')])).toEqual([['m', 1, '8', '8'], ['n'.repeat(300), 1, '8', '7'], ['m', 0, '8', '8']]);
    expect(decoded[0]).toMatchObject({ state: MachineState.MACHINE_STATE_IDLE, capacityType: CapacityType.CAPACITY_TYPE_SPOT, host: machine.host, pricePerHour: 0.5, shardMetadata: machine.shardMetadata });
    expect(Buffer.from(revision).toString()).toBe('7');
  });

  it('holds nothing of a machine before it that could not be told', () => {
    expect(() => frameMachine({ ...machine, shardMetadata: { get: 'no map' } as unknown as Machine['shardMetadata'] })).toThrow();
    expect(MachineList.decode(frameMachine(machine)).machines.map(({ id }) => id)).toEqual(['m']);
  });
});
