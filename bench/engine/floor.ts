/**
 * What no engine can go below: a plain loop that reads once every column that the work has to look at. Of a machine: state,
 * intent, owner, whom it serves, kind, price, allocatable cpu and memory. Of a row: priority, buckets, aggregate and
 * min_unit, cpu and memory. Decides nothing.
 */
import { performance } from 'node:perf_hooks';
import type { Need, ResourceVector } from '../../src/engine/types.ts';
import type { Fleet } from './fleet.ts';
import { quantile } from './measure.ts';

const PASSES = 15;
const SHORTEST_MS = 0.5;

/** Milliseconds of one pass over all machines, or those of `only`, and over the rows: the median of some passes. */
export function floorMs(fleet: Fleet | undefined, rows: readonly Need[], only?: Int32Array): number {
  const columns = new RowColumns(rows);
  const pass = (): number => (fleet === undefined ? 0 : only === undefined ? readAll(fleet) : readSome(fleet, only)) + columns.read();
  let kept = 0;
  let rounds = 1;
  for (;;) {
    // The clock cannot see a single short pass.
    const start = performance.now();
    for (let i = 0; i < rounds; i++) kept += pass();
    if (performance.now() - start >= SHORTEST_MS) break;
    rounds *= 2;
  }
  const times: number[] = [];
  for (let n = 0; n < PASSES; n++) {
    const start = performance.now();
    for (let i = 0; i < rounds; i++) kept += pass();
    times.push((performance.now() - start) / rounds);
  }
  if (Number.isNaN(kept)) throw new Error('a column holds no number'); // also keeps the loops from being optimised away
  return quantile(times, 0.5);
}

function readAll(fleet: Fleet): number {
  const { state, intent, owner, assigned, kind, price, cpu, memory, size } = fleet;
  let sum = 0;
  for (let i = 0; i < size; i++) {
    sum += (state[i] as number) + (intent[i] as number) + (owner[i] as number) + (assigned[i] as number);
    sum += (kind[i] as number) + (price[i] as number) + (cpu[i] as number) + (memory[i] as number);
  }
  return sum;
}

function readSome(fleet: Fleet, only: Int32Array): number {
  const { state, intent, owner, assigned, kind, price, cpu, memory } = fleet;
  let sum = 0;
  for (let n = 0; n < only.length; n++) {
    const i = only[n] as number;
    sum += (state[i] as number) + (intent[i] as number) + (owner[i] as number) + (assigned[i] as number);
    sum += (kind[i] as number) + (price[i] as number) + (cpu[i] as number) + (memory[i] as number);
  }
  return sum;
}

class RowColumns {
  readonly #columns: readonly Float64Array[];

  constructor(rows: readonly Need[]) {
    const column = (read: (row: Need) => number): Float64Array => Float64Array.from(rows, read);
    this.#columns = [
      column((r) => r.profile.priority),
      column((r) => r.profile.interruptionBucket),
      column((r) => r.profile.reclamationBucket),
      column((r) => amount(r.aggregate, 'cpu')),
      column((r) => amount(r.aggregate, 'memory')),
      column((r) => amount(r.minUnit, 'cpu')),
      column((r) => amount(r.minUnit, 'memory')),
    ];
  }

  read(): number {
    let sum = 0;
    for (const column of this.#columns) for (let i = 0; i < column.length; i++) sum += column[i] as number;
    return sum;
  }
}

function amount(vector: ResourceVector, name: string): number {
  for (const [dimension, value] of vector) if (dimension === name) return value;
  return 0;
}
