import type { ExactAmounts } from './contribution.ts';

/** A machine that is there or announced: what it can hold more, and what decides who may use it. */
export interface Bin {
  readonly free: ExactAmounts;
  /** Machines of one kind are open to the same rows. */
  readonly kind: string;
}

export interface Item {
  readonly key: string;
  readonly amounts: ExactAmounts;
  readonly mayUse: (kind: string) => boolean;
}

/** Thousandths: exact as numbers up to nine quadrillion, which is memory of eight tebibytes in bytes. */
const NANOS_PER_UNIT = 1_000_000n;
/** So many comparisons of a machine with a kind of Pod are a few milliseconds of the main loop. */
const MOST_COMPARISONS = 400_000;

interface Class {
  readonly size: readonly number[];
  readonly mayUse: (kind: string) => boolean;
  readonly keys: string[];
  placed: number;
}

/**
 * Which items find no place if machine after machine is filled with the largest that fits (first fit, decreasing; equal input,
 * equal answer, whatever its order). Undefined: it would take too long to say. What else a scheduler heeds is not looked at, so
 * that the answer may be too short.
 */
export function leftOver(bins: readonly Bin[], items: readonly Item[], mostComparisons = MOST_COMPARISONS): ReadonlySet<string> | undefined {
  const dimensions = [...new Set(items.flatMap(({ amounts }) => amounts.map(([dimension]) => dimension)))].sort();
  const classes = classesOf(items, dimensions);
  if (bins.length * classes.length > mostComparisons) return undefined;
  const all = bins.map(({ free, kind }) => ({ kind, free: vector(free, dimensions, (nanos) => nanos / NANOS_PER_UNIT) }));
  all.sort((a, b) => descending(a.free, b.free) || (a.kind < b.kind ? -1 : Number(a.kind > b.kind)));
  for (const { kind, free } of all) {
    for (const each of classes) {
      if (each.placed === each.keys.length || !each.mayUse(kind)) continue;
      const count = Math.min(each.keys.length - each.placed, holds(free, each.size));
      if (count <= 0) continue;
      each.placed += count;
      for (let d = 0; d < free.length; d++) free[d]! -= count * each.size[d]!;
    }
  }
  return new Set(classes.flatMap(({ keys, placed }) => keys.slice(placed)));
}

/** Items that differ in nothing but their key, the largest first. */
function classesOf(items: readonly Item[], dimensions: readonly string[]): Class[] {
  const byUse = new Map<Item['mayUse'], Map<string, Class>>();
  for (const { key, amounts, mayUse } of items) {
    const size = vector(amounts, dimensions, (nanos) => (nanos + NANOS_PER_UNIT - 1n) / NANOS_PER_UNIT);
    const ofUse = byUse.get(mayUse) ?? new Map<string, Class>();
    byUse.set(mayUse, ofUse);
    const text = size.join();
    const known = ofUse.get(text);
    if (known) known.keys.push(key);
    else ofUse.set(text, { size, mayUse, keys: [key], placed: 0 });
  }
  const classes = [...byUse.values()].flatMap((ofUse) => [...ofUse.values()]);
  for (const { keys } of classes) keys.sort();
  return classes.sort((a, b) => descending(a.size, b.size) || (a.keys[0]! < b.keys[0]! ? -1 : 1));
}

function vector(amounts: ExactAmounts, dimensions: readonly string[], round: (nanos: bigint) => bigint): number[] {
  const known = new Map(amounts);
  return dimensions.map((dimension) => Number(round(known.get(dimension) ?? 0n)));
}

function holds(free: readonly number[], size: readonly number[]): number {
  let count = Infinity;
  for (let d = 0; d < size.length; d++) if (size[d]! > 0) count = Math.min(count, Math.floor(free[d]! / size[d]!));
  return count === Infinity ? Number.MAX_SAFE_INTEGER : count;
}

function descending(a: readonly number[], b: readonly number[]): number {
  for (let d = 0; d < a.length; d++) if (a[d] !== b[d]) return b[d]! - a[d]!;
  return 0;
}
