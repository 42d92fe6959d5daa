/**
 * A Same Need: all its machines share one value of a label, and it acquires all that it lacks or nothing (D7). What it
 * holds it keeps: an incomplete gang neither grows nor shrinks nor moves to another incomplete place.
 */
import { chooseDomain, isWhole } from './gang-domain.ts';
import type { DomainOffer } from './gang-domain.ts';
import type { MachineClass } from './machine-classes.ts';
import type { Market } from './market.ts';
import { attribute } from './match.ts';
import type { Pick, Tally } from './tally.ts';

export function serveSame(market: Market, tally: Tally, key: string, mayAcquire: boolean): void {
  if (tally.covered) return;
  const candidates = creditableFor(market, tally, key);
  const wanted = tally.row.wanted.map((amount) => BigInt(Math.ceil(amount)));
  const offers = offersOf(market, tally, key, candidates, mayAcquire);
  const chosen = chooseDomain(offers, wanted);
  if (chosen === undefined) {
    tally.blocked = mayAcquire ? 'topology' : 'session';
    return;
  }
  tally.domain = chosen.value;
  const whole = isWhole(chosen, wanted);
  creditInside(market, tally, candidates, chosen.value);
  if (!whole) keepOwnElsewhere(market, tally, candidates);
  if (tally.covered) return;
  if (!mayAcquire) tally.blocked = 'session';
  else if (!whole) tally.blocked = 'topology';
  else acquireInside(market, tally, key, chosen.value);
}

interface Candidate {
  readonly slot: number;
  readonly class: MachineClass;
  readonly domain: string;
  /** Bound, or decided, for this very gang. */
  readonly own: boolean;
  readonly bound: boolean;
}

function creditableFor(market: Market, tally: Tally, key: string): Candidate[] {
  const { inventory, ledger } = market;
  const { accepts } = market.fit(tally.row);
  const candidates: Candidate[] = [];
  for (const slot of market.creditable(tally.row).flat()) {
    const cls = inventory.classOf(slot);
    if (!ledger.isFree(slot) || accepts[cls.index] !== 1) continue;
    const domain = attribute(key, cls);
    if (domain !== undefined) candidates.push({ slot, class: cls, domain, own: isOwn(market, tally, slot), bound: inventory.role(slot).kind === 'bound' });
  }
  return candidates;
}

function isOwn(market: Market, { row }: Tally, slot: number): boolean {
  const machine = market.inventory.machine(slot);
  const assigned = machine.assigned ?? (machine.intent?.kind === 'bind' ? machine.intent.to : undefined);
  return assigned !== undefined && assigned.fingerprint === row.need.fingerprint && assigned.group === row.need.group;
}

function offersOf(market: Market, tally: Tally, key: string, candidates: readonly Candidate[], mayAcquire: boolean): DomainOffer[] {
  const { inventory, free } = market;
  const { dims } = tally.row;
  const offers = new Map<string, DomainOffer>();
  const at = (value: string): DomainOffer => {
    const known = offers.get(value);
    if (known !== undefined) return known;
    const zeros = (): bigint[] => dims.map(() => 0n);
    const made: DomainOffer = { value, count: 0, total: zeros(), creditable: zeros(), own: zeros() };
    offers.set(value, made);
    return made;
  };
  const add = (to: bigint[], cls: MachineClass, machines: bigint): void => {
    dims.forEach((dim, i) => (to[i] = (to[i] ?? 0n) + machines * BigInt(Math.floor(cls.amounts[dim] ?? 0))));
  };
  for (const candidate of candidates) {
    const offer = at(candidate.domain);
    offer.count++;
    add(offer.total, candidate.class, 1n);
    add(offer.creditable, candidate.class, 1n);
    if (candidate.own) add(offer.own, candidate.class, 1n);
  }
  if (!mayAcquire) return [...offers.values()];
  for (const index of market.fit(tally.row).classes) {
    const cls = inventory.classes.at(index);
    const value = attribute(key, cls);
    const left = free.left(index);
    if (value === undefined || left === 0) continue;
    const offer = at(value);
    offer.count += left;
    add(offer.total, cls, BigInt(left));
  }
  return [...offers.values()];
}

/**
 * Own machines first: one that has just become ready must not push a serving one out (spec: engine 6.2). But what is not
 * bound yet comes after everything that is (D34): it takes over once it is there.
 */
function creditInside(market: Market, tally: Tally, candidates: readonly Candidate[], domain: string): void {
  const inside = candidates.filter((c) => c.domain === domain);
  const rank = (c: Candidate): number => (c.bound ? (c.own ? 0 : 1) : c.own ? 2 : 3);
  for (const { slot, class: cls } of inside.sort((a, b) => rank(a) - rank(b))) {
    if (tally.covered) return;
    if (!tally.contributes(cls)) continue;
    market.credit(tally, slot);
    tally.subtract(cls);
  }
}

/** Members outside the chosen domain serve nothing yet, but nothing is taken from a gang that has nowhere whole to go. */
function keepOwnElsewhere(market: Market, tally: Tally, candidates: readonly Candidate[]): void {
  for (const { slot, own } of candidates) {
    if (own && market.ledger.isFree(slot)) market.credit(tally, slot);
  }
}

function acquireInside(market: Market, tally: Tally, key: string, domain: string): void {
  const { inventory, ledger, room } = market;
  const trial = market.free.fork();
  const lacking = tally.fork();
  const walk = trial.walk(market.fit(tally.row), (cls) => attribute(key, cls) === domain && lacking.contributes(cls));
  const picks: Pick[] = [];
  while (!lacking.covered) {
    const pick = walk.peek();
    if (pick === undefined) throw new Error(`gang ${tally.row.demandKey}: domain "${domain}" is whole but has run out`);
    walk.take(pick);
    picks.push(pick);
    lacking.subtract(inventory.classOf(pick.slot));
  }
  const prices = picks.filter((p) => p.speculative).map((p) => inventory.machine(p.slot).priceMicroUsdPerHour);
  if (!room.book(prices)) {
    tally.blocked = 'limit';
    return;
  }
  market.free.adopt(trial);
  for (const pick of picks) {
    ledger.claim(pick.slot, tally.index, tally.tier);
    tally.picks.push(pick);
    tally.subtract(inventory.classOf(pick.slot));
  }
}
