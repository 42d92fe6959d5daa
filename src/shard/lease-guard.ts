import type { Clock } from '../lib/clock.ts';
import { hasStepped, markOf } from '../lib/clock-step.ts';
import type { ClockMark } from '../lib/clock-step.ts';
import { abortable } from '../runtime/abortable.ts';
import type { LeaseElection } from '../runtime/index.ts';

/** What an unproven holder may still ask for may take effect so long after it began to look at the Lease (D16). */
export const UNPROVEN_LIMIT_MS = 10_000;
/** A look that brought no answer serves for so long: an API server that is silent must not cost every call its timeout. */
const SILENCE_MS = 2_000;
/** Before the first look: what would lean on it is over. */
const NEVER: ClockMark = { wallMs: 0, monotonicMs: -UNPROVEN_LIMIT_MS };

/** Leave for one mutating call: until when, on our monotonic clock, it may take effect. */
export interface Pass {
  readonly notAfterMonotonicMs: number;
}

/**
 * Asked before every mutation at a provider. Whoever cannot prove its Lease looks at it first: another holder ends it, no
 * answer leaves it what does not take away (D16). The limit is fixed here, before the call is made, so that a process that
 * is stopped anywhere between this look and the socket, and goes on later, sends what is refused.
 */
export class LeaseGuard {
  private readonly election: Pick<LeaseElection, 'isProven' | 'provenUntil' | 'recheck'>;
  private readonly clock: Clock;
  private looking: Promise<void> | undefined;
  private lookedFrom = NEVER;
  private silentUntil = -Infinity;
  private lost = false;
  private end: Error | undefined;
  /** Sent, and not answered; what is over is forgotten with the next one. */
  private readonly out = new Set<Pass>();

  constructor(election: Pick<LeaseElection, 'isProven' | 'provenUntil' | 'recheck'>, clock: Clock) {
    this.election = election;
    this.clock = clock;
  }

  get isOpen(): boolean {
    return this.end === undefined;
  }

  /** From now on nothing passes, whatever the Lease says. */
  close(reason: Error): void {
    this.end ??= reason;
  }

  /** Rejects when another process holds the Lease, when it was closed, and with the signal's reason. */
  async pass(signal?: AbortSignal): Promise<Pass> {
    const { election } = this;
    if (!election.isProven() && (this.lost || !this.servesStill())) {
      // One look serves all who wait for it.
      this.looking ??= this.look().finally(() => (this.looking = undefined));
      await abortable(this.looking, signal);
    }
    if (this.end) throw this.end;
    if (this.lost) throw new Error('another process holds the Lease of this shard: nothing is sent any more');
    if (election.isProven()) return { notAfterMonotonicMs: election.provenUntil() };
    return { notAfterMonotonicMs: this.lookedFrom.monotonicMs + UNPROVEN_LIMIT_MS };
  }

  /** The last look brought no answer, and is not old; of what came before a suspension nobody knows how old it is. */
  private servesStill(): boolean {
    const { clock, lookedFrom } = this;
    return clock.monotonic() < this.silentUntil && !hasStepped(clock, lookedFrom);
  }

  /** A call is sent under the pass. Returns what to call once it was answered; without an answer it may take effect until its limit. */
  goesOut({ notAfterMonotonicMs }: Pass): () => void {
    this.forgetOver();
    const call = { notAfterMonotonicMs };
    this.out.add(call);
    return () => void this.out.delete(call);
  }

  /** Calls that may still take effect: nobody else must have the Lease before they are over. */
  get outstanding(): number {
    this.forgetOver();
    return this.out.size;
  }

  private forgetOver(): void {
    const now = this.clock.monotonic();
    for (const call of this.out) if (call.notAfterMonotonicMs < now) this.out.delete(call);
  }

  private async look(): Promise<void> {
    const { election, clock } = this;
    const from = markOf(clock);
    const answer = await election.recheck();
    this.lookedFrom = from;
    this.lost = answer === 'lost';
    this.silentUntil = answer === 'unknown' ? Math.min(clock.monotonic() + SILENCE_MS, from.monotonicMs + UNPROVEN_LIMIT_MS) : -Infinity;
  }
}
