/** Takes machines out of a tie of groups, smallest id first, a run at a time. */
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Market, Tie } from './market.ts';
import type { Tally } from './tally.ts';

export interface Draining {
  readonly market: Market;
  readonly tally: Tally;
  /** Whether machines of the group may be taken at all; that they fit and contribute is seen to. */
  readonly admits?: (group: Group<Tally>, cls: MachineClass) => boolean;
  /** Takes the next `n` machines of the group, and the tally with them; returns how many it took. Fewer than `n` ends it. */
  readonly take: (group: Group<Tally>, n: number, cls: MachineClass) => number;
}

/** False if `take` has ended it. */
export function drainTies(ties: Iterable<Tie>, draining: Draining): boolean {
  for (const tie of ties) {
    if (draining.tally.covered) return true;
    if (!drainTie(tie, draining)) return false;
  }
  return true;
}

function drainTie(tie: Tie, { market, tally, admits, take }: Draining): boolean {
  const { rank } = market;
  const { accepts } = tally.fit;
  while (!tally.covered) {
    let best: Group<Tally> | undefined;
    let bestClass: MachineClass | undefined;
    let bestRank = Infinity;
    let nextRank = Infinity;
    for (const group of tie) {
      if (group.left <= 0 || accepts[group.classIndex] !== 1) continue;
      const cls = market.classOf(group);
      if ((admits !== undefined && !admits(group, cls)) || !tally.contributes(cls)) continue;
      const at = rank[group.members[group.taken] as number] as number;
      if (at < bestRank) {
        nextRank = bestRank;
        best = group;
        bestClass = cls;
        bestRank = at;
      } else if (at < nextRank) nextRank = at;
    }
    if (best === undefined || bestClass === undefined) return true;
    const n = runLength(best, nextRank, tally.wants(bestClass), rank);
    if (take(best, n, bestClass) < n) return false;
  }
  return true;
}

/** How many of the group's next machines, at most `limit`, come before the next one of any other group. */
function runLength(group: Group<Tally>, before: number, limit: number, rank: Int32Array): number {
  const most = Math.min(limit, group.left);
  if (before === Infinity) return most;
  let n = 1;
  while (n < most && (rank[group.members[group.taken + n] as number] as number) < before) n++;
  return n;
}
