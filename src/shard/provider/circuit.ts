import type { Clock } from '../../lib/clock.ts';
import type { Millis } from '../../engine/types.ts';
import type { Random } from '../../lib/random.ts';
import type { CallKind } from '../record.ts';
import { Rests } from '../rests.ts';

/** So many calls of one kind in a row that brought no answer: none of that kind will, for a while. */
const IN_A_ROW = 5;
const PAUSE = { minMs: 15_000, maxMs: 300_000 };

/** A kind of call that a provider does not answer at present. */
export interface Unanswered {
  readonly kind: CallKind;
  readonly inARow: number;
  /** The last one's words. */
  readonly words: string;
  /** Wall time of the next try. */
  readonly until: Millis;
}

/**
 * Which kinds of call a provider does not answer, though it lists its machines. Each would take one of its slots for as long as a
 * call may take, for nothing: so one at a time is tried, later and later, until one is answered.
 */
export class Circuit {
  private readonly clock: Clock;
  private readonly rests: Rests;
  private readonly inARow = new Map<CallKind, number>();
  private readonly open = new Map<CallKind, Unanswered>();

  constructor(clock: Clock, random: Random) {
    this.clock = clock;
    this.rests = new Rests(clock, random, PAUSE);
  }

  /** A call brought no answer in time. For how many milliseconds none of its kind is made; 0 = it may be that one call. */
  unanswered(kind: CallKind, words: string): number {
    const inARow = (this.inARow.get(kind) ?? 0) + 1;
    this.inARow.set(kind, inARow);
    if (inARow < IN_A_ROW) return 0;
    const restMs = this.rests.failed(kind);
    this.open.set(kind, { kind, inARow, words, until: this.clock.now() + restMs });
    return restMs;
  }

  /** Whatever it said. True when it had been silent so far. */
  answered(kind: CallKind): boolean {
    this.inARow.delete(kind);
    this.rests.succeeded(kind);
    return this.open.delete(kind);
  }

  /** How many calls of the kind may be under way at a time now. */
  room(kind: CallKind): number {
    if (!this.open.has(kind)) return Infinity;
    return this.rests.restMs(kind) > 0 ? 0 : 1;
  }

  list(): readonly Unanswered[] {
    return [...this.open.values()];
  }
}
