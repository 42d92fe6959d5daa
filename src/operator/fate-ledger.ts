import type { NeedStatuses } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { Clock } from '../lib/clock.ts';
import { statusKeyOfNeed } from './contribution.ts';
import { sameWords, unmetReasonName, type Verdict } from './request-status.ts';

export interface FateLedgerOptions {
  readonly clock: Clock;
  readonly intervalMs: number;
  /** A request's phase is written at the latest so long after its acknowledgement. Default 800 ms. */
  readonly settleMs?: number;
  /** A row unmet for so long is worth telling. Default 5,000 ms (D31). */
  readonly patienceMs?: number;
  /** These requests may have a new status. */
  readonly requestsChanged: (keys: readonly string[]) => void;
  /** The requests of this row (by status key) may have a new status. */
  readonly rowChanged: (statusKey: string) => void;
  /** Nothing was acknowledged for three intervals: upstream's weaker rule applied. */
  readonly onFallback?: (requests: number) => void;
}

interface Sent {
  readonly timestamp: bigint;
  readonly sentAt: number;
  readonly keys: readonly string[];
}

interface Acknowledgement {
  readonly atMs: number;
  readonly settlesAt: number;
  readonly timestamp: bigint;
}

interface RowVerdict {
  satisfied: boolean;
  reason: string;
  text: string;
  inFlight: number;
  /** Those that it has been given, the ones on their way among them. */
  machines: number;
  /** Monotonic times since which it is unmet at all, for this reason, and in these words. */
  unmetSince: number;
  reasonSince: number;
  textSince: number;
  /** Roll-ups without the row. */
  absent: number;
}

const FALLBACK_INTERVALS = 3;
const KEEP_FOR_ROLLUPS = 30;

/**
 * Which requests the shard has acknowledged, and what it says about their rows (spec: cluster-operator 4.2; D31). Acks
 * carry no correlation id, so each one settles the oldest roll-up under way. One timer serves all requests.
 */
export class FateLedger {
  private readonly options: Required<Pick<FateLedgerOptions, 'settleMs' | 'patienceMs'>> & FateLedgerOptions;
  private readonly unacknowledged = new Set<string>();
  private readonly acknowledged = new Map<string, Acknowledgement>();
  private readonly verdicts = new Map<string, RowVerdict>();
  private sent: Sent[] = [];
  private judgedUpTo = -1n;
  private connected = false;
  private readonly due: { at: number; run: () => void }[] = [];
  private cancelTimer: (() => void) | undefined;

  constructor(options: FateLedgerOptions) {
    this.options = { settleMs: 800, patienceMs: 5_000, ...options };
  }

  /** Moments at which something is to be looked at again. */
  get appointments(): number {
    return this.due.length;
  }

  /** A request that takes part in roll-ups; `acknowledged` if its status says so already. */
  track(key: string, acknowledged: boolean): void {
    if (acknowledged) this.unacknowledged.delete(key);
    else if (!this.acknowledged.has(key)) this.unacknowledged.add(key);
  }

  forget(key: string): void {
    this.unacknowledged.delete(key);
    this.acknowledged.delete(key);
  }

  /** Requests that a roll-up built now would bring to the shard for the first time. */
  newcomers(): string[] {
    return [...this.unacknowledged];
  }

  /** A roll-up has been handed to the stream; `newcomers` as they were when it was built. */
  rollupSent(timestamp: bigint, newcomers: readonly string[]): void {
    this.fallBack();
    this.sent.push({ timestamp, sentAt: this.options.clock.monotonic(), keys: newcomers });
  }

  rollupAcked(): void {
    const oldest = this.sent.shift();
    if (oldest) this.acknowledge(oldest);
  }

  /** Roll-ups under way in an ended session will never be acknowledged. */
  sessionChanged(connected: boolean): void {
    this.connected = connected;
    this.sent = [];
    if (connected) this.judgedUpTo = -1n;
  }

  needStatuses({ rollupTimestampUnixNanos, items }: NeedStatuses): void {
    const { clock, patienceMs, rowChanged, requestsChanged } = this.options;
    const now = clock.monotonic();
    const advanced = rollupTimestampUnixNanos > this.judgedUpTo;
    if (advanced) this.judgedUpTo = rollupTimestampUnixNanos;
    const unmet: string[] = [];
    for (const item of items) {
      const key = statusKeyOfNeed(item);
      const reason = item.satisfied ? '' : unmetReasonName(item.reason);
      const known = this.verdicts.get(key);
      if (known && known.satisfied === item.satisfied && known.reason === reason) {
        const isOtherText = !sameWords(known.text, item.reasonText);
        known.text = item.reasonText;
        known.inFlight = item.inFlight;
        known.machines = item.machines;
        if (item.satisfied || !isOtherText) continue;
        known.textSince = now;
        rowChanged(key);
        unmet.push(key);
        continue;
      }
      const unmetSince = known && !known.satisfied ? known.unmetSince : now;
      this.verdicts.set(key, { satisfied: item.satisfied, reason, text: item.reasonText, inFlight: item.inFlight, machines: item.machines, unmetSince, reasonSince: now, textSince: now, absent: 0 });
      rowChanged(key);
      if (!item.satisfied) unmet.push(key);
    }
    // A message may name every row of a large cluster: one appointment for all of them.
    if (unmet.length > 0) this.at(now + patienceMs, () => unmet.forEach((key) => rowChanged(key)));
    if (advanced) requestsChanged(this.coveredBy(rollupTimestampUnixNanos));
  }

