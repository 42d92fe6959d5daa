import type { ProviderMachine } from './provider-machine.ts';

export type MachineLabels = ProviderMachine['labels'];

/** What many machines of a fleet say alike. Labels are apart: they may be more various. */
export type MachineKind = Omit<ProviderMachine, 'id' | 'host' | 'labels'> & { readonly hostProvider: string | undefined };

export function kindOf({ state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, shardMetadata, host }: ProviderMachine): MachineKind {
  return { state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, shardMetadata, hostProvider: host?.provider };
}

/** The machine of this kind. `hostRef` counts only if the kind has a host. */
export function machineOf(id: string, hostRef: string, kind: MachineKind, labels: MachineLabels): ProviderMachine {
  const { state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, shardMetadata, hostProvider } = kind;
  const machine: { -readonly [K in keyof ProviderMachine]: ProviderMachine[K] } = {
    id, state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, labels, lastError, cluster, shardMetadata,
  };
  if (hostProvider !== undefined) machine.host = { provider: hostProvider, ref: hostRef };
  return machine;
}
