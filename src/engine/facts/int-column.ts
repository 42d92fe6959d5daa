/** Columns that grow: one number per machine, addressed by slot. */

type Column = Uint8Array | Int32Array | Float64Array;

const LEAST = 1024;
/** Columns begin with lengths that differ by so much, and keep that as they grow: no two of them are copied in the same turn. */
const STAGGER = 1.5 ** (1 / 14);

/** Grows by half, so that at most a third of a column is ever unused. */
export function grown(capacity: number, needed: number, least = LEAST): number {
  return needed <= capacity ? capacity : Math.max(needed, Math.ceil(capacity * 1.5), least);
}

/** `column` if it is long enough, else its copy in a longer one, which ends in zeroes. `nth` of up to fourteen that grow together. */
export function withRoom<C extends Column>(column: C, needed: number, nth: number): C {
  if (needed <= column.length) return column;
  const bigger = new (column.constructor as new (length: number) => C)(grown(column.length, needed, Math.round(LEAST * STAGGER ** nth)));
  bigger.set(column);
  return bigger;
}