  acknowledgedAtMs(key: string): number | undefined {
    return this.acknowledged.get(key)?.atMs;
  }

  isSettled(key: string): boolean {
    const ack = this.acknowledged.get(key);
    return ack !== undefined && this.options.clock.monotonic() >= ack.settlesAt;
  }

  /** The verdict on the row if it can be about this request: computed with it, or standing for a while since. */
  verdictFor(key: string, statusKey: string): Verdict | undefined {
    const verdict = this.verdicts.get(statusKey);
    if (!verdict || this.unacknowledged.has(key)) return undefined;
    const ack = this.acknowledged.get(key);
    if (ack && ack.timestamp > this.judgedUpTo && !this.isSettled(key)) return undefined;
    const { satisfied, reason, text, inFlight, unmetSince, reasonSince, textSince } = verdict;
    const before = this.options.clock.monotonic() - this.options.patienceMs;
    const hasStood = (since: number): boolean => !satisfied && since <= before;
    return { satisfied, reason, text, inFlight, lasting: hasStood(unmetSince), steady: hasStood(reasonSince), steadyText: hasStood(textSince) };
  }

  /**
   * Whether the row has all that it asks for, none of it merely on its way; undefined unless that was computed from a
   * roll-up not older than `timestamp`. For allowances (D3): what has not come yet may still be what fits.
   */
  isServed(statusKey: string, timestamp: bigint): boolean | undefined {
    const verdict = this.judgedUpTo >= timestamp ? this.verdicts.get(statusKey) : undefined;
    return verdict && verdict.satisfied && verdict.inFlight === 0;
  }

  /** Timestamp of the newest roll-up that the shard has answered; negative = none since it is connected. */
  get judgedTo(): bigint {
    return this.judgedUpTo;
  }

  /** As `isServed`, with what is merely on its way counted. */
  isGranted(statusKey: string, timestamp: bigint): boolean {
    return this.judgedUpTo >= timestamp && this.verdicts.get(statusKey)?.satisfied === true;
  }

  /** Machines of all rows together, by what the shard made of a roll-up not older than `timestamp`; undefined = no word yet. */
  machinesInDemand(timestamp: bigint): number | undefined {
    if (this.judgedUpTo < timestamp) return undefined;
    let machines = 0;
    for (const verdict of this.verdicts.values()) if (verdict.absent === 0) machines += verdict.machines;
    return machines;
  }

  /**
   * Rows that no longer exist need no verdict; call once per roll-up. One that comes back soon finds its verdict again: the
   * shard may never have noticed its absence, and then it does not repeat itself.
   */
  retainRows(exists: (statusKey: string) => boolean): void {
    for (const [key, verdict] of this.verdicts) {
      verdict.absent = exists(key) ? 0 : verdict.absent + 1;
      if (verdict.absent > KEEP_FOR_ROLLUPS) this.verdicts.delete(key);
    }
  }

  stop(): void {
    this.cancelTimer?.();
    this.due.length = 0;
  }

  private acknowledge({ timestamp, keys }: Sent): void {
    const { clock, settleMs, requestsChanged } = this.options;
    const settlesAt = clock.monotonic() + settleMs;
    const atMs = clock.now();
    const fresh = keys.filter((key) => this.unacknowledged.delete(key));
    for (const key of fresh) this.acknowledged.set(key, { atMs, settlesAt, timestamp });
    if (fresh.length === 0) return;
    requestsChanged(fresh);
    this.at(settlesAt, () => requestsChanged(fresh));
  }

  /** A rejected roll-up is never acknowledged, and one bad row must not leave a whole cluster Pending. */
  private fallBack(): void {
    const { clock, intervalMs, onFallback } = this.options;
    const oldest = this.sent[0];
    if (!this.connected || !oldest || clock.monotonic() - oldest.sentAt < FALLBACK_INTERVALS * intervalMs) return;
    this.sent.shift();
    const before = this.unacknowledged.size;
    this.acknowledge(oldest);
    onFallback?.(before - this.unacknowledged.size);
  }

  private coveredBy(timestamp: bigint): string[] {
    const now = this.options.clock.monotonic();
    const covered: string[] = [];
    // Newest last: once settled, a request no longer waits for its verdict.
    for (const [key, ack] of this.acknowledged) if (ack.settlesAt > now && ack.timestamp <= timestamp) covered.push(key);
    return covered;
  }

  /** Appointments come nearly in order, so the place of a new one is found from the end. */
  private at(at: number, run: () => void): void {
    let place = this.due.length;
    while (place > 0 && (this.due[place - 1]?.at ?? at) > at) place--;
    this.due.splice(place, 0, { at, run });
    if (place === 0) this.schedule();
  }

  private schedule(): void {
    this.cancelTimer?.();
    const first = this.due[0];
    if (!first) return;
    this.cancelTimer = this.options.clock.after(first.at - this.options.clock.monotonic(), () => {
      const now = this.options.clock.monotonic();
      while (this.due[0] && this.due[0].at <= now) this.due.shift()?.run();
      this.schedule();
    });
  }
}
