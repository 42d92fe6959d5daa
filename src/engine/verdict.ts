/** What became of each Need (spec: engine 6.8, 16; D12, D14, D18). */
import type { Inventory } from './inventory.ts';
import type { Market } from './market.ts';
import type { NeedsTable } from './needs-table.ts';
import type { Tally } from './tally.ts';
import type { Millis, NeedVerdict, UnmetReason } from './types.ts';

/** Counting stops here: whoever reads it wants to know whether supply exists, not how large a fleet is. */
const MATCHING_CAP = 256;

export function verdictOf(tally: Tally, arrival: Millis, market: Market, ranks: BoundRanks): NeedVerdict {
  const { inventory } = market;
  const bootstraps = tally.picks.filter((p) => !p.speculative).length;
  const arriving = tally.credited.filter((slot) => inventory.machine(slot).state !== 'Configured').length;
  const verdict: NeedVerdict = {
    need: tally.row.need,
    arrival,
    satisfied: tally.covered,
    deficit: tally.deficit(),
    machines: tally.credited.length + tally.picks.length,
    inFlight: arriving + tally.picks.length,
    bootstraps,
    provisions: tally.picks.length - bootstraps,
    ...(tally.domain !== undefined && { sameDomain: tally.domain }),
  };
  if (tally.covered) return verdict;
  const matchingSupply = matchingSupplyOf(tally, market);
  return { ...verdict, reason: reasonOf(tally, market, matchingSupply, ranks), matchingSupply };
}

type MatchingSupply = NonNullable<NeedVerdict['matchingSupply']>;

function matchingSupplyOf(tally: Tally, market: Market): MatchingSupply {
  const counts = { idle: 0, speculative: 0, configured: 0 };
  for (const index of market.fit(tally.row).classes) {
    const { usable } = market.inventory.classes.at(index);
    counts.idle += usable.idle;
    counts.speculative += usable.speculative;
    counts.configured += usable.configured;
  }
  const cap = (n: number): number => Math.min(n, MATCHING_CAP);
  return {
    idle: cap(counts.idle),
    speculative: cap(counts.speculative),
    configured: cap(counts.configured),
    capped: Object.values(counts).some((n) => n > MATCHING_CAP),
  };
}

/** First match wins. */
function reasonOf(tally: Tally, market: Market, supply: MatchingSupply, ranks: BoundRanks): UnmetReason {
  if (tally.blocked === 'session') return 'NO_SESSION';
  if (tally.blocked === 'topology') return 'TOPOLOGY_UNSATISFIABLE';
  const exists = tally.credited.length + tally.picks.length + supply.idle + supply.speculative + supply.configured > 0;
  if (!exists) return 'NO_MATCHING_SUPPLY';
  if (tally.blocked === 'limit') return 'LIMIT_REACHED';
  if (tally.blocked === 'spread') return 'SPREAD_UNSATISFIABLE';
  const { classes } = market.fit(tally.row);
  const starved = market.ledger.servesHigher(classes, tally.tier) || ranks.bindsHigher(classes, tally.row.need.profile.priority);
  return starved ? 'PRIORITY_STARVED' : 'SUPPLY_EXHAUSTED';
}

/**
 * Highest priority for which a machine of each class is bound in clusters that have not reported yet: whom it serves is
 * known, though no Need of this plan is credited with it. Computed when the first Need asks.
 */
export class BoundRanks {
  readonly #inventory: Inventory;
  readonly #needs: NeedsTable;
  #highest: Float64Array | undefined;

  constructor(inventory: Inventory, needs: NeedsTable) {
    this.#inventory = inventory;
    this.#needs = needs;
  }

  bindsHigher(classes: readonly number[], priority: number): boolean {
    const highest = (this.#highest ??= highestPriorities(this.#inventory, this.#needs));
    return classes.some((c) => (highest[c] as number) > priority);
  }
}

function highestPriorities(inventory: Inventory, needs: NeedsTable): Float64Array {
  const highest = new Float64Array(inventory.classes.capacity).fill(-Infinity);
  for (const cluster of inventory.boundClusters()) {
    if (needs.hasReported(cluster)) continue;
    for (const slot of inventory.bound(cluster)) {
      const priority = inventory.machine(slot).assigned?.priority;
      if (priority === undefined) continue;
      const cls = inventory.classIndexOf(slot);
      highest[cls] = Math.max(highest[cls] as number, priority);
    }
  }
  return highest;
}
