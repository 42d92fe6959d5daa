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
import { chooseDomain, compareHeld, countOf, isWhole, isWholeWithVictims } from './gang-domain.ts';
import type { DomainOffer } from './gang-domain.ts';
import { Offers } from './gang-offers.ts';
import type { Market } from './market.ts';
import { affordable, crediting, creditReserved, picking } from './plain.ts';
import { lotsOfOthers, preempt } from './preempt.ts';
import type { Tally } from './tally.ts';
import { Trial } from './trial.ts';
import type { Take } from './trial.ts';

const MOST_CANDIDATES = 5;

/** `mayAcquire`: else it is only credited with what its cluster has. */
export function serveSame(market: Market, tally: Tally, key: string, mayAcquire: boolean): void {
  if (tally.covered) return;
  const { wanted } = tally.row;
  const offers = new Offers(market, tally, key);
  if (mayAcquire) offers.addFree();
  const stopped: string[] = [];
  let chosen = choose(offers, wanted, mayAcquire);
  while (chosen !== undefined && isWholeWithVictims(chosen, wanted)) {
    tally.domain = chosen.value;
    tally.satisfiable = true;
    if (serveIn(chosen.value, market, tally, offers)) return;
    // With no more than it may buy there, another place may be better, or none whole.
    stopped.push(chosen.value);
    chosen = choose(offers, wanted, mayAcquire);
  }
  const waits = stopped.some((domain) => isWithinLimits(domain, market, tally, offers));
  keepIncomplete(chosen?.value, market, tally, offers);
  if (waits) market.room.isClosed = true;
  tally.blocked = mayAcquire ? offers.whatBlocks(wanted) : 'session';
  tally.satisfiable = false;
  if (market.isForecast) return;
  if (!mayAcquire) offers.addFree(); // to be told of, and for nothing else
  tally.satisfiable = tally.blocked === 'limit' || offers.all().some((offer) => isWhole(offer, wanted));
  const known = tally.satisfiable ? [] : coverages(offers.all(), wanted);
  if (known.length > 0) tally.candidates = known;
}

type Admits = (group: Group<Tally>, cls: MachineClass) => boolean;

/**
 * Everything in one domain that is whole: what it has, then Idle, then Speculative machines, then what others must give up.
 * False, and nothing has happened, if the limit stops it there and that was not known: what is offered there is less then.
 */
function serveIn(domain: string, market: Market, tally: Tally, offers: Offers): boolean {
  const trial = new Trial(market, tally);
  const isInside = insideOf(offers, domain);
  creditAllInside(market, tally, offers, { trial, isInside });
  takeFree(market, tally, isInside, trial.noting);
  if (!tally.covered) {
    if (tally.blocked === 'limit' && offers.limitPurchases(domain, trial.bought())) {
      trial.takeBack();
      return false;
    }
    preempt(market, tally, ({ group }) => isInside(group, market.classOf(group)));
    if (!tally.covered) throw new Error(`gang ${tally.row.demandKey}: domain "${domain}" is whole but has run out`);
  }
  // Nothing that serves is given up for what is on its way.
  if (tally.arriving + tally.acquired + tally.reserved > 0) keepOwn(market, tally, offers, (group) => group.kind === 'configured');
  return true;
}

/**
 * Whether a gang that the limit stops there would be within it if nobody else had anything, with the members elsewhere that it
 * keeps until it has moved: one that never can be keeps no money from others (`Room.book`).
 */
function isWithinLimits(domain: string, market: Market, tally: Tally, offers: Offers): boolean {
  const trial = new Trial(market, tally);
  const isInside = insideOf(offers, domain);
  market.room.lift();
  creditAllInside(market, tally, offers, { trial, isInside });
  takeFree(market, tally, isInside, trial.noting);
  for (const { group, from, to } of lotsOfOthers(market, tally).flat()) {
    const cls = market.classOf(group);
    if (isInside(group, cls)) trial.count(cls, Math.min(to - from, tally.wants(cls)));
  }
  for (const group of offers.held.flat(2)) {
    const cls = market.classOf(group);
    if (group.left > 0 && offers.isOwn(group) && tally.fit.accepts[group.classIndex] === 1 && offers.domainOf(cls) !== undefined) trial.count(cls, group.left);
  }
  const { machines, microUsdPerHour } = trial.paid;
  trial.takeBack();
  return market.room.isWithin(machines, microUsdPerHour);
}

function insideOf(offers: Offers, domain: string): Admits {
  return (_group, cls) => offers.domainOf(cls) === domain;
}

/** Everything in the domain that the gang has or that is on its way to it. */
function creditAllInside(market: Market, tally: Tally, offers: Offers, { trial, isInside }: { readonly trial: Trial; readonly isInside: Admits }): void {
  creditInside(market, tally, offers, { take: trial.noting(crediting(tally)), admits: isInside });
  creditReserved(market, tally, { admits: isInside, taken: (_cls, n, group) => trial.note(group, n) });
}

