/**
 * A Same Need: all its machines share one value of a label, and it acquires all that it lacks or nothing (D7). What it
 * holds it keeps: an incomplete gang neither grows nor shrinks nor moves to another incomplete place.
 */
import { compareText } from '../../lib/compare-text.ts';
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import { attribute } from '../match.ts';
import type { DomainCoverage } from '../types.ts';
import { drainTies } from './drain.ts';
import { addUpTo, chooseDomain, compareHeld, isWhole, isWholeWithVictims } from './gang-domain.ts';
import type { DomainOffer } from './gang-domain.ts';
import type { Market, Tie } from './market.ts';
import { crediting, creditReserved, picking } from './plain.ts';
import { lotsFor, preempt } from './preempt.ts';
import type { Tally } from './tally.ts';

const MOST_CANDIDATES = 5;

/** `mayAcquire`: else it is only credited with what its cluster has. */
export function serveSame(market: Market, tally: Tally, key: string, mayAcquire: boolean): void {
  if (tally.covered) return;
  const wanted = tally.row.wanted;
  const offers = new Offers(market, tally, key);
  if (mayAcquire) offers.addFree();
  const chosen = choose(offers, market, tally, wanted, mayAcquire);
  tally.open = chosen === undefined || !isSettled(chosen, offers.all(), wanted);
  if (chosen === undefined) {
    tally.blocked = mayAcquire ? offers.whatBlocks(wanted) : 'session';
    tally.satisfiable = false;
    return;
  }
  const whole = isWholeWithVictims(chosen, wanted);
  tally.domain = chosen.value;
  tally.satisfiable = whole;
  if (!whole) tally.candidates = coverages(offers.all(), wanted);
  const isInside: Admits = (_group, cls) => offers.domainOf(cls) === chosen.value;
  creditInside(market, tally, offers, isInside);
  const before = tally.mark();
  const taken: Taken[] = [];
  // An incomplete gang takes nothing new: what has arrived for it is given back.
  creditReserved(market, tally, {
    admits: (group, cls) => (whole || group.kind === 'leaving') && isInside(group, cls),
    taken: (_cls, n, group) => taken.push([group, n]),
  });
  if (!whole) keepOwnElsewhere(market, tally, offers);
  if (tally.covered) return;
  if (!mayAcquire) tally.blocked = 'session';
  else if (!whole) tally.blocked = offers.whatBlocks(wanted);
  else if (!acquireInside(market, tally, isInside, taken)) {
    for (const [group, n] of taken.reverse()) group.giveBack(n);
    tally.backTo(before);
    creditReserved(market, tally, { admits: (group, cls) => group.kind === 'leaving' && isInside(group, cls) });
  }
}

type Taken = readonly [group: Group<Tally>, n: number];
type Admits = (group: Group<Tally>, cls: MachineClass) => boolean;

/** What could be preempted is looked for only where it could change the choice. */
function choose(offers: Offers, market: Market, tally: Tally, wanted: readonly number[], mayAcquire: boolean): DomainOffer | undefined {
  const best = chooseDomain(offers.all(), wanted);
  if (!mayAcquire) return best;
  const settled = best !== undefined && isWhole(best, wanted);
  const rivals = offers.all().some((offer) => !isWhole(offer, wanted) && best !== undefined && compareHeld(offer, best, wanted) < 0);
  if (settled && !rivals) return best;
  if (!offers.addVictims(lotsFor(market, tally))) return best;
  return chooseDomain(offers.all(), wanted);
}

/** The choice rests on what the gang holds alone. */
function isSettled(chosen: DomainOffer, offers: readonly DomainOffer[], wanted: readonly number[]): boolean {
  if (!wanted.every((w, i) => (chosen.creditable[i] as number) >= w)) return false;
  return offers.every((offer) => offer === chosen || compareHeld(chosen, offer, wanted) < 0);
}

