/** Long work as a generator that stops now and then: who has time runs it through, who has other things to do lets them in between. */

/** Runs all of it at once. */
export function finish<T>(steps: Generator<unknown, T>): T {
  for (;;) {
    const step = steps.next();
    if (step.done === true) return step.value;
  }
}

/** So many items are dealt with in one step. */
export const PER_STEP = 500;

/** Stops after every so many items. */
export function* inSteps<T>(items: Iterable<T>, visit: (item: T) => void, perStep = PER_STEP): Generator<undefined, void> {
  let visited = 0;
  for (const item of items) {
    visit(item);
    if (++visited % perStep === 0) yield;
  }
}

/** A new list in order. Equal items keep their order. */
export function* sortedInSteps<T>(items: readonly T[], compare: (a: T, b: T) => number, perStep = PER_STEP): Generator<undefined, T[]> {
  let runs: T[][] = [];
  for (let from = 0; from < items.length; from += perStep) {
    runs.push(items.slice(from, from + perStep).sort(compare));
    yield;
  }
  while (runs.length > 1) {
    const merged: T[][] = [];
    for (let i = 0; i < runs.length; i += 2) merged.push(yield* merge(runs[i] ?? [], runs[i + 1] ?? [], compare, perStep));
    runs = merged;
  }
  return runs[0] ?? [];
}

function* merge<T>(a: readonly T[], b: readonly T[], compare: (a: T, b: T) => number, perStep: number): Generator<undefined, T[]> {
  const merged: T[] = [];
  let [i, j] = [0, 0];
  while (i < a.length || j < b.length) {
    const takeA = j >= b.length || (i < a.length && compare(a[i] as T, b[j] as T) <= 0);
    merged.push((takeA ? a[i++] : b[j++]) as T);
    if (merged.length % (4 * perStep) === 0) yield;
  }
  return merged;
}
