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
  private readonly marks = new Map<string, FenceMark>();
  private readonly unknown = new Set<string>();
  /** Per shard: no token at or below it passes for an unknown id without a mark of its own. */
  private readonly floors = new Map<string, FencingToken>();

  /** The mark to beat, if there is one. */
  markFor(shardId: string, machineId: string, machineKnown: boolean): FencingToken | undefined {
    return this.marks.get(keyOf(shardId, machineId)) ?? (machineKnown ? undefined : this.floors.get(shardId));
  }

  advance(mark: FenceMark, machineKnown: boolean): void {
    const key = keyOf(mark.shardId, mark.machineId);
    this.marks.set(key, mark);
    this.unknown.delete(key);
    if (machineKnown) return;
    this.unknown.add(key);
    if (this.unknown.size > MAX_UNKNOWN_MARKS) this.foldOldest();
  }

  /** Every mark, for snapshots. Floors are marks of the empty machine id, which no request can name. */
  *all(): Iterable<FenceMark> {
    yield* this.marks.values();
    for (const floor of this.floors.values()) yield { ...floor, machineId: '' };
  }

  restore(mark: FenceMark, machineKnown: boolean): void {
    if (mark.machineId === '') this.floors.set(mark.shardId, mark);
    else this.advance(mark, machineKnown);
  }

  private foldOldest(): void {
    const key = this.unknown.values().next().value;
    const mark = key === undefined ? undefined : this.marks.get(key);
    if (key === undefined || !mark) return;
    this.unknown.delete(key);
    this.marks.delete(key);
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

function keyOf(shardId: string, machineId: string): string {
  return `${shardId.length}:${shardId}${machineId}`;
}
