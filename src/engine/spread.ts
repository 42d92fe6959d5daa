/**
 * A Need with a strict spread: the greedy of spec: engine 6.6, which never widens the skew. Machines that the Need has
 * already count in their domains (X10), and a domain without a machine left still holds the others back.
 */
import type { SupplyWalk } from './free-supply.ts';
import type { Market } from './market.ts';
import { attribute } from './match.ts';
import type { StrictSpread } from './match.ts';
import { compareText } from '../lib/compare-text.ts';
import type { Pick, Tally } from './tally.ts';

interface Domain {
  readonly value: string;
  readonly walk: SupplyWalk;
  count: number;
}

export function acquireSpread(market: Market, tally: Tally, spread: StrictSpread): void {
  const { inventory, ledger, room } = market;
  const domains = domainsOf(market, tally, spread.key);
  while (!tally.covered) {
    const next = cheapestEligible(market, domains, spread.maxSkew);
    if (next === undefined) {
      if (domains.some((d) => d.walk.peek() !== undefined)) tally.blocked = 'spread';
      return;
    }
    const { domain, pick } = next;
    if (pick.speculative && !room.book([inventory.machine(pick.slot).priceMicroUsdPerHour])) {
      tally.blocked = 'limit';
      return;
    }
    domain.walk.take(pick);
    domain.count++;
    ledger.claim(pick.slot, tally.index, tally.tier);
    tally.picks.push(pick);
    tally.subtract(inventory.classOf(pick.slot));
  }
}

/** Every domain that has a machine of the Need or could give it one, by value. */
function domainsOf(market: Market, tally: Tally, key: string): Domain[] {
  const { inventory, free } = market;
  const fit = market.fit(tally.row);
  const counts = new Map<string, number>();
  for (const slot of tally.credited) {
    const value = attribute(key, inventory.classOf(slot));
    if (value !== undefined) counts.set(value, (counts.get(value) ?? 0) + 1);
  }
  for (const index of fit.classes) {
    const cls = inventory.classes.at(index);
    const value = attribute(key, cls);
    if (value !== undefined && free.left(index) > 0 && !counts.has(value)) counts.set(value, 0);
  }
  return [...counts]
    .sort(([a], [b]) => compareText(a, b))
    .map(([value, count]) => ({
      value,
      count,
      walk: free.walk(fit, (cls) => attribute(key, cls) === value && tally.contributes(cls)),
    }));
}

/** Idle before Speculative, then the cheapest head, then the smallest value. */
function cheapestEligible(market: Market, domains: readonly Domain[], maxSkew: number): { domain: Domain; pick: Pick } | undefined {
  const lowest = domains.reduce((low, d) => Math.min(low, d.count), Infinity);
  let best: { domain: Domain; pick: Pick; price: number } | undefined;
  for (const domain of domains) {
    if (domain.count > lowest + maxSkew - 1) continue;
    const pick = domain.walk.peek();
    if (pick === undefined) continue;
    const price = market.inventory.machine(pick.slot).priceMicroUsdPerHour;
    if (best !== undefined) {
      const order = Number(pick.speculative) - Number(best.pick.speculative) || price - best.price;
      if (order >= 0) continue;
    }
    best = { domain, pick, price };
  }
  return best;
}
