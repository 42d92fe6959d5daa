/** Takes machines out of a tie of groups, smallest id first, a run at a time. */
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Market, Tie } from './market.ts';
import type { Tally } from './tally.ts';

export interface Draining {
  readonly market: Market;
  readonly tally: Tally;
  /** Whether machines of the group may be taken at all; that they fit and contribute is seen to. */
  readonly admits?: ((group: Group<Tally>, cls: MachineClass) => boolean) | undefined;
  /** What is taken is taken one after the other, as it is chosen: the order is seen, or `take` may refuse. */
  readonly inOrder?: boolean;
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

function drainTie(tie: Tie, draining: Draining): boolean {
  const { market, tally, take } = draining;
  const offered = offeredBy(tie, draining);
  let uncovered = -1;
  while (!tally.covered) {
    keepUseful(offered, tally, tally.uncovered !== uncovered);
    uncovered = tally.uncovered;
    const first = offered[0];
    if (first === undefined) return true;
    if (offered.length === 1) {
      const n = Math.min(first.group.left, tally.wants(first.cls));
      if (take(first.group, n, first.cls) < n) return false;
      continue;
    }
    const bound = draining.inOrder === true ? -1 : safeBound(offered, tally, market.rank);
    if (bound >= 0) for (const each of offered) takeBelow(each, bound, draining);
    if (tally.covered) return true;
    if (!takeNext(offered, draining, bound >= 0)) return false;
  }
  return true;
}

/** `lacksOther`: the tally lacks other dimensions than before, so that some may no longer be of use. */
function keepUseful(offered: Offered[], tally: Tally, lacksOther: boolean): void {
  let kept = 0;
  for (const each of offered) if (each.group.left > 0 && (!lacksOther || tally.contributes(each.cls))) offered[kept++] = each;
  offered.length = kept;
}

interface Offered {
  readonly group: Group<Tally>;
  readonly cls: MachineClass;
  /** Rank of its next machine; -1 = nobody has looked yet. */
  head: number;
}

function offeredBy(tie: Tie, { market, tally, admits }: Draining): Offered[] {
  const { accepts } = tally.fit;
  const offered: Offered[] = [];
  for (const group of tie) {
    if (group.left <= 0 || accepts[group.classIndex] !== 1) continue;
    const cls = market.classOf(group);
    if (admits === undefined || admits(group, cls)) offered.push({ group, cls, head: -1 });
  }
  return offered;
}

/** The next run of the group whose next machine has the smallest id. */
function takeNext(offered: readonly Offered[], draining: Draining, mayBeUseless: boolean): boolean {
  const { rank } = draining.market;
  let best: Offered | undefined;
  let bestRank = Infinity;
  let nextRank = Infinity;
  for (const each of offered) {
    const { group } = each;
    if (group.left <= 0 || (mayBeUseless && !draining.tally.contributes(each.cls))) continue;
    if (each.head < 0) each.head = rank[group.members[group.taken] as number] as number;
    const at = each.head;
    if (at < bestRank) {
      nextRank = bestRank;
      best = each;
      bestRank = at;
    } else if (at < nextRank) nextRank = at;
  }
  if (best === undefined) return true;
  const n = runLength(best.group, nextRank, draining.tally.wants(best.cls), rank);
  best.head = -1;
  return draining.take(best.group, n, best.cls) === n;
}

/**
 * A rank below which all offered machines may be taken at once, in any order: nothing that the tally lacks is exceeded by
 * them, so each of them would have been taken. -1 = there is none, Infinity = all of them: then nobody has to know their order.
 */
function safeBound(offered: readonly Offered[], tally: Tally, rank: Int32Array): number {
  if (isSafe(offered, tally, leftOf)) return Infinity;
  let left = 0;
  let wanted = 0;
  for (const { group, cls } of offered) {
    left += group.left;
    wanted = Math.max(wanted, tally.wants(cls));
  }
  if (left <= FEW || wanted <= FEW) return -1;
  let low = -1;
  let high = -1;
  for (const { group } of offered) high = Math.max(high, (rank[group.members[group.size - 1] as number] as number) + 1);
  // Safe below `low`, not safe below `high`.
  while (high - low > 1) {
    const middle = (low + high) >>> 1;
    if (isSafe(offered, tally, (group) => countBelow(group, middle, rank))) low = middle;
    else high = middle;
  }
  return low;
}

/** So few machines are sooner taken one by one than searched for a bound. */
const FEW = 32;

function leftOf({ left }: Group<Tally>): number {
  return left;
}

function isSafe(offered: readonly Offered[], tally: Tally, countOf: (group: Group<Tally>) => number): boolean {
  const { remaining } = tally;
  const sums = remaining.map(() => 0);
  for (const { group, cls } of offered) {
    const n = countOf(group);
    if (n === 0) continue;
    for (let i = 0; i < sums.length; i++) {
      const lack = remaining[i] as number;
      if (lack <= 0) continue;
      const sum = (sums[i] as number) + n * tally.amount(cls, i);
      if (sum > lack) return false;
      sums[i] = sum;
    }
  }
  return true;
}

function takeBelow(offered: Offered, bound: number, { market, take }: Draining): void {
  const { group, cls } = offered;
  const n = bound === Infinity ? group.left : countBelow(group, bound, market.rank);
  if (n === 0) return;
  offered.head = -1;
  take(group, n, cls);
}

/** How many of the group's next machines have a smaller rank. */
function countBelow({ members, taken }: Group<Tally>, bound: number, rank: Int32Array): number {
  let low = taken;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rank[members[middle] as number] as number) < bound) low = middle + 1;
    else high = middle;
  }
  return low - taken;
}

/** How many of the group's next machines, at most `limit`, come before the next one of any other group. */
function runLength(group: Group<Tally>, before: number, limit: number, rank: Int32Array): number {
  const most = Math.min(limit, group.left);
  if (before === Infinity) return most;
  const { members, taken } = group;
  let n = 1;
  while (n < most && (rank[members[taken + n] as number] as number) < before) n++;
  return n;
}
