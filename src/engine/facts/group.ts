/**
 * Machines that every Need treats alike, by id: of one class, in one pool, of one rank in it, decided for the same demand.
 * Needs always take a group's machines from the front, so a plan describes who has what by counts, not by machines.
 */

/** Where a group's machines stand in the present plan; written by the pass, reset before the next. */
export interface Share<H> {
  readonly holder: H;
  /** Position after the holder's last machine. */
  readonly end: number;
}

/** How far a plan had got with a group. */
export interface Mark<H> {
  readonly taken: number;
  readonly holder: H | undefined;
  readonly shares: readonly Share<H>[] | undefined;
}

/** Where a group's machines are: bound and ready or nearly; decided and not bound; preempted and arrived or not; free. */
export type GroupKind = 'configured' | 'configuring' | 'promised' | 'arrived' | 'leaving' | 'idle' | 'speculative';

/** What of each machine a group has to know, by slot. */
export interface Filing<H> {
  readonly groupOf: readonly (Group<H> | undefined)[];
  /** Of its id. */
  readonly rank: Int32Array;
  /** 1 = it has come to its group and has no place among the ordered ones yet. */
  readonly waiting: Uint8Array;
}

export class Group<H = unknown> {
  /** How many machines it has. */
  size = 0;
  /** How many of them somebody has in the present plan, and who has the first. */
  taken = 0;
  holder: H | undefined;
  /** Only if more than one have some. */
  #shares: Share<H>[] | undefined;
  readonly kind: GroupKind;
  readonly classIndex: number;
  /** For whom its machines are or are to be bound: an index of the assignments; -1 = for nobody. */
  readonly assigned: number;
  /** Rank in its pool, compared number by number; smaller comes first. */
  readonly order: readonly number[];
  readonly #filing: Filing<H>;
  readonly #shelf: Shelf<H> | undefined;
  readonly #key: string | number;
  /** Some have come or gone since `settle`. */
  stale = false;
  /** Scratch of an audit: which one has met it last, and with how many machines. */
  audit = 0;
  met = 0;
  /** By id, as of when they were last put in order; what has come and gone since. */
  #ordered: number[] = [];
  #added: number[] = [];
  #removed: number[] = [];
  /** All of `#ordered` while some are taken out of the plan. */
  #whole: number[] | undefined;
  /** Who had which machines when it was last noted; undefined = it was not. One number = who had all of them. */
  #noted: number | readonly Stretch[] | undefined;
  /** Members that have come since; some may have gone again. */
  #unnoted: number[] | undefined;

  /** `shelf` holds the group under `key` for as long as it has machines. */
  constructor(filing: Filing<H>, kind: GroupKind, classIndex: number, assigned: number, order: readonly number[], shelf?: Shelf<H>, key: string | number = 0) {
    this.#filing = filing;
    this.kind = kind;
    this.classIndex = classIndex;
    this.assigned = assigned;
    this.order = order;
    this.#shelf = shelf;
    this.#key = key;
  }

