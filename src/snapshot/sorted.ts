import { compareText } from '../lib/compare-text.ts';
import { PER_STEP, sortedInSteps } from '../lib/steps.ts';

/** The items in order of a text. What is in order already, as most of a large fleet is, costs one look at each. */
export function* sortedBy<T>(items: readonly T[], textOf: (item: T) => string): Generator<undefined, readonly T[]> {
  let before: string | undefined;
  for (let i = 0; i < items.length; i++) {
    const text = textOf(items[i] as T);
    if (before !== undefined && compareText(before, text) > 0) return yield* sortedInSteps(items, (a, b) => compareText(textOf(a), textOf(b)));
    before = text;
    if (i % PER_STEP === PER_STEP - 1) yield;
  }
  return items;
}
