/** The one ordered pass (spec: engine 6.9): each Need in turn is credited, then acquires. No displacement, no retries. */
import type { Market } from './market.ts';
import type { NeedRow } from './need-row.ts';
import { comparePrecedence } from './order.ts';
import { acquirePlain, creditPlain } from './plain.ts';
import { serveSame } from './same.ts';
import { acquireSpread, creditSpread } from './spread.ts';
import { Tally } from './tally.ts';

/** Serves `rows`, which are in the engine's order. `hasSession`: without one a cluster keeps what it has and gets nothing (D14). */
export function servePass(market: Market, rows: readonly NeedRow[], hasSession: (cluster: string) => boolean): Tally[] {
  let tier = 0;
  return rows.map((row, index) => {
    const before = rows[index - 1];
    if (before !== undefined && comparePrecedence(before, row) !== 0) tier++;
    const tally = new Tally(row, index, tier);
    serve(market, tally, hasSession(row.need.cluster));
    if (rows[index + 1]?.demandKey !== row.demandKey) market.closeDemand(row); // rows of one demand are neighbours
    return tally;
  });
}

function serve(market: Market, tally: Tally, mayAcquire: boolean): void {
  const { sameKey, spread } = tally.row;
  if (sameKey !== undefined) {
    serveSame(market, tally, sameKey, mayAcquire);
    return;
  }
  if (spread !== undefined) creditSpread(market, tally, spread);
  else creditPlain(market, tally);
  if (tally.covered) return;
  if (!mayAcquire) tally.blocked = 'session';
  else if (spread !== undefined) acquireSpread(market, tally, spread);
  else acquirePlain(market, tally);
}
