/** Who sends a mutation, and its place in the sender's order. Compared as (epoch, sequence), lexicographically. */
export interface FencingToken {
  readonly shardId: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
}

export interface FenceMark extends FencingToken {
  readonly machineId: string;
}

/** Marks for machines nobody knows are bounded: beyond so many the oldest is folded into its shard's floor. */
const MAX_UNKNOWN_MARKS = 10_000;

/**
 * The highest token seen per (shard, machine). A token must be strictly above the mark of its pair. An id that
 * is not known gets its mark too: a shard may speak of a machine before it is discovered.
 */
export class FenceTable {
  /** By machine, then by shard. */
  private readonly marks = new Map<string, Map<string, FenceMark>>();
  /** Marks of machines that nobody knows, the one that was raised longest ago first. */
  private readonly unknown = new Map<string, FenceMark>();
  /** Per shard: no token at or below it passes for an unknown id without a mark of its own. */
  private readonly floors = new Map<string, FencingToken>();

  /** The mark to beat, if there is one. */
  markFor(shardId: string, machineId: string, machineKnown: boolean): FencingToken | undefined {
    return this.marks.get(machineId)?.get(shardId) ?? (machineKnown ? undefined : this.floors.get(shardId));
  }

  advance(mark: FenceMark, machineKnown: boolean): void {
    let ofMachine = this.marks.get(mark.machineId);
    if (!ofMachine) this.marks.set(mark.machineId, (ofMachine = new Map()));
    ofMachine.set(mark.shardId, mark);
    const key = keyOf(mark);
    this.unknown.delete(key);
    if (machineKnown) return;
    this.unknown.set(key, mark);
    if (this.unknown.size > MAX_UNKNOWN_MARKS) this.foldOldest();
  }

  /**
   * The marks that a machine starts with when it is discovered: its own may have been folded into a floor while nobody
   * knew it, so every floor becomes a mark of it. The caller persists them, then calls `discovered`.
   */
  marksOfNew(machineId: string): FenceMark[] {
    const own = this.marks.get(machineId);
    return [...this.floors.values()].filter(({ shardId }) => !own?.has(shardId)).map((floor) => ({ ...floor, machineId }));
  }

  /** From now on the marks of this machine are kept for good. */
  discovered(machineId: string, marks: readonly FenceMark[]): void {
    for (const mark of this.marks.get(machineId)?.values() ?? []) this.unknown.delete(keyOf(mark));
    for (const mark of marks) this.advance(mark, true);
  }

  /** Every mark, for snapshots. Floors are marks of the empty machine id, which no request can name. */
  *all(): Iterable<FenceMark> {
    for (const ofMachine of this.marks.values()) yield* ofMachine.values();
    for (const floor of this.floors.values()) yield { ...floor, machineId: '' };
  }

  restore(mark: FenceMark, machineKnown: boolean): void {
    if (mark.machineId === '') this.floors.set(mark.shardId, mark);
    else this.advance(mark, machineKnown);
  }

  private foldOldest(): void {
    const [oldest] = this.unknown;
    if (!oldest) return;
    const [key, mark] = oldest;
    this.unknown.delete(key);
    const ofMachine = this.marks.get(mark.machineId);
    ofMachine?.delete(mark.shardId);
    if (ofMachine?.size === 0) this.marks.delete(mark.machineId);
    const floor = this.floors.get(mark.shardId);
    if (!floor || isAbove(mark, floor)) this.floors.set(mark.shardId, mark);
  }
}

/** A call that names no shard, no epoch and no sequence is not fenced at all. */
export function isUnfenced(token: FencingToken): boolean {
  return token.shardId === '' && token.epoch === 0n && token.sequence === 0n;
}

/** Strictly above, epochs first: a new epoch may start with any sequence. */
export function isAbove(token: FencingToken, mark: FencingToken): boolean {
  return token.epoch === mark.epoch ? token.sequence > mark.sequence : token.epoch > mark.epoch;
}

function keyOf({ shardId, machineId }: FenceMark): string {
  return `${shardId.length}:${shardId}${machineId}`;
}