/**
 * Nothing is taken from a gang that has nowhere whole to go, and it takes nothing new: what has arrived for it is given back,
 * and machines of others are for whoever of its cluster can use them (`keepLeftOver`).
 */
function keepIncomplete(domain: string | undefined, market: Market, tally: Tally, offers: Offers): void {
  if (domain === undefined) return;
  tally.domain = domain;
  const isInside = insideOf(offers, domain);
  for (const ties of offers.held) drainTies(ties, { market, tally, take: crediting(tally), admits: (group, cls) => offers.isOwn(group) && isInside(group, cls) });
  creditReserved(market, tally, { admits: (group, cls) => group.kind === 'leaving' && isInside(group, cls) });
  // Members elsewhere serve nothing yet.
  const isSomewhere: Admits = (_group, cls) => offers.domainOf(cls) !== undefined;
  keepOwn(market, tally, offers, isSomewhere);
  for (const group of market.reserved(tally).flat()) {
    if (group.kind !== 'leaving' || group.left <= 0 || tally.fit.accepts[group.classIndex] !== 1 || !isSomewhere(group, market.classOf(group))) continue;
    tally.reserved += group.left;
    group.take(tally, group.left);
  }
}

/** After everybody's turn: what nobody else of its cluster needs an incomplete gang keeps, where most of it is. */
export function keepLeftOver(market: Market, tally: Tally): void {
  const { domain, row } = tally;
  const key = row.sameKey;
  if (key === undefined || tally.covered || domain === undefined) return;
  drainTies(market.bound(tally.cluster, tally.fit), { market, tally, take: crediting(tally), admits: (_group, cls) => attribute(key, cls) === domain });
}

/** What could be preempted is looked for only where it could change the choice. */
function choose(offers: Offers, wanted: readonly number[], mayAcquire: boolean): DomainOffer | undefined {
  const best = chooseDomain(offers.all(), wanted);
  if (!mayAcquire) return best;
  const settled = best !== undefined && isWhole(best, wanted);
  const rivals = offers.all().some((offer) => !isWhole(offer, wanted) && best !== undefined && compareHeld(offer, best, wanted) < 0);
  if (settled && !rivals) return best;
  if (!offers.addVictims()) return best;
  return chooseDomain(offers.all(), wanted);
}

/**
 * Own machines first: one that has just become ready must not push a serving one out (spec: engine 6.2). But what is not
 * bound yet comes after everything that is (D34): it takes over once it is there.
 */
function creditInside(market: Market, tally: Tally, offers: Offers, { take, admits }: { readonly take: Take; readonly admits: Admits }): void {
  for (const ties of offers.held) {
    for (const own of [true, false]) {
      drainTies(ties, { market, tally, take, admits: (group, cls) => offers.isOwn(group) === own && admits(group, cls) });
    }
  }
}

/** Credits members although they cover nothing of what lacks. */
function keepOwn(market: Market, tally: Tally, offers: Offers, admits: Admits): void {
  const { accepts } = tally.fit;
  for (const ties of offers.held) {
    for (const group of ties.flat()) {
      if (group.left > 0 && accepts[group.classIndex] === 1 && offers.isOwn(group) && admits(group, market.classOf(group))) tally.keep(group);
    }
  }
}

/** Idle, then Speculative as far as the limit goes. `noting` = who is told of what was taken. */
function takeFree(market: Market, tally: Tally, admits: Admits, noting: (take: Take) => Take): void {
  if (tally.covered) return;
  for (const speculative of [false, true]) {
    const mayCost = affordable(market, tally, speculative);
    drainTies(market.free(tally, speculative), { market, tally, inOrder: true, admits: (group, cls) => admits(group, cls) && mayCost?.(group, cls) !== false, take: noting(picking(market, tally, speculative)) });
  }
}

/** The best covered domains, for people (spec: engine 16). */
function coverages(offers: readonly DomainOffer[], wanted: readonly number[]): DomainCoverage[] {
  const perMille = (offer: DomainOffer): number =>
    wanted.reduce((least, w, i) => {
      if (w <= 0) return least;
      const have = BigInt(Math.min(w, (offer.total[i] as number) + (offer.victims?.amounts[i] ?? 0)));
      return Math.min(least, Number((have * 1000n) / BigInt(w)));
    }, 1000);
  return offers
    .filter((offer) => countOf(offer) > 0)
    .map((offer) => ({ domain: offer.value, coveragePerMille: perMille(offer), satisfiable: isWholeWithVictims(offer, wanted) }))
    .sort((a, b) => b.coveragePerMille - a.coveragePerMille || compareText(a.domain, b.domain))
    .slice(0, MOST_CANDIDATES);
}
