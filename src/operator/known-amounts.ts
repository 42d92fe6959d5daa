/** Amounts of the dimensions, each taken apart once: a cluster writes few different ones, and those very often. */
import { unitClass, type UnitClass } from '../api/profile.ts';
import { isByteDimension, parseQuantity, toBaseUnits } from '../api/quantity.ts';

export interface Amount {
  readonly dimension: string;
  /** Billionths, exactly; never negative. */
  readonly nanos: bigint;
  /** The same in base units if it is a whole number of them (spec: engine 1.6), else NaN. */
  readonly units: number;
  /** What it contributes to the unit class. */
  readonly unit: UnitClass;
}

/** What a request asks for when it asks for nothing: a place. */
export const ONE_MILLI_CPU: Amount = amountOf('cpu', '1m');

export class KnownAmounts {
  private readonly dimensions = new Map<string, Map<string | number, Amount>>();
  private count = 0;

  get size(): number {
    return this.count;
  }

  get(dimension: string, text: string | number): Amount | undefined {
    return this.dimensions.get(dimension)?.get(text);
  }

  /** Only for what was found to be countable: throws for everything else. */
  learn(dimension: string, text: string | number): Amount {
    const amount = amountOf(dimension, text);
    const texts = this.dimensions.get(dimension);
    if (texts) texts.set(text, amount);
    else this.dimensions.set(dimension, new Map([[text, amount]]));
    this.count++;
    return amount;
  }

  clear(): void {
    this.dimensions.clear();
    this.count = 0;
  }
}

/** Billionths in one base unit of the dimension. */
export function nanosPerUnit(dimension: string): bigint {
  return isByteDimension(dimension) ? 1_000_000_000n : 1_000_000n;
}

function amountOf(dimension: string, text: string | number): Amount {
  const { nanos } = parseQuantity(text);
  const rounded = toBaseUnits(dimension, { nanos, format: 'DecimalSI' }, 'up');
  return { dimension, nanos, units: BigInt(rounded) * nanosPerUnit(dimension) === nanos ? rounded : NaN, unit: unitClass([[dimension, rounded]]) };
}
