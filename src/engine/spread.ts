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

/**
 * Credits evenly: the domain that has least comes next, so that what is left over is where there is most. What serves
 * already still comes before what is on its way, and counts even where the skew is wide: it is there, and giving it up to
 * buy elsewhere would serve nobody.
 */
export function creditSpread(market: Market, tally: Tally, { key }: StrictSpread): void {
  const { inventory } = market;
  const counts = new Map<string, number>();
  const [bound = [], ...arriving] = market.creditable(tally.row);
  const isConfigured = (slot: number): boolean => inventory.machine(slot).state === 'Configured';
  const stages = [bound.filter(isConfigured), bound.filter((slot) => !isConfigured(slot)), ...arriving];
  for (const stage of stages) {
    if (tally.covered) return;
    creditEvenly(market, tally, queuesOf(market, tally, key, stage), counts);
  }
}

/** Machines of one domain in keep-priority order; undefined = they lack the label and so are in no domain. */
interface Queue {
  readonly domain: string | undefined;
  readonly rest: { readonly slot: number; readonly position: number }[];
}

function creditEvenly(market: Market, tally: Tally, queues: readonly Queue[], counts: Map<string, number>): void {
  const countOf = ({ domain }: Queue): number => (domain === undefined ? Infinity : (counts.get(domain) ?? 0));
  const positionOf = ({ rest }: Queue): number => rest[0]?.position ?? Infinity;
  while (!tally.covered) {
    let next: Queue | undefined;
    for (const queue of queues) {
      if (queue.rest.length === 0) continue;
      const gap = next === undefined || countOf(queue) === countOf(next) ? 0 : countOf(queue) - countOf(next);
      if (next === undefined || gap < 0 || (gap === 0 && positionOf(queue) < positionOf(next))) next = queue;
    }
    const slot = next?.rest.shift()?.slot;
    if (next === undefined || slot === undefined) return;
    const cls = market.inventory.classOf(slot);
    if (!tally.contributes(cls)) continue;
    if (next.domain !== undefined) counts.set(next.domain, countOf(next) + 1);
    market.credit(tally, slot);
    tally.subtract(cls);
  }
}

function queuesOf(market: Market, tally: Tally, key: string, slots: readonly number[]): Queue[] {
  const { inventory, ledger } = market;
  const { accepts } = market.fit(tally.row);
  const queues = new Map<string | undefined, Queue>();
  slots.forEach((slot, position) => {
    if (!ledger.isFree(slot) || accepts[inventory.classIndexOf(slot)] !== 1) return;
    const domain = attribute(key, inventory.classOf(slot));
    const queue = queues.get(domain) ?? { domain, rest: [] };
    queue.rest.push({ slot, position });
    queues.set(domain, queue);
  });
  return [...queues.values()];
}

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
