/** Amounts by dimension, as the engine counts them: sorted by name, no name twice, integers in base units (spec: engine 1.6). */
import { compareText } from '../lib/compare-text.ts';
import { fromBaseUnits, QuantityError, toBaseUnits } from './quantity.ts';

export type ResourceAmounts = readonly (readonly [dimension: string, amount: number])[];

/**
 * Parses quantities by dimension (a wire map, or Object.entries of a ResourceList). Demand rounds `up`, capacity `down`.
 * Throws QuantityError, naming the dimension, for anything that is no quantity, is negative or too large.
 */
export function parseResources(quantities: Iterable<readonly [string, string | number]>, rounding: 'up' | 'down'): ResourceAmounts {
  const amounts: [string, number][] = [];
  for (const [dimension, quantity] of quantities) {
    const amount = toBaseUnits(dimension, quantity, rounding);
    if (amount < 0) throw new QuantityError(`${dimension}: ${String(quantity)} is negative; write 0 or more`);
    amounts.push([dimension, amount]);
  }
  return amounts.sort((a, b) => compareText(a[0], b[0]));
}

/** The wire's map of canonical quantities. */
export function formatResources(amounts: ResourceAmounts): Map<string, string> {
  return new Map(amounts.map(([dimension, amount]) => [dimension, fromBaseUnits(dimension, amount)]));
}
