/** Machines that a simulated fleet starts with (spec: scale 1.4, 5.2). */
import { parseResources } from '../api/resource-vector.ts';
import type { CapacityType, EngineMachine, MachineState } from '../engine/types.ts';

export const RACK_LABEL = 'topology.bigfleet/rack';
export const SEED_ZONES = ['zone-a', 'zone-b', 'zone-c'] as const;

/** Machines of one kind, counted per tier. */
export interface SeedPool {
  readonly name: string;
  readonly instanceType: string;
  /** Of one Pod; a machine holds `density` of them. */
  readonly unit: Readonly<Record<string, string>>;
  readonly density: number;
  readonly configuredPerCluster?: number;
  readonly idle?: number;
  readonly speculative?: number;
  /** Cheaper machines that may be taken away. */
  readonly interruptible?: number;
  readonly racksPerZone?: number;
  /** So many neighbours share a rack; 0 deals machines out one by one, so that hardly any rack holds several. */
  readonly rackBlock?: number;
  /** Of the Idle tier; a fleet's own machines unless said otherwise. */
  readonly idleCapacity?: CapacityType;
}

interface Tier {
  readonly name: string;
  readonly state: MachineState;
  readonly count: number;
  readonly cluster: string;
  readonly capacityType: CapacityType;
}

const PRICING: Readonly<Record<CapacityType, { readonly microUsd: number; readonly probability: number }>> = {
  Unspecified: { microUsd: 0, probability: 0 },
  BareMetal: { microUsd: 0, probability: 0 },
  Reserved: { microUsd: 0, probability: 0 },
  OnDemand: { microUsd: 1_000_000, probability: 0.05 },
  Spot: { microUsd: 300_000, probability: 0.3 },
};

/** The pool's machines. One counter runs through all tiers, so that blocks of neighbours never collide. */
export function seedMachines(pool: SeedPool, clusters: readonly string[]): EngineMachine[] {
  const { racksPerZone = 4, rackBlock = 0 } = pool;
  const allocatable = parseResources(Object.entries(pool.unit), 'down').map(([dimension, amount]): readonly [string, number] => [dimension, amount * pool.density]);
  const tiers: Tier[] = [
    ...clusters.map((cluster): Tier => ({ name: `cfg-${cluster}`, state: 'Configured', count: pool.configuredPerCluster ?? 0, cluster, capacityType: 'BareMetal' })),
    { name: 'idle', state: 'Idle', count: pool.idle ?? 0, cluster: '', capacityType: pool.idleCapacity ?? 'BareMetal' },
    { name: 'spec', state: 'Speculative', count: pool.speculative ?? 0, cluster: '', capacityType: 'OnDemand' },
    { name: 'intr', state: 'Speculative', count: pool.interruptible ?? 0, cluster: '', capacityType: 'Spot' },
  ];
  let index = 0;
  return tiers.flatMap((tier) =>
    Array.from({ length: tier.count }, (_, i): EngineMachine => {
      const slot = rackBlock > 0 ? Math.floor(index / rackBlock) : index;
      index++;
      const zone = SEED_ZONES[slot % SEED_ZONES.length] ?? SEED_ZONES[0];
      const { microUsd, probability } = PRICING[tier.capacityType];
      return {
        id: `${pool.name}-${tier.name}-${String(i).padStart(4, '0')}`,
        state: tier.state,
        cluster: tier.cluster,
        instanceType: pool.instanceType,
        zone,
        capacityType: tier.capacityType,
        labels: { [RACK_LABEL]: `${zone}-rack-${slot % racksPerZone}` },
        allocatable,
        priceMicroUsdPerHour: microUsd,
        interruptionProbability: probability,
        hold: false,
        stuck: false,
      };
    }),
  );
}
