import type { CapacityType, MachineState } from '../engine/types.ts';
import { PriceRange } from './price-range.ts';
import type { MachineRecord } from './record.ts';

/** Speculative machines of one kind. */
export interface Offer {
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly prices: Pick<PriceRange, 'count' | 'min' | 'max'>;
}

/** How many machines one provider has, in each state, and what it offers; kept up with each change of one of them. */
export class SupplyTally {
  private machines = 0;
  private readonly byState = noMachines();
  private readonly offersByKey = new Map<string, Omit<Offer, 'prices'> & { prices: PriceRange }>();

  get size(): number {
    return this.machines;
  }

  /** One machine changed, came (no `before`) or went (no `after`). */
  change(before: MachineRecord | undefined, after: MachineRecord | undefined): void {
    if (before && after && before.seen === after.seen) return;
    if (before) this.remove(before);
    if (after) this.add(after);
  }

  countByState(): Record<MachineState, number> {
    return { ...this.byState };
  }

  /** By instance type, zone and capacity type. */
  offers(): Offer[] {
    return [...this.offersByKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, offer]) => offer);
  }

  private add({ seen }: MachineRecord): void {
    this.machines++;
    this.byState[seen.state]++;
    if (seen.state !== 'Speculative') return;
    const { instanceType, zone, capacityType } = seen;
    const key = offerKey(seen);
    let offer = this.offersByKey.get(key);
    if (!offer) this.offersByKey.set(key, (offer = { instanceType, zone, capacityType, prices: new PriceRange() }));
    offer.prices.add(seen.priceMicroUsdPerHour);
  }

  private remove({ seen }: MachineRecord): void {
    this.machines--;
    this.byState[seen.state]--;
    if (seen.state !== 'Speculative') return;
    const key = offerKey(seen);
    const offer = this.offersByKey.get(key);
    offer?.prices.remove(seen.priceMicroUsdPerHour);
    if (offer?.prices.count === 0) this.offersByKey.delete(key);
  }
}

/** Of none in each state. */
export function noMachines(): Record<MachineState, number> {
  return { Speculative: 0, Creating: 0, Idle: 0, Configuring: 0, Configured: 0, Draining: 0, Deleting: 0, Failed: 0 };
}

function offerKey({ instanceType, zone, capacityType }: MachineRecord['seen']): string {
  return `${instanceType}\n${zone}\n${capacityType}`;
}
