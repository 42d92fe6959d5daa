/** One machine as the sim provider's seed file wants it: one JSON document a line (spec: provider 2.1, demo). */
export interface SeedInstance {
  readonly id: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: 'BareMetal' | 'OnDemand' | 'Spot';
  /** US dollars: the provider's wire speaks dollars, ours integers (`priceMicroUsdPerHour`). */
  readonly pricePerHour: number;
  readonly interruptionProbability: number;
  readonly resources: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
  readonly state: 'Idle' | 'Speculative';
  /** Present exactly when the machine exists from the start (Idle). */
  readonly host?: { readonly provider: string; readonly ref: string };
}

export const HOST_PROVIDER = 'sim';

/** A machine's price: BareMetal stands for its amortisation, Spot for its discount (spec: demo). */
const PRICE_PERCENT = { BareMetal: 40, OnDemand: 100, Spot: 35 } as const;
const SPOT_INTERRUPTION_PROBABILITY = 0.02;

export interface SeedShape {
  readonly id: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: SeedInstance['capacityType'];
  readonly onDemandMicroUsdPerHour: number;
  readonly resources: Readonly<Record<string, string>>;
  readonly labels: Readonly<Record<string, string>>;
}

/** Completes a machine: BareMetal exists from the start, the others are offers; price and probability by capacity type. */
export function seedInstance(shape: SeedShape): SeedInstance {
  const { onDemandMicroUsdPerHour, ...rest } = shape;
  const bareMetal = shape.capacityType === 'BareMetal';
  const microUsd = Math.round((onDemandMicroUsdPerHour * PRICE_PERCENT[shape.capacityType]) / 100);
  return {
    ...rest,
    pricePerHour: microUsd / 1_000_000,
    interruptionProbability: shape.capacityType === 'Spot' ? SPOT_INTERRUPTION_PROBABILITY : 0,
    allocatable: shape.resources,
    state: bareMetal ? 'Idle' : 'Speculative',
    ...(bareMetal ? { host: { provider: HOST_PROVIDER, ref: `sim:///${shape.id}` } } : {}),
  };
}
