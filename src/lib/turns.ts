/** Long work in short stretches, so that timers, sockets and everybody else get their turn in between (D10). */

/** So many machines or rows are looked at in one turn of the event loop. */
export const PER_TURN = 2_000;

/** Lets timers and I/O run first. */
export function nextTurn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Visits every item, at most `perTurn` in one stretch; nothing is awaited for fewer. Rejects with what `visit` throws. */
export async function inTurns<T>(items: Iterable<T>, visit: (item: T) => void, perTurn = PER_TURN): Promise<void> {
  let visited = 0;
  for (const item of items) {
    if (visited > 0 && visited % perTurn === 0) await nextTurn();
    visit(item);
    visited++;
  }
}

/** Runs what a generator does (`steps.ts`), one step per turn. */
export async function finishInTurns<T>(steps: Generator<unknown, T>): Promise<T> {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
    await nextTurn();
  }
}

/** In order, for as many items as there may be: sorted in short stretches, then merged as they are asked for. Equal items keep their order. */
export async function* sortedInTurns<T>(items: Iterable<T>, compare: (a: T, b: T) => number, perTurn = PER_TURN): AsyncGenerator<T, void, void> {
  let runs: T[][] = [];
  let run: T[] = [];
  for (const item of items) {
    if (run.length === perTurn) {
      runs.push(run.sort(compare));
      run = [];
      await nextTurn();
    }
    run.push(item);
  }
  runs.push(run.sort(compare));
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) {
      const [a, b] = [runs[i] ?? [], runs[i + 1]];
      merged.push(b ? await merge(a, b, compare, perTurn) : a);
    }
    runs = merged;
  }
  yield* runs[0] ?? [];
}

async function merge<T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number, perTurn: number): Promise<T[]> {
  const merged: T[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const takeA = j >= b.length || (i < a.length && compare(a[i] as T, b[j] as T) <= 0);
    merged.push((takeA ? a[i++] : b[j++]) as T);
    if (merged.length % (4 * perTurn) === 0) await nextTurn();
  }
  return merged;
}
