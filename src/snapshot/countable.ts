import { Profiles } from '../engine/facts/demand.ts';
import { mergeNeeds, rowKey } from '../engine/facts/need-row.ts';
import type { Need } from '../engine/types.ts';

/**
 * The dimension of which rows of one cluster that are the same demand, and so added up by the engine, are more together than
 * can be counted exactly; undefined = none.
 */
export function uncountable(needs: readonly Need[]): string | undefined {
  const profiles = new Profiles();
  const merged = new Map<string, Need>();
  for (const need of needs) {
    const key = rowKey(need, profiles.of(need.profile));
    const known = merged.get(key);
    const sum = known === undefined ? need : mergeNeeds(known, need);
    const over = sum.aggregate.find(([, amount]) => !Number.isSafeInteger(amount));
    if (over !== undefined) return over[0];
    merged.set(key, sum);
  }
  return undefined;
}