/** What each domain has to offer. */
class Offers {
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #key: string;
  readonly #offers = new Map<string, DomainOffer>();
  readonly #all: DomainOffer[] = [];
  readonly #parts = new Map<string, [cls: MachineClass, count: number][]>();
  /** What the cluster has bound, and what is on its way to it. */
  readonly held: readonly (readonly Tie[])[];

  constructor(market: Market, tally: Tally, key: string) {
    this.#market = market;
    this.#tally = tally;
    this.#key = key;
    this.held = [market.bound(tally.cluster, tally.fit), market.arriving(tally)];
    for (const ties of this.held) this.#addCreditable(ties, (group) => this.isOwn(group));
    const mayTakeArrived = tally.cluster.connected;
    this.#addCreditable(
      market.reserved(tally).map((tie) => tie.filter((group) => group.kind === 'leaving' || mayTakeArrived)),
      () => true,
    );
  }

  all(): readonly DomainOffer[] {
    return this.#all;
  }

  domainOf(cls: MachineClass): string | undefined {
    return attribute(this.#key, cls);
  }

  /** Bound, or decided, for this very gang. */
  isOwn(group: Group<Tally>): boolean {
    const stamp = this.#market.stampOf(group);
    const { need } = this.#tally.row;
    return stamp !== undefined && stamp.fingerprint === need.fingerprint && stamp.group === need.group;
  }

  addFree(): void {
    const { inventory } = this.#market.facts;
    for (const cls of this.#tally.fit.classes) {
      const free = (inventory.idle(cls.index)?.left ?? 0) + (inventory.speculative(cls.index)?.left ?? 0);
      const offer = free > 0 ? this.#offerOf(cls) : undefined;
      if (offer === undefined) continue;
      offer.count += free;
      this.#add(offer.total, cls, free);
      this.#parts.get(offer.value)?.push([cls, free]);
    }
  }

  /** False if there is nothing to be had. */
  addVictims(lots: ReturnType<typeof lotsFor>): boolean {
    for (const { group, from, to } of lots.flat()) {
      const cls = this.#market.classOf(group);
      const offer = this.#offerOf(cls);
      if (offer === undefined) continue;
      offer.count += to - from;
      offer.victims ??= this.#zeros();
      this.#add(offer.victims, cls, to - from);
      this.#parts.get(offer.value)?.push([cls, to - from]);
    }
    return lots.length > 0;
  }

  /** What keeps every domain from being whole: the topology, unless one would be but for machines that must not be disrupted (D13). */
  whatBlocks(wanted: readonly number[]): 'topology' | 'disruption' {
    const protectedIn = new Map<string, number[]>();
    for (const [cls, count] of this.#tally.undisruptable) {
      const domain = this.domainOf(cls);
      if (domain === undefined) continue;
      const sums = protectedIn.get(domain) ?? this.#zeros();
      this.#add(sums, cls, count);
      protectedIn.set(domain, sums);
    }
    const wouldBeWhole = ([domain, sums]: [string, readonly number[]]): boolean => {
      const offer = this.#offers.get(domain);
      return wanted.every((w, i) => (offer?.total[i] ?? 0) + (offer?.victims?.[i] ?? 0) + (sums[i] as number) >= w);
    };
    return [...protectedIn].some(wouldBeWhole) ? 'disruption' : 'topology';
  }

  #addCreditable(ties: readonly Tie[], isOwn: (group: Group<Tally>) => boolean): void {
    for (const tie of ties) {
      for (const group of tie) {
        if (group.left <= 0 || this.#tally.fit.accepts[group.classIndex] !== 1) continue;
        const cls = this.#market.classOf(group);
        const offer = this.#offerOf(cls);
        if (offer === undefined) continue;
        offer.count += group.left;
        this.#add(offer.total, cls, group.left);
        this.#add(offer.creditable, cls, group.left);
        if (isOwn(group)) this.#add(offer.own, cls, group.left);
        this.#parts.get(offer.value)?.push([cls, group.left]);
      }
    }
  }

  #offerOf(cls: MachineClass): DomainOffer | undefined {
    const value = this.domainOf(cls);
    if (value === undefined) return undefined;
    let offer = this.#offers.get(value);
    if (offer === undefined) {
      const parts: [MachineClass, number][] = [];
      const { dims } = this.#tally.row;
      const exactTotal = (): bigint[] => dims.map((dim) => parts.reduce((sum, [of, count]) => sum + BigInt(count) * BigInt(of.amounts[dim] ?? 0), 0n));
      offer = { value, count: 0, total: this.#zeros(), creditable: this.#zeros(), own: this.#zeros(), exactTotal };
      this.#offers.set(value, offer);
      this.#all.push(offer);
      this.#parts.set(value, parts);
    }
    return offer;
  }

  #zeros(): number[] {
    return this.#tally.row.dims.map(() => 0);
  }

  #add(to: number[], cls: MachineClass, count: number): void {
    this.#tally.row.dims.forEach((dim, i) => (to[i] = addUpTo(to[i] as number, count, cls.amounts[dim] ?? 0)));
  }
}

