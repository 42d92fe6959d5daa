import type { SeedInstance } from '../../src/world/seed-instance.ts';

/** Label of machines, and what the Pods of a promise select: each has machines that nobody else gets. */
export const POOL_LABEL = 'pool';

export interface MachineShape {
  readonly cpu?: string;
  readonly zone?: string;
  readonly capacityType?: SeedInstance['capacityType'];
  readonly pricePerHour?: number;
  readonly labels?: Readonly<Record<string, string>>;
}

/** `count` machines of a promise, 8 cores each unless said otherwise: offers, or (BareMetal) machines that exist already. Their ids start with the name of the pool. */
export function machinesOf(pool: string, count: number, shape: MachineShape = {}, from = 0): SeedInstance[] {
  const { cpu = '8', zone = 'zone-a', capacityType = 'OnDemand', labels = {} } = shape;
  const pricePerHour = shape.pricePerHour ?? { BareMetal: 0.1, OnDemand: 0.4, Spot: 0.14 }[capacityType];
  const resources = { cpu, memory: '32Gi' };
  return Array.from({ length: count }, (_, i): SeedInstance => ({
    id: `${pool}-${i + from}`, instanceType: `c${cpu}`, zone, capacityType, pricePerHour, interruptionProbability: capacityType === 'Spot' ? 0.02 : 0,
    resources, allocatable: resources, labels: { [POOL_LABEL]: pool, 'kubernetes.io/arch': 'amd64', ...labels },
    state: capacityType === 'BareMetal' ? 'Idle' : 'Speculative',
  }));
}
