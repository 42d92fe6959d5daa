/** Names of resource dimensions as small integers, so that vectors of machines are plain arrays of numbers. */
import type { ResourceVector } from '../types.ts';

export class Dimensions {
  readonly #indexOf = new Map<string, number>();

  index(name: string): number {
    const known = this.#indexOf.get(name);
    if (known !== undefined) return known;
    const next = this.#indexOf.size;
    this.#indexOf.set(name, next);
    return next;
  }

  /** Amounts by dimension index; dimensions that the vector does not name are 0 or lie beyond the end. */
  dense(vector: ResourceVector): readonly number[] {
    const amounts: number[] = [];
    for (const [name, amount] of vector) {
      const at = this.index(name);
      while (amounts.length <= at) amounts.push(0);
      amounts[at] = amount;
    }
    return amounts;
  }
}

/** What a sum can say: more than machines have together. */
export const MOST = Number.MAX_SAFE_INTEGER;

/** Sums that stay exact below `MOST` and stop there. */
export function addUpTo(sum: number, count: number, amount: number): number {
  const more = count * amount;
  return more >= MOST - sum ? MOST : sum + more;
}

/** Sums two vectors of demand, dimension by dimension. */
export function addVectors(a: ResourceVector, b: ResourceVector): ResourceVector {
  return mergeVectors(a, b, (x, y) => x + y);
}

/** The larger of each dimension. */
export function maxVectors(a: ResourceVector, b: ResourceVector): ResourceVector {
  return mergeVectors(a, b, Math.max);
}

function mergeVectors(a: ResourceVector, b: ResourceVector, merge: (x: number, y: number) => number): ResourceVector {
  const out = new Map<string, number>(a);
  for (const [name, amount] of b) out.set(name, merge(out.get(name) ?? 0, amount));
  return [...out].sort(([x], [y]) => (x < y ? -1 : x > y ? 1 : 0));
}
