/** The one ordered pass (spec: engine 6.9): each Need in turn is credited, acquires, then preempts. No displacement, no retries. */
import type { Cluster } from '../facts/cluster.ts';
import type { NeedRow } from '../facts/need-row.ts';
import { Forecasts } from './forecast.ts';
import type { Turns } from './forecast.ts';
import type { Market } from './market.ts';
import { acquirePlain, creditOthers, creditPlain } from './plain.ts';
import { preempt } from './preempt.ts';
import { keepLeftOver, serveSame } from './same.ts';
import { creditOthersEvenly, creditSpread, seekEvenly } from './spread.ts';
import { Tally } from './tally.ts';

/** Rows of several clusters, each cluster's in order, as one list in the engine's order. `clusters` by name. */
export function interleave(clusters: readonly (readonly NeedRow[])[]): NeedRow[] {
  const tiers = new Map<number, NeedRow[]>();
  for (const rows of clusters) {
    for (const row of rows) {
      const tier = tiers.get(row.precedence);
      if (tier === undefined) tiers.set(row.precedence, [row]);
      else tier.push(row);
    }
  }
  // Sorting is stable: rows of equal age stay in order of cluster, and within a cluster in its own.
  return [...tiers].sort(([a], [b]) => b - a).flatMap(([, rows]) => rows.sort((a, b) => (a.arrival < b.arrival ? -1 : a.arrival > b.arrival ? 1 : 0)));
}

/** Serves the rows of `turns`. */
export function servePass(market: Market, turns: ReadonlyMap<Cluster, Turns>): Tally[] {
  const order = interleave([...turns.values()].map(({ rows }) => rows));
  const { facts, room } = market;
  const keep = (tally: Tally): void => keepLeftOver(market, tally);
  const forecasts = new Forecasts(turns, market, { credit: (row, cluster) => creditOnly(market, new Tally(row, cluster, facts.fit(row.asker))), keep });
  market.forecasts = forecasts;
  const tallies: Tally[] = [];
  let cluster: Cluster | undefined;
  for (let i = 0; i < order.length; i++) {
    const row = order[i] as NeedRow;
    if (cluster?.name !== row.need.cluster) cluster = facts.clusters.named(row.need.cluster);
    const tally = new Tally(row, cluster, facts.fit(row.asker));
    (turns.get(cluster) as Turns).next++;
    const wasClosed = room.isClosed;
    serve(market, tally);
    if (tally.covered && !wasClosed) room.reopen(); // it waits for no money: what it could not buy it has got elsewhere
    forecasts.confirm(tally);
    // Rows of one demand are neighbours.
    if (cluster.promised.size > 0 && order[i + 1]?.demandKey !== row.demandKey) market.closeDemand(tally);
    tallies.push(tally);
  }
  for (const tally of tallies) keep(tally);
  return tallies;
}

function serve(market: Market, tally: Tally): void {
  const mayAcquire = tally.cluster.connected;
  const { sameKey, spread } = tally.row;
  if (sameKey !== undefined) {
    serveSame(market, tally, sameKey, mayAcquire);
    return;
  }
  const counts = spread && creditSpread(market, tally, spread);
  if (counts === undefined) creditPlain(market, tally);
  if (tally.covered) return;
  if (!mayAcquire) tally.blocked = 'session';
  else if (spread !== undefined && counts !== undefined) {
    seekEvenly(market, tally, spread, counts);
    creditOthersEvenly(market, tally, spread, counts);
  } else {
    acquirePlain(market, tally);
    if (!tally.covered) preempt(market, tally);
    creditOthers(market, tally);
  }
}

/** Credits the row with what its cluster has, and nothing else: what is tried out, in a market that is told so. */
export function creditOnly(market: Market, tally: Tally): Tally {
  const { sameKey, spread } = tally.row;
  if (sameKey !== undefined) serveSame(market, tally, sameKey, false);
  else if (spread !== undefined) creditSpread(market, tally, spread);
  else creditPlain(market, tally);
  return tally;
}
