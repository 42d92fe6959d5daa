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

/** So many are remembered; then it begins anew. */
const MOST_AMOUNTS = 20_000;

export class KnownAmounts {
  private readonly dimensions = new Map<string, Map<string | number, Amount>>();
  private count = 0;

  /** Undefined for what is no amount, is negative or cannot be counted: `contributionOf` says what is wrong with it. */
  of(dimension: string, text: string | number): Amount | undefined {
    return this.dimensions.get(dimension)?.get(text) ?? this.learn(dimension, text);
  }

  private learn(dimension: string, text: string | number): Amount | undefined {
    const amount = countable(dimension, text);
    if (!amount) return undefined;
    if (++this.count > MOST_AMOUNTS) this.forget();
    const texts = this.dimensions.get(dimension);
    if (texts) texts.set(text, amount);
    else this.dimensions.set(dimension, new Map([[text, amount]]));
    return amount;
  }

  private forget(): void {
    this.dimensions.clear();
    this.count = 1;
  }
}

/** Billionths in one base unit of the dimension. */
export function nanosPerUnit(dimension: string): bigint {
  return isByteDimension(dimension) ? 1_000_000_000n : 1_000_000n;
}

function countable(dimension: string, text: string | number): Amount | undefined {
  try {
    const amount = amountOf(dimension, text);
    return amount.nanos < 0n ? undefined : amount;
  } catch {
    return undefined;
  }
}

function amountOf(dimension: string, text: string | number): Amount {
  const { nanos } = parseQuantity(text);
  const rounded = toBaseUnits(dimension, { nanos, format: 'DecimalSI' }, 'up');
  return { dimension, nanos, units: BigInt(rounded) * nanosPerUnit(dimension) === nanos ? rounded : NaN, unit: unitClass([[dimension, rounded]]) };
}