/**
 * Own machines first: one that has just become ready must not push a serving one out (spec: engine 6.2). But what is not
 * bound yet comes after everything that is (D34): it takes over once it is there.
 */
function creditInside(market: Market, tally: Tally, offers: Offers, isInside: Admits): void {
  const take = crediting(tally);
  for (const ties of offers.held) {
    for (const own of [true, false]) {
      drainTies(ties, { market, tally, take, admits: (group, cls) => offers.isOwn(group) === own && isInside(group, cls) });
    }
  }
}

/** Members outside the chosen domain serve nothing yet, but nothing is taken from a gang that has nowhere whole to go. */
function keepOwnElsewhere(market: Market, tally: Tally, offers: Offers): void {
  const { accepts } = tally.fit;
  for (const ties of offers.held) {
    for (const group of ties.flat()) {
      if (group.left <= 0 || accepts[group.classIndex] !== 1 || !offers.isOwn(group) || offers.domainOf(market.classOf(group)) === undefined) continue;
      tally.keep(group);
    }
  }
  for (const group of market.reserved(tally).flat()) {
    if (group.kind !== 'leaving' || group.left <= 0) continue;
    tally.reserved += group.left;
    group.take(tally, group.left);
  }
}

/** All that lacks: Idle, then Speculative, then what others must give up. False if the limit stops it; what it took meanwhile is in `taken`. */
function acquireInside(market: Market, tally: Tally, isInside: Admits, taken: Taken[]): boolean {
  for (const speculative of [false, true]) {
    const pick = picking(market, tally, speculative);
    drainTies(market.free(tally, speculative), {
      market,
      tally,
      inOrder: true,
      admits: isInside,
      take: (group, n, cls) => {
        const got = pick(group, n, cls);
        taken.push([group, got]);
        return got;
      },
    });
  }
  if (tally.blocked === 'limit') return false;
  preempt(market, tally, ({ group }) => isInside(group, market.classOf(group)));
  if (!tally.covered) throw new Error(`gang ${tally.row.demandKey}: domain "${String(tally.domain)}" is whole but has run out`);
  return true;
}

/** The best covered domains, for people (spec: engine 16). */
function coverages(offers: readonly DomainOffer[], wanted: readonly number[]): DomainCoverage[] {
  const perMille = (offer: DomainOffer): number =>
    wanted.reduce((least, w, i) => {
      if (w <= 0) return least;
      const have = BigInt(Math.min(w, (offer.total[i] as number) + (offer.victims?.[i] ?? 0)));
      return Math.min(least, Number((have * 1000n) / BigInt(w)));
    }, 1000);
  return offers
    .filter((offer) => offer.count > 0)
    .map((offer) => ({ domain: offer.value, coveragePerMille: perMille(offer), satisfiable: isWholeWithVictims(offer, wanted) }))
    .sort((a, b) => b.coveragePerMille - a.coveragePerMille || compareText(a.domain, b.domain))
    .slice(0, MOST_CANDIDATES);
}
