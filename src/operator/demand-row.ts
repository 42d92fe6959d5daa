import type { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { OPERATOR_NUMBER, WHEN_UNSATISFIABLE_NUMBER } from '../api/profile.ts';
import { formatQuantity, fromBaseUnits, isByteDimension } from '../api/quantity.ts';
import { compareText } from '../lib/compare-text.ts';
import { statusKey, type ExactAmounts, type RowIdentity } from './contribution.ts';

/**
 * One row of the roll-up: the sum and the per-dimension maximum of its members, kept exact while members come and go.
 * Adding or removing a member costs its own dimensions, not the size of the row.
 */
export class DemandRow {
  readonly identity: RowIdentity;
  readonly statusKey: string;
  readonly members = new Set<string>();
  private readonly sums = new Map<string, bigint>();
  /** How many members have which amounts; alike ones mostly share theirs. The maximum survives the removal of its holder. */
  private readonly sizes = new Map<ExactAmounts, number>();
  /** The per-dimension maximum; undefined = to be found anew. */
  private largest: Map<string, bigint> | undefined = new Map();
  private readonly allowance = new Map<string, bigint>();
  private need: CapacityNeed | undefined;

  constructor(identity: RowIdentity) {
    this.identity = identity;
    this.statusKey = statusKey(identity);
  }

  add(member: string, amounts: ExactAmounts): void {
    this.members.add(member);
    this.need = undefined;
    for (const [dimension, nanos] of amounts) this.sums.set(dimension, (this.sums.get(dimension) ?? 0n) + nanos);
    const alike = this.sizes.get(amounts) ?? 0;
    this.sizes.set(amounts, alike + 1);
    if (alike === 0 && this.largest) raise(this.largest, amounts);
  }

  remove(member: string, amounts: ExactAmounts): void {
    this.members.delete(member);
    this.need = undefined;
    for (const [dimension, nanos] of amounts) {
      const rest = (this.sums.get(dimension) ?? 0n) - nanos;
      if (rest === 0n) this.sums.delete(dimension);
      else this.sums.set(dimension, rest);
    }
    const left = (this.sizes.get(amounts) ?? 0) - 1;
    if (left > 0) {
      this.sizes.set(amounts, left);
      return;
    }
    this.sizes.delete(amounts);
    if (amounts.some(([dimension, nanos]) => nanos === this.largest?.get(dimension))) this.largest = undefined;
  }

  /** Σ requests, without the allowance. */
  requests(): ExactAmounts {
    return sorted(this.sums);
  }

  minUnit(): ExactAmounts {
    if (!this.largest) {
      this.largest = new Map();
      for (const amounts of this.sizes.keys()) raise(this.largest, amounts);
    }
    return sorted(this.largest);
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

  private buildNeed(): CapacityNeed {
    const { profile, group } = this.identity;
    const aggregate = new Map(this.sums);
    for (const [dimension, nanos] of this.allowance) aggregate.set(dimension, (aggregate.get(dimension) ?? 0n) + nanos);
    return {
      requirements: profile.requirements.map((r) => ({ key: r.key, operator: OPERATOR_NUMBER[r.operator] as 1, values: [...r.values] })),
      aggregateResources: printed(sorted(aggregate)),
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

function raise(largest: Map<string, bigint>, amounts: ExactAmounts): void {
  for (const [dimension, nanos] of amounts) {
    const before = largest.get(dimension);
    if (before === undefined || nanos > before) largest.set(dimension, nanos);
  }
}

function sorted(amounts: ReadonlyMap<string, bigint>): ExactAmounts {
  return [...amounts].sort(([a], [b]) => compareText(a, b));
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
