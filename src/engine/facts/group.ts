/**
 * Machines that every Need treats alike, by id: of one class, in one pool, of one rank in it, decided for the same demand.
 * Needs always take a group's machines from the front, so a plan describes who has what by counts, not by machines.
 */

/** Where a group's machines stand in the present plan; written by the pass, reset before the next. */
export interface Share<H> {
  readonly holder: H;
  /** Position after the holder's last machine. */
  end: number;
}

/** Where a group's machines are: bound and ready or nearly; decided and not bound; preempted and arrived or not; free. */
export type GroupKind = 'configured' | 'configuring' | 'promised' | 'arrived' | 'leaving' | 'idle' | 'speculative';

export class Group<H = unknown> {
  readonly kind: GroupKind;
  readonly classIndex: number;
  /** For whom its machines are or are to be bound: an index of the assignments; -1 = for nobody. */
  readonly assigned: number;
  /** Rank in its pool, compared number by number; smaller comes first. */
  readonly order: readonly number[];
  readonly #shelf: Shelf<H> | undefined;
  readonly #key: string | number;
  /** By id, as of the last `settle`. */
  members: number[] = [];
  /** Members now, those that are not settled included. */
  size = 0;
  stale = false;
  #added: number[] = [];
  #removed: number[] = [];
  /** Who had which machines when it was last noted; undefined = the machines are others now. */
  #noted: { readonly parts: readonly (readonly [holder: number, end: number])[]; readonly length: number } | undefined;
  /** Members that have come since. */
  #unnoted: number[] = [];

  taken = 0;
  shares: Share<H>[] = [];

  /** `shelf` holds the group under `key` for as long as it has machines. */
  constructor(kind: GroupKind, classIndex: number, assigned: number, order: readonly number[], shelf?: Shelf<H>, key: string | number = 0) {
    this.kind = kind;
    this.classIndex = classIndex;
    this.assigned = assigned;
    this.order = order;
    this.#shelf = shelf;
    this.#key = key;
  }

  add(slot: number): void {
    this.#added.push(slot);
    this.size++;
    this.stale = true;
  }

  /** The caller has already noted that the slot is in another group. */
  delete(slot: number): void {
    this.#removed.push(slot);
    this.size--;
    this.stale = true;
    // Its rank is that of its assignment, whose number may stand for another one soon.
    if (this.size === 0) this.#shelf?.delete(this.#key);
  }

  /** Every member, in no order. */
  slots(groupOf: readonly (Group<H> | undefined)[]): number[] {
    return [...new Set([...this.members, ...this.#added])].filter((slot) => groupOf[slot] === this);
  }

  /** Puts the members in order. `groupOf` and `rank` by slot; `waiting` marks slots that were added and not settled yet. */
  settle(groupOf: readonly (Group<H> | undefined)[], rank: Int32Array, waiting: Uint8Array): void {
    if (!this.stale) return;
    this.stale = false;
    const fresh: number[] = [];
    for (const slot of this.#added) {
      if (groupOf[slot] === this && waiting[slot] === 1) {
        waiting[slot] = 2;
        fresh.push(slot);
      }
    }
    this.#added = [];
    this.#dropRemoved(this.size - fresh.length, groupOf, rank, waiting);
    for (const slot of fresh) waiting[slot] = 0;
    if (fresh.length === 0) return;
    if (this.#noted !== undefined) this.#unnoted = this.#unnoted.length === 0 ? fresh : [...this.#unnoted, ...fresh];
    if (fresh.length > 1) fresh.sort((x, y) => (rank[x] as number) - (rank[y] as number));
    this.#insert(fresh, rank);
  }

  /** Afterwards the members are those that were settled before and are members still: `left` of them. */
  #dropRemoved(left: number, groupOf: readonly (Group<H> | undefined)[], rank: Int32Array, waiting: Uint8Array): void {
    const { members } = this;
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

  /** Makes `n` machines more the holder's; they are the next ones from the front. */
  take(holder: H, n: number): void {
    this.taken += n;
    const last = this.shares.at(-1);
    if (last?.holder === holder) last.end = this.taken;
    else this.shares.push({ holder, end: this.taken });
  }

  /** Machines of which it must be noted anew who has them, given who has how many now; undefined = all. */
  toNote(parts: readonly (readonly [holder: number, end: number])[]): readonly number[] | undefined {
    const before = this.#noted;
    const fresh = this.#unnoted;
    this.#noted = { parts, length: this.members.length };
    this.#unnoted = [];
    if (before === undefined) return undefined;
    const isWhole = parts.length === 1 && before.parts.length === 1 && parts[0]?.[0] === before.parts[0]?.[0] && parts[0]?.[1] === this.members.length && before.parts[0]?.[1] === before.length;
    if (isWhole) return fresh;
    const isSame = fresh.length === 0 && before.length === this.members.length && before.parts.length === parts.length;
    return isSame && parts.every(([holder, end], i) => before.parts[i]?.[0] === holder && before.parts[i][1] === end) ? fresh : undefined;
  }

  /** Takes back the last `n` machines that were taken. */
  giveBack(n: number): void {
    this.taken -= n;
    const last = this.shares.at(-1);
    if (last === undefined) return;
    last.end = this.taken;
    const before = this.shares.at(-2)?.end ?? 0;
    if (last.end <= before) this.shares.pop();
  }

  reset(): void {
    this.taken = 0;
    if (this.shares.length > 0) this.shares = [];
  }

  get left(): number {
    return this.members.length - this.taken;
  }

  #insert(fresh: readonly number[], rank: Int32Array): void {
    const { members } = this;
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

/** One change in so many members is made by itself; more are made in one sweep. */
const FEW = 16;

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
  #ties: readonly (readonly Group<H>[])[] | undefined;

  get size(): number {
    return this.#groups.size;
  }

  find(key: string | number): Group<H> | undefined {
    return this.#groups.get(key);
  }

  add(key: string | number, group: Group<H>): void {
    this.#groups.set(key, group);
    this.#ties = undefined;
  }

  groups(): Iterable<Group<H>> {
    return this.#groups.values();
  }

  ties(): readonly (readonly Group<H>[])[] {
    return (this.#ties ??= tiesOf([...this.#groups.values()]));
  }

  delete(key: string | number): void {
    if (this.#groups.delete(key)) this.#ties = undefined;
  }
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

function compareOrders(a: readonly number[], b: readonly number[]): number {
  for (let i = 0; i < a.length; i++) {
    const difference = (a[i] as number) - (b[i] as number);
    if (difference !== 0) return difference;
  }
  return 0;
}
