/** Columns that grow: one number per machine, addressed by slot. */

/** Grows by half, so that at most a third of a column is ever unused. */
export function grown(capacity: number, needed: number): number {
  return needed <= capacity ? capacity : Math.max(needed, Math.ceil(capacity * 1.5), 1024);
}

export function growInts(column: Int32Array, capacity: number, fill: number): Int32Array {
  const bigger = new Int32Array(capacity);
  bigger.set(column);
  if (fill !== 0) bigger.fill(fill, column.length);
  return bigger;
}

export function growBytes(column: Uint8Array, capacity: number): Uint8Array {
  const bigger = new Uint8Array(capacity);
  bigger.set(column);
  return bigger;
}

export function growInstants(column: Float64Array, capacity: number): Float64Array {
  const bigger = new Float64Array(capacity);
  bigger.set(column);
  bigger.fill(Number.NaN, column.length);
  return bigger;
}
