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
  /** Per dimension how many members have which amount: the maximum survives the removal of its holder. */
  private readonly sizes = new Map<string, Map<bigint, number>>();
  private readonly allowance = new Map<string, bigint>();
  private need: CapacityNeed | undefined;

  constructor(identity: RowIdentity) {
    this.identity = identity;
    this.statusKey = statusKey(identity);
  }

  add(member: string, amounts: ExactAmounts): void {
    this.members.add(member);
    this.need = undefined;
    for (const [dimension, nanos] of amounts) {
      this.sums.set(dimension, (this.sums.get(dimension) ?? 0n) + nanos);
      let counts = this.sizes.get(dimension);
      if (!counts) this.sizes.set(dimension, (counts = new Map()));
      counts.set(nanos, (counts.get(nanos) ?? 0) + 1);
    }
  }

  remove(member: string, amounts: ExactAmounts): void {
    this.members.delete(member);
    this.need = undefined;
    for (const [dimension, nanos] of amounts) {
      const rest = (this.sums.get(dimension) ?? 0n) - nanos;
      if (rest === 0n) this.sums.delete(dimension);
      else this.sums.set(dimension, rest);
      const counts = this.sizes.get(dimension);
      const left = (counts?.get(nanos) ?? 0) - 1;
      if (left > 0) counts?.set(nanos, left);
      else counts?.delete(nanos);
      if (counts?.size === 0) this.sizes.delete(dimension);
    }
  }

  /** Σ requests, without the allowance. */
  requests(): ExactAmounts {
    return sorted(this.sums);
  }

  minUnit(): ExactAmounts {
    const max = new Map<string, bigint>();
    for (const [dimension, counts] of this.sizes) {
      let largest = 0n;
      for (const nanos of counts.keys()) if (nanos > largest) largest = nanos;
      max.set(dimension, largest);
    }
    return sorted(max);
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
