import type { CapacityType, Instance } from '../kit/machine.ts';
import { simulatedHost } from './seed-file.ts';

interface Size {
  readonly name: string;
  readonly cpu: number;
  readonly memoryGi: number;
  readonly onDemandUsd: number;
}

const sizes: readonly Size[] = [
  { name: 'sim-4c-16g', cpu: 4, memoryGi: 16, onDemandUsd: 0.19 },
  { name: 'sim-8c-32g', cpu: 8, memoryGi: 32, onDemandUsd: 0.38 },
  { name: 'sim-16c-64g', cpu: 16, memoryGi: 64, onDemandUsd: 0.76 },
];
const zones = ['zone-a', 'zone-b', 'zone-c'];
/** In ten machines: one owned, one reserved, five on demand, three spot. */
const mix: readonly CapacityType[] = [
  'OnDemand', 'Spot', 'OnDemand', 'BareMetal', 'OnDemand', 'Spot', 'OnDemand', 'Reserved', 'OnDemand', 'Spot',
];
const discount: Partial<Record<CapacityType, number>> = { Spot: 0.35, Reserved: 0.6, BareMetal: 0.4 };

/** A made-up fleet for trying things out; owned machines are Idle from the start, everything else can be created. */
export function builtInSeeds(count: number): Instance[] {
  return offers(count, 'sim').map((slot): Instance =>
    slot.capacityType === 'BareMetal' ? { ...slot, state: 'Idle', host: simulatedHost(slot.id) } : slot);
}

/** The same fleet with nothing in it yet: every machine is to be created first. Ids are `<prefix>-00000` and so on. */
export function offers(count: number, prefix: string): Instance[] {
  return Array.from({ length: count }, (_, i) => {
    const size = sizes[i % sizes.length]!;
    const capacityType = mix[i % mix.length]!;
    const id = `${prefix}-${String(i).padStart(5, '0')}`;
    const resources = { cpu: String(size.cpu), memory: `${size.memoryGi}Gi`, pods: '110' };
    return {
      id,
      instanceType: size.name,
      zone: zones[i % zones.length]!,
      capacityType,
      pricePerHour: Math.round(size.onDemandUsd * (discount[capacityType] ?? 1) * 1e6) / 1e6,
      interruptionProbability: capacityType === 'Spot' ? 0.02 : 0,
      resources,
      allocatable: resources,
      labels: { 'kubernetes.io/arch': 'amd64', 'kubernetes.io/os': 'linux', 'topology.bigfleet/rack': `rack-${Math.floor(i / 32)}` },
      state: 'Speculative',
    } satisfies Instance;
  });
}
