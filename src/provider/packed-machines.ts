/**
 * Machines on their way from one thread to another. Fleets have few kinds of machines: what equal ones say alike is told once, and each
 * machine is then two texts and two numbers, which take a tenth of the time that the machines themselves would.
 */
import { NO_METADATA, type ProviderMachine } from './provider-machine.ts';

type Kind = Omit<ProviderMachine, 'id' | 'host' | 'labels' | 'shardMetadata'> & { readonly provider: string | undefined };
type Labels = ProviderMachine['labels'];

/** A message. What it does not tell of kinds and labels, those before it did. */
export interface PackedMachines {
  readonly ids: readonly string[];
  readonly hostRefs: readonly string[];
  readonly newKinds: readonly Kind[];
  readonly kindOf: Uint32Array;
  readonly newLabels: readonly Labels[];
  readonly labelsOf: Uint32Array;
  /** Of the machines that have some. */
  readonly metadata: readonly (readonly [nth: number, metadata: ReadonlyMap<string, string>])[];
}

/** The sending end, for the machines of one List. */
export class MachinePacker {
  private readonly kinds = new Map<string, number>();
  /** By identity: what is read from the wire is kept once (`provider-machine.ts`). */
  private readonly labels = new Map<Labels, number>();
  private readonly vectors = new Map<ProviderMachine['allocatable'], number>();

  pack(machines: readonly ProviderMachine[]): PackedMachines {
    const newKinds: Kind[] = [];
    const newLabels: Labels[] = [];
    return {
      ids: machines.map(({ id }) => id),
      hostRefs: machines.map(({ host }) => host?.ref ?? ''),
      kindOf: Uint32Array.from(machines, (machine) => indexOf(this.kinds, this.keyOf(machine), () => newKinds.push(kindOf(machine)))),
      labelsOf: Uint32Array.from(machines, ({ labels }) => indexOf(this.labels, labels, () => newLabels.push(labels))),
      newKinds, newLabels,
      metadata: machines.flatMap(({ shardMetadata }, nth) => (shardMetadata.size === 0 ? [] : [[nth, shardMetadata] as const])),
    };
  }

  private keyOf(machine: ProviderMachine): string {
    const { state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, host } = machine;
    const vector = indexOf(this.vectors, allocatable, () => undefined);
    return [state, capacityType, priceMicroUsdPerHour, interruptionProbability, vector, instanceType, zone, cluster, lastError, host ? `host ${host.provider}` : ''].join('\0');
  }
}

/** The receiving end, for the machines of one List: their messages, in order. */
export class MachineUnpacker {
  private readonly kinds: Kind[] = [];
  private readonly labels: Labels[] = [];

  unpack({ ids, hostRefs, newKinds, kindOf, newLabels, labelsOf, metadata }: PackedMachines): ProviderMachine[] {
    this.kinds.push(...newKinds);
    this.labels.push(...newLabels.map((labels) => Object.freeze(labels)));
    const metadataOf = new Map(metadata);
    return ids.map((id, nth): ProviderMachine => {
      const { state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, provider } = this.kinds[kindOf[nth] as number] as Kind;
      const labels = this.labels[labelsOf[nth] as number] as Labels;
      const shardMetadata = metadataOf.get(nth) ?? NO_METADATA;
      const machine: { -readonly [K in keyof ProviderMachine]: ProviderMachine[K] } = {
        id, state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, labels, lastError, cluster, shardMetadata,
      };
      if (provider !== undefined) machine.host = { provider, ref: hostRefs[nth] as string };
      return machine;
    });
  }
}

function kindOf({ state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, host }: ProviderMachine): Kind {
  return { state, instanceType, zone, capacityType, priceMicroUsdPerHour, interruptionProbability, allocatable, lastError, cluster, provider: host?.provider };
}

function indexOf<K>(known: Map<K, number>, key: K, isNew: () => unknown): number {
  const before = known.get(key);
  if (before !== undefined) return before;
  const index = known.size;
  known.set(key, index);
  isNew();
  return index;
}
