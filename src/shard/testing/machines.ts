import type { MachineState } from '../../engine/types.ts';
import type { ProviderMachine } from '../../provider/provider-machine.ts';

const BOUND: readonly MachineState[] = ['Configuring', 'Configured', 'Draining'];

/** A machine as the provider describes it, valid for its state. */
export function seen(id: string, state: MachineState, fields: Partial<ProviderMachine> = {}): ProviderMachine {
  return {
    id,
    state,
    ...(state !== 'Speculative' && state !== 'Creating' && { host: { provider: 'test', ref: `host-${id}` } }),
    instanceType: 'c8',
    zone: 'zone-a',
    capacityType: 'OnDemand',
    priceMicroUsdPerHour: 400_000,
    interruptionProbability: 0,
    allocatable: [['cpu', 8_000], ['memory', 34_359_738_368]],
    labels: {},
    lastError: state === 'Failed' ? 'broken' : '',
    cluster: BOUND.includes(state) ? 'east' : '',
    shardMetadata: new Map(),
    ...fields,
  };
}

export const toEast = { cluster: 'east', fingerprint: 'fp-1', group: '', priority: 100, interruptionBucket: 1, reclamationBucket: 2 } as const;
