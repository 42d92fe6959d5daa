import type { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { OPERATOR_NUMBER, WHEN_UNSATISFIABLE_NUMBER } from '../api/profile.ts';
import { formatQuantity, fromBaseUnits, isByteDimension } from '../api/quantity.ts';
import { compareText } from '../lib/compare-text.ts';
import { statusKey, type ExactAmounts, type RowIdentity } from './contribution.ts';
import { nanosPerUnit, type Amount } from './known-amounts.ts';

/** A request in its row. */
export interface Member {
  readonly key: string;
  readonly amounts: readonly Amount[];
  /** Its place among the row's members; the row's own to write. */
  place: number;
}

/** What the members have of one dimension. */
interface Column {
  readonly dimension: string;
  /** The sum is `units` base units and `nanos` billionths: numbers are fast, and some amounts do not fit in any. */
  units: number;
  nanos: bigint;
  members: number;
  /** A largest one; undefined = to be found anew. */
  largest: Amount | undefined;
  /** How many members have as much as the largest. */
  holders: number;
}

/**
 * One row of the roll-up: the sum and the per-dimension maximum of its members, kept exact while members come and go.
 * Adding or removing a member costs its own dimensions, not the size of the row.
 */
export class DemandRow {
  readonly identity: RowIdentity;
  readonly statusKey: string;
  private readonly all: Member[] = [];
  /** By dimension, as they are reported. */
  private columns: Column[] = [];
  private readonly allowance = new Map<string, bigint>();
  private need: CapacityNeed | undefined;

  constructor(identity: RowIdentity) {
    this.identity = identity;
    this.statusKey = statusKey(identity);
  }

  get size(): number {
    return this.all.length;
  }

  /** The keys of the members, in no particular order. */
  get members(): string[] {
    return this.all.map(({ key }) => key);
  }

  add(member: Member): void {
    member.place = this.all.length;
    this.all.push(member);
    this.need = undefined;
    for (const amount of member.amounts) raise(this.columnOf(amount.dimension), amount);
  }

  /** The member must be one, with the amounts with which it came. */
  remove(member: Member): void {
    const last = this.all.pop() as Member;
    if (last !== member) {
      this.all[member.place] = last;
      last.place = member.place;
    }
    this.need = undefined;
    for (const amount of member.amounts) lower(this.columnOf(amount.dimension), amount);
    if (this.columns.some((column) => column.members === 0)) this.columns = this.columns.filter((column) => column.members > 0);
  }

  /** Σ requests, without the allowance. */
  requests(): ExactAmounts {
    return this.columns.map((column) => [column.dimension, sumOf(column)] as const);
  }

  minUnit(): ExactAmounts {
    return this.columns.map((column) => [column.dimension, this.largestOf(column).nanos] as const);
  }

  /** What the row reports beyond its requests (D3). */
  setAllowance(amounts: ExactAmounts): void {
    const next = amounts.filter(([, nanos]) => nanos > 0n);
    if (next.length === this.allowance.size && next.every(([d, n]) => this.allowance.get(d) === n)) return;
    this.allowance.clear();
    for (const [dimension, nanos] of next) this.allowance.set(dimension, nanos);
    this.need = undefined;
  }

  /** The row as the wire has it; the same object until something changes. */
  toNeed(): CapacityNeed {
    return (this.need ??= this.buildNeed());
  }

  private columnOf(dimension: string): Column {
    for (const column of this.columns) if (column.dimension === dimension) return column;
    const column: Column = { dimension, units: 0, nanos: 0n, members: 0, largest: undefined, holders: 0 };
    this.columns.push(column);
    this.columns.sort((a, b) => compareText(a.dimension, b.dimension));
    return column;
  }

  private largestOf(column: Column): Amount {
    if (column.largest) return column.largest;
    let largest: Amount | undefined;
    let holders = 0;
    for (const { amounts } of this.all) {
      for (const amount of amounts) {
        if (amount.dimension !== column.dimension) continue;
        const more = largest ? compare(amount, largest) : 1;
        if (more > 0) [largest, holders] = [amount, 1];
        else if (more === 0) holders++;
      }
    }
    if (!largest) throw new Error(`no member of ${this.identity.key} has any ${column.dimension}`);
    column.holders = holders;
    return (column.largest = largest);
  }

  private reported(): ExactAmounts {
    if (this.allowance.size === 0) return this.requests();
    const sums = new Map(this.requests());
    for (const [dimension, nanos] of this.allowance) sums.set(dimension, (sums.get(dimension) ?? 0n) + nanos);
    return [...sums].sort(([a], [b]) => compareText(a, b));
  }

  private buildNeed(): CapacityNeed {
    const { profile, group } = this.identity;
    return {
      requirements: profile.requirements.map((r) => ({ key: r.key, operator: OPERATOR_NUMBER[r.operator] as 1, values: [...r.values] })),
      aggregateResources: printed(this.reported()),
      priority: profile.priority,
      spread: profile.spread.map((s) => ({
        topologyKey: s.topologyKey, maxSkew: s.maxSkew, whenUnsatisfiable: WHEN_UNSATISFIABLE_NUMBER[s.whenUnsatisfiable] as 1,
      })),
      interruptionPenaltyBucket: profile.interruptionBucket as 0,
      reclamationPenaltyBucket: profile.reclamationBucket as 0,
      minUnit: printed(this.minUnit()),
      group,
    };
  }
}

function raise(column: Column, amount: Amount): void {
  column.members++;
  const sum = column.units + amount.units;
  if (Number.isSafeInteger(sum)) column.units = sum;
  else column.nanos += amount.nanos;
  const { largest } = column;
  if (!largest && column.members > 1) return; // still to be found anew
  const more = largest ? compare(amount, largest) : 1;
  if (more > 0) {
    column.largest = amount;
    column.holders = 1;
  } else if (more === 0) {
    column.holders++;
  }
}

function lower(column: Column, amount: Amount): void {
  column.members--;
  const sum = column.units - amount.units;
  if (Number.isSafeInteger(sum)) column.units = sum;
  else column.nanos -= amount.nanos;
  if (column.largest && compare(amount, column.largest) === 0 && --column.holders === 0) column.largest = undefined;
}

function sumOf({ dimension, units, nanos }: Column): bigint {
  return BigInt(units) * nanosPerUnit(dimension) + nanos;
}

function compare(a: Amount, b: Amount): number {
  if (a === b) return 0;
  const difference = a.units - b.units;
  if (!Number.isNaN(difference)) return difference;
  return a.nanos === b.nanos ? 0 : a.nanos < b.nanos ? -1 : 1;
}

/** Canonical text whatever the members wrote: equal amounts are equal bytes. */
function printed(amounts: ExactAmounts): Map<string, string> {
  return new Map(amounts.map(([dimension, nanos]) => [dimension, print(dimension, nanos)]));
}

function print(dimension: string, nanos: bigint): string {
  const bytes = isByteDimension(dimension);
  const unit = bytes ? 1_000_000_000n : 1_000_000n;
  // A sum that the shard could not count would cost the cluster its whole roll-up.
  if (nanos / unit >= BigInt(Number.MAX_SAFE_INTEGER)) return fromBaseUnits(dimension, Number.MAX_SAFE_INTEGER);
  return formatQuantity({ nanos, format: bytes && nanos % unit === 0n ? 'BinarySI' : 'DecimalSI' });
}
