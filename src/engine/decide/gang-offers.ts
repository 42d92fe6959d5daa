/** What each domain has to offer to a Same Need. */
import { addUpTo } from '../facts/dimensions.ts';
import type { Group } from '../facts/group.ts';
import type { MachineClass } from '../facts/shapes.ts';
import { attribute } from '../match.ts';
import type { DomainOffer } from './gang-domain.ts';
import type { Market, Tie } from './market.ts';
import { tooDear } from './plain.ts';
import { lotsFor } from './preempt.ts';
import type { Tally } from './tally.ts';

/** Machines that a domain has to offer: they are there, would have to be bought, would be missed by nobody, though they are somebody's, serve others, or are on their way to nobody. */
type How = 'there' | 'bought' | 'excess' | 'serving' | 'coming';
type Part = readonly [cls: MachineClass, count: number, how: How];
const BESIDES: Readonly<Record<'victims' | 'spare', readonly How[]>> = { victims: ['excess', 'serving'], spare: ['excess', 'coming'] };

const NOTHING: ReadonlyMap<MachineClass, number> = new Map();

export class Offers {
  readonly #market: Market;
  readonly #tally: Tally;
  readonly #key: string;
  readonly #offers = new Map<string, DomainOffer>();
  readonly #all: DomainOffer[] = [];
  readonly #parts = new Map<string, Part[]>();
  #lots: ReturnType<typeof lotsFor> | undefined;
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

  /** Bound, or decided, for this very gang; or for one of its name that is no longer asked for: the profile has changed, its priority for instance. */
  isOwn(group: Group<Tally>): boolean {
    if (group.assigned < 0) return false;
    const { to, demandKey } = this.#market.facts.inventory.assignments.at(group.assigned);
    const { row, cluster } = this.#tally;
    return demandKey === row.demandKey || (row.need.group !== '' && to.group === row.need.group && !cluster.asksFor(demandKey));
  }

  addFree(): void {
    const { inventory } = this.#market.facts;
    for (const cls of this.#tally.fit.classes) {
      this.#addFree(cls, inventory.idle(cls.index)?.left ?? 0, 'there');
      if (this.#market.room.isEverOpenTo(cls.priceMicroUsdPerHour)) this.#addFree(cls, inventory.speculative(cls.index)?.left ?? 0, 'bought');
    }
    if (this.#market.room.isClosed) for (const { value } of this.#all) this.limitPurchases(value, NOTHING);
  }

  #addFree(cls: MachineClass, free: number, how: How): void {
    const offer = free > 0 ? this.#offerOf(cls) : undefined;
    if (offer === undefined) return;
    offer.count += free;
    this.#add(offer.total, cls, free);
    this.#parts.get(offer.value)?.push([cls, free, how]);
  }

  /** From now on the domain offers no more purchases than these, which is what the limit leaves of them. False if that was known. */
  limitPurchases(domain: string, bought: ReadonlyMap<MachineClass, number>): boolean {
    const offer = this.#offers.get(domain) as DomainOffer;
    if (offer.forbidden !== undefined) return false;
    const parts = this.#parts.get(domain) as Part[];
    const all = parts.splice(0);
    offer.forbidden = this.#zeros();
    offer.total.fill(0);
    for (const [cls, count, how] of all) {
      const kept = how === 'bought' ? (bought.get(cls) ?? 0) : count;
      if (how === 'there' || how === 'bought') this.#add(offer.total, cls, kept);
      this.#add(offer.forbidden, cls, count - kept);
      offer.count -= count - kept;
      if (kept > 0) parts.push([cls, kept, how]);
    }
    return true;
  }

  /** False if there is nothing to be had. */
  addVictims(): boolean {
    if (this.#lots !== undefined) return this.#lots.length > 0;
    this.#lots = lotsFor(this.#market, this.#tally);
    for (const { cluster, group, from, to, excess } of this.#lots.flat()) {
      const cls = this.#market.classOf(group);
      const offer = this.#offerOf(cls);
      if (offer === undefined) continue;
      const how = cluster === undefined ? 'coming' : excess ? 'excess' : 'serving';
      for (const besides of ['victims', 'spare'] as const) {
        if (!BESIDES[besides].includes(how)) continue;
        const stock = (offer[besides] ??= { count: 0, amounts: this.#zeros() });
        stock.count += to - from;
        this.#add(stock.amounts, cls, to - from);
      }
      this.#parts.get(offer.value)?.push([cls, to - from, how]);
    }
    return this.#lots.length > 0;
  }

  /**
   * What keeps every domain from being whole: the topology, unless one would be but for the limit on purchases (D12), or for
   * machines that must not be disrupted (D13).
   */
  whatBlocks(wanted: readonly number[]): 'topology' | 'limit' | 'disruption' {
    const isWholeWith = (offer: DomainOffer | undefined, more: readonly number[]): boolean =>
      wanted.every((w, i) => (offer?.total[i] ?? 0) + (offer?.victims?.amounts[i] ?? 0) + (more[i] as number) >= w);
    const forbidden = this.#byDomain(tooDear(this.#market, this.#tally));
    for (const offer of this.#all) this.#addAll(forbidden, offer.value, offer.forbidden);
    const isWholeIn = (sums: ReadonlyMap<string, number[]>): boolean => [...sums].some(([domain, more]) => isWholeWith(this.#offers.get(domain), more));
    if (isWholeIn(forbidden)) return 'limit';
    return isWholeIn(this.#byDomain(this.#tally.undisruptable)) ? 'disruption' : 'topology';
  }

  #byDomain(counts: Iterable<readonly [cls: MachineClass, count: number]>): Map<string, number[]> {
    const sums = new Map<string, number[]>();
    for (const [cls, count] of counts) {
      const domain = this.domainOf(cls);
      if (domain === undefined) continue;
      const sum = sums.get(domain) ?? this.#zeros();
      this.#add(sum, cls, count);
      sums.set(domain, sum);
    }
    return sums;
  }

  #addAll(sums: Map<string, number[]>, domain: string, more: readonly number[] | undefined): void {
    if (more === undefined) return;
    const before = sums.get(domain);
    sums.set(domain, before === undefined ? [...more] : before.map((amount, i) => addUpTo(amount, 1, more[i] as number)));
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
        this.#parts.get(offer.value)?.push([cls, group.left, 'there']);
      }
    }
  }

  #offerOf(cls: MachineClass): DomainOffer | undefined {
    const value = this.domainOf(cls);
    if (value === undefined) return undefined;
    let offer = this.#offers.get(value);
    if (offer === undefined) {
      const parts: Part[] = [];
      const { dims } = this.#tally.row;
      const exactTotal = (besides?: 'victims' | 'spare'): bigint[] => {
        const used: readonly How[] = ['there', 'bought', ...(besides === undefined ? [] : BESIDES[besides])];
        return dims.map((dim) => parts.reduce((sum, [of, count, how]) => (used.includes(how) ? sum + BigInt(count) * BigInt(of.amounts[dim] ?? 0) : sum), 0n));
      };
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
