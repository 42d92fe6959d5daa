/** Kinds of values that occur in several places of a snapshot: times, amounts, names of tables. */
import { isPenaltyBucket, isUnitClass } from '../api/profile.ts';
import { QuantityError } from '../api/quantity.ts';
import { formatResources, parseResources } from '../api/resource-vector.ts';
import type { Millis, ResourceVector } from '../engine/types.ts';
import { hintFor, objectAt, SnapshotError, within, wholeFrom, wrong } from './reader.ts';
import type { Read } from './reader.ts';

const RFC_3339 = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)$/;

/** The end of year 9999. */
const LAST = 253_402_300_799_999;

/** Unix milliseconds or RFC 3339. */
export function instant(value: unknown, path: string): Millis {
  if (typeof value === 'number') return value >= 0 && value <= LAST ? value : wrong(path, value, 'Unix milliseconds, from 0 to the end of year 9999');
  const at = typeof value === 'string' && RFC_3339.test(value) && isDay(value.slice(0, 10)) ? Date.parse(value) : NaN;
  return at >= 0 && at <= LAST ? at : wrong(path, value, 'Unix milliseconds or a time such as "2027-01-15T08:00:00Z", not before 1970');
}

/** YYYY-MM-DD. Date.parse takes 30 February for 2 March. */
function isDay(text: string): boolean {
  const [year = 0, month = 0, day = 0] = text.split('-').map(Number);
  const isLeap = (year % 4 === 0 && year % 100 !== 0) || year % 400 === 0;
  return day >= 1 && day <= ([31, isLeap ? 29 : 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month - 1] ?? 0);
}

export const amount = wholeFrom(0, Number.MAX_SAFE_INTEGER, 'a whole number of at least 0');
export const microUsd = wholeFrom(0, Number.MAX_SAFE_INTEGER, 'whole micro-USD per hour (1 USD is 1000000), at least 0');
export const priority = wholeFrom(-2_147_483_648, 2_147_483_647, 'a whole number of 32 bits');

export function bucket(value: unknown, path: string): number {
  return typeof value === 'number' && isPenaltyBucket(value) ? value : wrong(path, value, 'the number of a penalty bucket, 0 to 27 (1 = $0, 3 = $1, 16 = $8192, 27 = pinned)');
}

/** The class of a unit: such as the program writes it, since another one could never be that of a row. */
export function unitClassText(value: unknown, path: string): string {
  return typeof value === 'string' && isUnitClass(value) ? value : wrong(path, value, 'the class of a unit as the program writes it, such as "cpu=6,memory=7"; or leave it out');
}

/** Quantities by dimension: `{"cpu": "4", "memory": "32Gi"}`. Numbers are taken as well. */
export function resources(rounding: 'up' | 'down'): Read<ResourceVector> {
  return (value, path) => {
    const quantities = Object.entries(objectAt(value, path));
    for (const [dimension, quantity] of quantities) {
      if (typeof quantity !== 'string' && typeof quantity !== 'number') wrong(within(path, dimension), quantity, 'a quantity such as "4", "500m" or "32Gi"');
    }
    try {
      return parseResources(quantities as [string, string | number][], rounding);
    } catch (error) {
      if (error instanceof QuantityError) throw new SnapshotError(path, error.message);
      throw error;
    }
  };
}

/** Throws if an amount is no whole number of base units: such a number has no quantity. */
export function writeResources(vector: ResourceVector): Record<string, string> {
  return Object.fromEntries(formatResources(vector));
}

/** A name out of a table of the document, or the thing itself. */
export function namedOr<T>(table: ReadonlyMap<string, T>, what: string, read: Read<T>): Read<T> {
  return (value, path) => {
    if (typeof value !== 'string') return read(value, path);
    const named = table.get(value);
    if (named !== undefined) return named;
    throw new SnapshotError(path, `${JSON.stringify(value)} is not among the ${what} of this document${hintFor(value, table.keys())}`);
  };
}
