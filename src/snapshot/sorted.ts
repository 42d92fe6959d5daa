import { compareText } from '../lib/compare-text.ts';

/** The items in order of a text. What is in order already, as most of a large fleet is, costs one look at each. */
export function sortedBy<T>(items: readonly T[], textOf: (item: T) => string): readonly T[] {
  let before: string | undefined;
  for (const item of items) {
    const text = textOf(item);
    if (before !== undefined && compareText(before, text) > 0) return [...items].sort((a, b) => compareText(textOf(a), textOf(b)));
    before = text;
  }
  return items;
}
