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

/** What of an instance type is to be had, undecided, held by nobody and not resting: counts, and the prices of the Idle machines. */
export interface TypeSupply {
  readonly idle: Pick<PriceRange, 'count' | 'min'>;
  readonly speculative: number;
}

/** How many machines one provider has, in each state, what it offers, and what of all that is to be had; kept up with each change of one of them. */
export class SupplyTally {
  private machines = 0;
  private readonly byState = noMachines();
  private readonly offersByKey = new Map<string, Omit<Offer, 'prices'> & { prices: PriceRange }>();
  private readonly supply = { idle: 0, speculative: 0 };
  private readonly types = new Map<string, { idle: PriceRange; speculative: number }>();

  get size(): number {
    return this.machines;
  }

  /** One machine changed, came (no `before`) or went (no `after`). */
  change(before: MachineRecord | undefined, after: MachineRecord | undefined): void {
    const [wasToBeHad, isToBeHad] = [canBeHad(before), canBeHad(after)];
    if (before && after && before.seen === after.seen && wasToBeHad === isToBeHad) return;
    if (before) this.remove(before);
    if (after) this.add(after);
    if (before && wasToBeHad) this.take(before);
    if (after && isToBeHad) this.give(after);
  }

  countByState(): Record<MachineState, number> {
    return { ...this.byState };
  }

  /** By instance type, zone and capacity type. */
  offers(): Offer[] {
    return [...this.offersByKey.entries()].sort(([a], [b]) => (a < b ? -1 : 1)).map(([, offer]) => offer);
  }

  /** Undefined: none of the type is to be had. */
  supplyOf(instanceType: string): TypeSupply | undefined {
    return this.types.get(instanceType);
  }

  /** Of all types together; no price, since it would compare what cannot be. */
  totalSupply(): { readonly idle: number; readonly speculative: number } {
    return { ...this.supply };
  }

  private give({ seen: { state, instanceType, priceMicroUsdPerHour } }: MachineRecord): void {
    this.supply[state === 'Idle' ? 'idle' : 'speculative']++;
    let type = this.types.get(instanceType);
    if (!type) this.types.set(instanceType, (type = { idle: new PriceRange(), speculative: 0 }));
    if (state === 'Idle') type.idle.add(priceMicroUsdPerHour);
    else type.speculative++;
  }

  private take({ seen: { state, instanceType, priceMicroUsdPerHour } }: MachineRecord): void {
    this.supply[state === 'Idle' ? 'idle' : 'speculative']--;
    const type = this.types.get(instanceType);
    if (!type) return;
    if (state === 'Idle') type.idle.remove(priceMicroUsdPerHour);
    else type.speculative--;
    if (type.idle.count === 0 && type.speculative === 0) this.types.delete(instanceType);
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

/** What rests after a refusal is chosen for nobody until that is over; then `coolUntil` is 0 again. */
function canBeHad(record: MachineRecord | undefined): boolean {
  if (!record) return false;
  const { seen: { state }, intent, hold, stuck, coolUntil } = record;
  return (state === 'Idle' || state === 'Speculative') && intent === undefined && !hold && !stuck && coolUntil === 0;
}

function offerKey({ instanceType, zone, capacityType }: MachineRecord['seen']): string {
  return `${instanceType}\n${zone}\n${capacityType}`;
}
