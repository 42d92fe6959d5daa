import type { MachineReason, MachineState, Need } from '../../engine/types.ts';
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

/** What the plan says of a machine that is on its way to the row. */
export function comingFor({ cluster, fingerprint, group, unitClass }: Pick<Need, 'cluster' | 'fingerprint' | 'group' | 'unitClass'>, fields: { readonly foldedAs?: string } = {}): MachineReason {
  return { code: 'InFlight', cluster, fingerprint, group, unitClass, priority: 100, ...fields };
}

/** A row that machines bound like `toEast` are for. */
export const eastRow = { cluster: 'east', fingerprint: 'fp-1', group: '', unitClass: 'cpu=6' } as const;

export const toEast = { cluster: 'east', fingerprint: 'fp-1', group: '', priority: 100, interruptionBucket: 1, reclamationBucket: 2 } as const;