  /** By id. Whoever needs no order asks for `size`: most groups are taken whole, and then nobody has to put them in order. */
  get members(): readonly number[] {
    if (this.#added.length > 0 || this.#removed.length > 0) this.#putInOrder();
    return this.#ordered;
  }

  get left(): number {
    return this.size - this.taken;
  }

  add(slot: number): void {
    this.#added.push(slot);
    if (this.#noted !== undefined) (this.#unnoted ??= []).push(slot);
    this.size++;
    this.stale = true;
  }

  /** The caller has already noted that the slot is in another group. */
  delete(slot: number): void {
    this.#removed.push(slot);
    this.size--;
    this.stale = true;
    // Its rank is that of its assignment, whose number may stand for another one soon.
    if (this.size > 0) return;
    this.#shelf?.delete(this.#key);
    this.#ordered = [];
    this.#added = [];
    this.#removed = [];
  }

  /** Every member, in no order, some perhaps twice. A copy. */
  slots(): number[] {
    const all = this.#ordered.concat(this.#added);
    if (this.#removed.length === 0) return all;
    const { groupOf } = this.#filing;
    return all.filter((slot) => groupOf[slot] === this);
  }

  /** Puts the members in order if many have come. A few can wait until somebody needs the order. Returns the effort. */
  settle(): number {
    this.stale = false;
    const loose = this.#added.length;
    if (loose <= MOST_LOOSE || loose * LOOSE <= this.size) return 1;
    this.#putInOrder();
    return loose + this.size;
  }

  /** What is wrong with how it keeps its members; undefined = nothing. Between plans, when ids are in order; nobody may come or go. */
  *defect(perStep: number): Generator<undefined, string | undefined> {
    const { groupOf, rank, waiting } = this.#filing;
    let [n, before, looked] = [0, -1, 0];
    for (const slot of this.#ordered) {
      if (++looked % perStep === 0) yield;
      if (groupOf[slot] !== this || waiting[slot] !== 0) continue;
      const at = rank[slot] as number;
      if (at <= before) return 'members out of order';
      before = at;
      n++;
    }
    for (const slot of this.#added) {
      if (groupOf[slot] !== this || waiting[slot] !== 1) continue;
      waiting[slot] = 2; // the same one may have come twice
      n++;
    }
    for (const slot of this.#added) if (waiting[slot] === 2) waiting[slot] = 1;
    if (n !== this.size) return `${n} members and size ${this.size}`;
    return this.#shelf === undefined || this.#shelf.find(this.#key) === this ? undefined : 'it is not on its shelf';
  }

  /** Makes `n` machines more the holder's; they are the next ones from the front. */
  take(holder: H, n: number): void {
    const before = this.taken;
    this.taken += n;
    this.holder ??= holder;
    const shares = this.#shares;
    if (shares === undefined) {
      if (this.holder !== holder) this.#shares = [{ holder: this.holder, end: before }, { holder, end: this.taken }];
    } else if (shares.at(-1)?.holder === holder) shares[shares.length - 1] = { holder, end: this.taken };
    else shares.push({ holder, end: this.taken });
  }

  /** Takes back the last `n` machines that were taken, all from one holder; none is allowed. */
  giveBack(n: number): void {
    if (n === 0) return;
    this.taken -= n;
    const shares = this.#shares;
    if (this.taken === 0) this.reset();
    else if (shares !== undefined) {
      const { holder } = shares.pop() as Share<H>;
      if ((shares.at(-1)?.end ?? 0) < this.taken) shares.push({ holder, end: this.taken });
    }
  }

  /** Who has which machines, from the front. */
  get shares(): readonly Share<H>[] {
    if (this.#shares !== undefined) return this.#shares;
    return this.holder === undefined ? [] : [{ holder: this.holder, end: this.taken }];
  }

  /** True if one has all of them, or nobody any. */
  get isWhole(): boolean {
    return this.#shares === undefined && (this.taken === 0 || this.taken === this.size);
  }

  mark(): Mark<H> {
    return { taken: this.taken, holder: this.holder, shares: this.#shares?.slice() };
  }

  backTo({ taken, holder, shares }: Mark<H>): void {
    this.taken = taken;
    this.holder = holder;
    this.#shares = shares?.slice();
  }

  /** The members from..from + n are nobody's in this plan, until `putBack`. */
  takeOut(from: number, n: number): readonly number[] {
    const { members } = this;
    if (this.#whole === undefined) {
      this.#whole = this.#ordered;
      this.#ordered = members.slice();
    }
    this.size -= n;
    return this.#ordered.splice(from, n);
  }

  putBack(): void {
    if (this.#whole === undefined) return;
    this.#ordered = this.#whole;
    this.#whole = undefined;
    this.#noted = undefined;
    this.size = this.#ordered.length;
  }

  /** One has all of its machines. Those of which that must be noted anew, in no order. */
  noteWhole(holder: number): readonly number[] {
    const fresh = this.#unnoted;
    const isSame = this.#noted === holder;
    if (isSame && fresh === undefined) return NOBODY;
    this.#noted = holder;
    this.#unnoted = undefined;
    if (!isSame) return this.slots();
    const { groupOf } = this.#filing;
    return fresh?.filter((slot) => groupOf[slot] === this) ?? NOBODY;
  }

  /** Some have a part each. True if that must be noted anew for all its machines. */
  noteParts(parts: readonly Stretch[]): boolean {
    const before = this.#noted;
    const hasFresh = this.#unnoted !== undefined;
    this.#noted = parts;
    this.#unnoted = undefined;
    if (hasFresh || typeof before !== 'object' || before.length !== parts.length) return true;
    return parts.some(({ holder, end }, i) => before[i]?.holder !== holder || before[i].end !== end);
  }

  reset(): void {
    this.taken = 0;
    this.holder = undefined;
    this.#shares = undefined;
  }

  #putInOrder(): void {
    const { groupOf, rank, waiting } = this.#filing;
    const fresh: number[] = [];
    for (const slot of this.#added) {
      if (groupOf[slot] === this && waiting[slot] === 1) {
        waiting[slot] = 2;
        fresh.push(slot);
      }
    }
    this.#added = [];
    this.#dropRemoved(this.size - fresh.length);
    for (const slot of fresh) waiting[slot] = 0;
    if (fresh.length === 0) return;
    if (fresh.length > 1) fresh.sort((x, y) => (rank[x] as number) - (rank[y] as number));
    this.#insert(fresh, rank);
  }

  /** Afterwards the ordered ones are those that were members before and are members still: `left` of them. */
  #dropRemoved(left: number): void {
    const { groupOf, rank, waiting } = this.#filing;
    const members = this.#ordered;
    const removed = this.#removed;
    this.#removed = [];
    if (members.length === left) return;
    if (removed.length * FEW < members.length) {
      for (const slot of removed) {
        const at = placeOf(members, rank[slot] as number, rank);
        if (members[at] === slot) members.splice(at, 1);
      }
      if (members.length === left) return;
    }
    let kept = 0;
    for (const slot of members) {
      if (groupOf[slot] === this && waiting[slot] === 0) members[kept++] = slot;
    }
    members.length = kept;
  }

  #insert(fresh: readonly number[], rank: Int32Array): void {
    const members = this.#ordered;
    if (fresh.length * FEW < members.length) {
      for (const slot of fresh) members.splice(placeOf(members, rank[slot] as number, rank), 0, slot);
      return;
    }
    let from = members.length - 1;
    let to = members.length + fresh.length - 1;
    for (let i = fresh.length - 1; i >= 0; i--) {
      const slot = fresh[i] as number;
      const at = rank[slot] as number;
      while (from >= 0 && (rank[members[from] as number] as number) > at) members[to--] = members[from--] as number;
      members[to--] = slot;
    }
  }
}

/** Up to this position, who has the machines of a group: a number; -1 = nobody. */
export interface Stretch {
  readonly holder: number;
  readonly end: number;
}

const NOBODY: readonly number[] = [];

/** One change in so many members is made by itself; more are made in one sweep. */
const FEW = 16;

/** As long as so few have come, or at most one in so many, the order can wait. */
const MOST_LOOSE = 256;
const LOOSE = 8;

/** How many members come before `at`. */
function placeOf(members: readonly number[], at: number, rank: Int32Array): number {
  let low = 0;
  let high = members.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((rank[members[middle] as number] as number) < at) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Groups of one pool in order of rank; groups of equal rank form a tie, between whose machines the id decides. */
export class Shelf<H = unknown> {
  readonly #groups = new Map<string | number, Group<H>>();
  #ties: Group<H>[][] | undefined;

  get size(): number {
    return this.#groups.size;
  }

  find(key: string | number): Group<H> | undefined {
    return this.#groups.get(key);
  }

  add(key: string | number, group: Group<H>): void {
    this.#groups.set(key, group);
    if (this.#ties === undefined) return;
    const at = tieFor(this.#ties, group.order);
    const tie = this.#ties[at];
    if (tie !== undefined && compareOrders(orderOf(tie), group.order) === 0) tie.push(group);
    else this.#ties.splice(at, 0, [group]);
  }

  groups(): Iterable<Group<H>> {
    return this.#groups.values();
  }

  /** Whether the ties, where they are kept, are those of the groups. */
  areTiesRight(): boolean {
    if (this.#ties === undefined) return true;
    if (this.#groups.size <= 1 && this.#ties.length === this.#groups.size) return this.#ties.every((tie) => tie.length === 1 && this.#groups.values().next().value === tie[0]);
    const tied = this.#ties.flat();
    const all = new Set(this.#groups.values());
    if (tied.length !== all.size || !tied.every((group) => all.delete(group))) return false;
    return this.#ties.every((tie, i) => {
      const before = this.#ties?.[i - 1];
      return tie.length > 0 && tie.every(({ order }) => compareOrders(order, orderOf(tie)) === 0) && (before === undefined || compareOrders(orderOf(before), orderOf(tie)) < 0);
    });
  }

  ties(): readonly (readonly Group<H>[])[] {
    return (this.#ties ??= tiesOf([...this.#groups.values()]));
  }

  delete(key: string | number): void {
    const group = this.#groups.get(key);
    if (group === undefined) return;
    this.#groups.delete(key);
    if (this.#ties === undefined) return;
    const at = tieFor(this.#ties, group.order);
    const tie = this.#ties[at] as Group<H>[];
    if (tie.length === 1) this.#ties.splice(at, 1);
    else tie.splice(tie.indexOf(group), 1);
  }
}

/** How many ties come before `order`. */
function tieFor<H>(ties: readonly (readonly Group<H>[])[], order: readonly number[]): number {
  let low = 0;
  let high = ties.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if (compareOrders(orderOf(ties[middle] as readonly Group<H>[]), order) < 0) low = middle + 1;
    else high = middle;
  }
  return low;
}

function orderOf<H>(tie: readonly Group<H>[]): readonly number[] {
  return (tie[0] as Group<H>).order;
}

function tiesOf<H>(groups: Group<H>[]): Group<H>[][] {
  groups.sort((a, b) => compareOrders(a.order, b.order));
  const ties: Group<H>[][] = [];
  let before: Group<H> | undefined;
  for (const group of groups) {
    if (before !== undefined && compareOrders(before.order, group.order) === 0) ties.at(-1)?.push(group);
    else ties.push([group]);
    before = group;
  }
  return ties;
}

export function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
