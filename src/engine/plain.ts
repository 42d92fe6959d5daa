/** A Need without topology: credit what its cluster has, then acquire the cheapest (spec: engine 6.1, 6.5). */
import type { Market } from './market.ts';
import type { Tally } from './tally.ts';

export function creditPlain(market: Market, tally: Tally): void {
  if (tally.covered) return;
  const { inventory, ledger } = market;
  const { accepts } = market.fit(tally.row);
  for (const slots of market.creditable(tally.row)) {
    for (const slot of slots) {
      if (!ledger.isFree(slot) || accepts[inventory.classIndexOf(slot)] !== 1) continue;
      const cls = inventory.classOf(slot);
      if (!tally.contributes(cls)) continue;
      market.credit(tally, slot);
      tally.subtract(cls);
      if (tally.covered) return;
    }
  }
}

export function acquirePlain(market: Market, tally: Tally): void {
  const { inventory, ledger, room } = market;
  const walk = market.free.walk(market.fit(tally.row), (cls) => tally.contributes(cls));
  while (!tally.covered) {
    const pick = walk.peek();
    if (pick === undefined) return;
    if (pick.speculative && !room.book([inventory.machine(pick.slot).priceMicroUsdPerHour])) {
      tally.blocked = 'limit';
      return;
    }
    walk.take(pick);
    ledger.claim(pick.slot, tally.index, tally.tier);
    tally.picks.push(pick);
    tally.subtract(inventory.classOf(pick.slot));
  }
}
