import { sleep } from '../../lib/clock.ts';
import { hasStepped, markOf } from '../../lib/clock-step.ts';
import type { ClockMark } from '../../lib/clock-step.ts';
import { abortable } from '../abortable.ts';
import { isAlreadyExists, isConflict, isNotFound } from '../client/api-error.ts';
import type { KubeClient } from '../types.ts';
import { LeadershipLostError } from './election-types.ts';
import type { LeaseDurations, LeaseElection, LeaseElectionOptions } from './election-types.ts';
import { holderOf, LEASE, toMicroTime, transitionsOf } from './lease-record.ts';
import type { Lease, LeaseSpec } from './lease-record.ts';

const DURATIONS: LeaseDurations = { leaseMs: 15_000, renewDeadlineMs: 10_000, retryMs: 2_000 };
const PROOF_MARGIN_MS = 2_000;
const RELEASE_TIMEOUT_MS = 3_000;
const CONFIRM_ATTEMPTS = 3;
const CAMPAIGN_JITTER = 0.2;
const RENEW_JITTER = 0.1;

export function createLeaseElection(options: LeaseElectionOptions): LeaseElection {
  return new Election(options);
}

type State = 'campaigning' | 'leading' | 'lost' | 'released';

/** What was last seen of somebody else's Lease, and when on our own monotonic clock: the clocks of others do not matter. */
interface Observation {
  readonly mark: string;
  readonly expiresAt: number;
}

/** From just before the renewal was sent, to a moment of our monotonic clock. */
interface Proof {
  readonly since: ClockMark;
  readonly untilMs: number;
}

class Election implements LeaseElection {
  readonly name: string;
  private readonly options: LeaseElectionOptions;
  private readonly durations: LeaseDurations;
  private readonly elected = Promise.withResolvers<void>();
  /** Rejects with what ends `run` before its signal does. */
  private readonly ended = Promise.withResolvers<never>();
  private state: State = 'campaigning';
  private held: Lease | undefined;
  private acquiredAt = '';
  private transitionsHeld: number | undefined;
  private proof: Proof | undefined;
  private observed: Observation | undefined;
  private isInTrouble = false;
  /** Calls on the Lease go one after the other, or a renewal and a recheck would conflict with each other. */
  private tail: Promise<unknown> = Promise.resolve();

  constructor(options: LeaseElectionOptions) {
    this.options = options;
    this.durations = checked({ ...DURATIONS, ...options.durations });
    this.name = `lease ${options.namespace}/${options.name}`;
    // Awaited only while run() runs; elsewhere a loss must not count as an unhandled rejection.
    this.ended.promise.catch(() => {});
  }

  get isLeader(): boolean {
    return this.state === 'leading';
  }

  get transitions(): number | undefined {
    return this.transitionsHeld;
  }

  provenUntil(): number {
    if (this.state !== 'leading' || !this.proof) return 0;
    if (!hasStepped(this.options.clock, this.proof.since)) return this.proof.untilMs;
    // For good, or a wall clock that is set back would bring it to life again.
    this.proof = undefined;
    this.options.log.warn({ lease: this.name }, 'the wall clock was set, or this machine was suspended: the Lease is not proven before its next renewal');
    return 0;
  }

  isProven(): boolean {
    return this.options.clock.monotonic() < this.provenUntil();
  }

  async waitUntilLeader(signal?: AbortSignal): Promise<void> {
    await abortable(this.elected.promise, signal);
  }

  async recheck(signal?: AbortSignal): Promise<'held' | 'lost' | 'unknown'> {
    if (this.state === 'lost' || this.state === 'released') return 'lost';
    if (this.state !== 'leading') return 'unknown';
    try {
      return await abortable(this.inTurn(() => this.confirm(signal)), signal);
    } catch (error) {
      signal?.throwIfAborted();
      this.options.log.warn({ lease: this.name, error: String(error) }, 'the Lease could not be read: leadership is neither lost nor proven');
      return 'unknown';
    }
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock, random } = this.options;
    try {
      while (!signal.aborted) {
        await this.tick(signal);
        const jitter = this.isLeader ? RENEW_JITTER : CAMPAIGN_JITTER;
        const pauseMs = Math.min(this.durations.retryMs * (1 + jitter * random()), this.untilExpiry());
        await Promise.race([sleep(clock, pauseMs, signal), this.ended.promise]);
      }
    } catch (error) {
      if (!signal.aborted || error !== signal.reason) throw error;
    } finally {
      await this.release();
    }
  }

  /** A candidate is there when the Lease ends: waiting out a whole pause would come on top of the holder's time. */
  private untilExpiry(): number {
    if (this.isLeader || !this.observed) return Infinity;
    const leftMs = this.observed.expiresAt - this.options.clock.monotonic();
    return leftMs > 0 ? leftMs : Infinity;
  }

  private async tick(signal: AbortSignal): Promise<void> {
    const { isLeader } = this;
    const { log } = this.options;
    try {
      await this.inTurn(() => (this.isLeader ? this.renew(signal) : this.campaign(signal)));
      if (this.isInTrouble) log.info({ lease: this.name, isLeader }, 'the Lease can be read and written again');
      this.isInTrouble = false;
    } catch (error) {
      if (signal.aborted) return;
      const fields = { lease: this.name, isLeader, error: String(error) };
      if (this.isInTrouble) log.debug(fields, 'the Lease still cannot be read or written');
      else log.warn(fields, 'the Lease cannot be read or written');
      this.isInTrouble = true;
    }
  }

  /** Takes the Lease if nobody holds it: absent, released, or not renewed for its whole duration while we watched. */
  private async campaign(signal: AbortSignal): Promise<void> {
    const { client, clock, identity } = this.options;
    const lease = await client.get<Lease>(LEASE, this.options, this.call(signal));
    const isExpired = (): boolean => clock.monotonic() >= (this.observed?.expiresAt ?? 0);
    if (!lease) {
      // Deleted under a holder that we saw: it may still feel sure of itself, so its time has to run out first.
      if (isExpired()) await this.claim(undefined, 0, this.microNow(), signal);
      return;
    }
    const holder = holderOf(lease);
    // Our own claim whose answer was lost. Anybody else under our name is a stranger.
    const acquireTime = lease.spec?.acquireTime;
    if (holder === identity && acquireTime && acquireTime === this.acquiredAt) {
      return await this.claim(lease, transitionsOf(lease), acquireTime, signal);
    }
    this.observe(lease);
    if (!isExpired()) return;
    await this.claim(lease, transitionsOf(lease) + 1, this.microNow(), signal);
  }

  private observe(lease: Lease): void {
    const { uid, resourceVersion } = lease.metadata;
    const mark = `${uid} ${resourceVersion}`;
    if (this.observed?.mark === mark) return;
    const durationMs = (lease.spec?.leaseDurationSeconds ?? 0) * 1000 || this.durations.leaseMs;
    if (!this.observed && holderOf(lease) !== '') this.options.log.info({ lease: this.name, holder: holderOf(lease) }, 'another process holds the Lease: standing by');
    this.observed = { mark, expiresAt: holderOf(lease) === '' ? 0 : this.options.clock.monotonic() + durationMs };
  }

  private async claim(lease: Lease | undefined, transitions: number, acquireTime: string, signal: AbortSignal): Promise<void> {
    this.acquiredAt = acquireTime;
    try {
      await this.write(lease, transitions, signal);
    } catch (error) {
      if (isRace(error)) return; // Somebody was quicker.
      throw error;
    }
    this.state = 'leading';
    this.transitionsHeld = transitions;
    this.options.log.info({ lease: this.name, transitions }, 'elected');
    try {
      this.options.onAcquired?.(transitions);
      this.elected.resolve();
    } catch (error) {
      this.ended.reject(error);
    }
  }

  private async renew(signal: AbortSignal): Promise<void> {
    try {
      await this.write(this.held, this.transitionsHeld!, signal);
    } catch (error) {
      if (!isRace(error)) throw error;
      await this.confirm(signal);
    }
  }

  /** Reads the Lease: another holder ends the leadership; ours, or nobody's since us, is renewed. */
  private async confirm(signal: AbortSignal | undefined, attemptsLeft = CONFIRM_ATTEMPTS): Promise<'held' | 'lost'> {
    const lease = await this.options.client.get<Lease>(LEASE, this.options, this.call(signal));
    if (lease && !this.isOurs(lease)) {
      this.lose(holderOf(lease));
      return 'lost';
    }
    try {
      await this.write(lease, this.transitionsHeld!, signal);
    } catch (error) {
      signal?.throwIfAborted();
      // Changed since we read it, perhaps by another holder: what we read does not count.
      if (isRace(error)) {
        if (attemptsLeft <= 1) throw error;
        return await this.confirm(signal, attemptsLeft - 1);
      }
      // The answer to the question stands; the proof has to wait for the next renewal.
      this.options.log.warn({ lease: this.name, error: String(error) }, 'the Lease is ours but could not be renewed');
    }
    return 'held';
  }

  /** Ours, or emptied by hand. Other transitions mean that somebody held it in between, even under our name. */
  private isOurs(lease: Lease): boolean {
    const holder = holderOf(lease);
    if (transitionsOf(lease) !== this.transitionsHeld) return false;
    if (holder === '') return lease.metadata.uid === this.held?.metadata.uid;
    return holder === this.options.identity && lease.spec?.acquireTime === this.acquiredAt;
  }

  /** Creates or replaces the Lease with us as its holder. The proof runs from before the request left. */
  private async write(lease: Lease | undefined, transitions: number, signal: AbortSignal | undefined): Promise<void> {
    const { client, clock, identity } = this.options;
    const { leaseMs } = this.durations;
    const spec: LeaseSpec = {
      holderIdentity: identity,
      leaseDurationSeconds: leaseMs / 1000,
      acquireTime: this.acquiredAt,
      renewTime: this.microNow(),
      leaseTransitions: transitions,
    };
    const since = markOf(clock);
    this.held = await this.put(client, lease, spec, this.call(signal));
    this.proof = { since, untilMs: since.monotonicMs + leaseMs - Math.min(PROOF_MARGIN_MS, leaseMs / 2) };
  }

  private put(client: KubeClient, lease: Lease | undefined, spec: LeaseSpec, call: ReturnType<Election['call']>): Promise<Lease> {
    const { name, namespace } = this.options;
    if (!lease) return client.create<Lease>(LEASE, { metadata: { name, namespace }, spec }, call);
    return client.update<Lease>(LEASE, { ...lease, spec: { ...lease.spec, ...spec } }, call);
  }

  private async release(): Promise<void> {
    const { client, log, mayRelease = () => true } = this.options;
    if (this.state !== 'leading') return;
    this.state = 'released';
    if (!mayRelease()) return log.info({ lease: this.name }, 'not released: what was asked for in its name may still take effect; it will expire');
    const call = { timeoutMs: RELEASE_TIMEOUT_MS, unthrottled: true, maxAttempts: 2 };
    const give = (lease: Lease | undefined): Promise<Lease> =>
      this.put(client, lease, { holderIdentity: '', leaseDurationSeconds: 1, renewTime: this.microNow() }, call);
    try {
      await this.inTurn(async () => {
        try {
          await give(this.held);
        } catch (error) {
          // The last renewal may have arrived although its answer did not.
          const lease = isConflict(error) ? await client.get<Lease>(LEASE, this.options, call) : undefined;
          if (!lease || !this.isOurs(lease)) throw error;
          await give(lease);
        }
      });
      log.info({ lease: this.name }, 'released');
    } catch (error) {
      log.warn({ lease: this.name, error: String(error) }, 'the Lease could not be released; it will expire');
    }
  }

  private lose(otherHolder: string): void {
    if (this.state === 'lost') return;
    this.state = 'lost';
    this.options.log.error({ lease: this.name, otherHolder }, 'leadership lost');
    this.ended.reject(new LeadershipLostError(`${this.options.namespace}/${this.options.name}`, otherHolder));
    this.options.onLost?.(otherHolder);
  }

  private inTurn<R>(work: () => Promise<R>): Promise<R> {
    const result = this.tail.then(work);
    this.tail = result.catch(() => {});
    return result;
  }

  private call(signal: AbortSignal | undefined) {
    return { timeoutMs: this.durations.renewDeadlineMs / 2, unthrottled: true, maxAttempts: 1, ...(signal && { signal }) };
  }

  private microNow(): string {
    return toMicroTime(this.options.clock.now());
  }
}

/** The Lease is not what we last read: changed, gone, or created by another. */
function isRace(error: unknown): boolean {
  return isConflict(error) || isNotFound(error) || isAlreadyExists(error);
}

function checked(durations: LeaseDurations): LeaseDurations {
  const { leaseMs, renewDeadlineMs, retryMs } = durations;
  if (leaseMs < 1000 || leaseMs % 1000 !== 0) throw new Error(`durations.leaseMs is ${leaseMs}; it must be whole seconds, at least 1000`);
  if (!(retryMs > 0 && retryMs < renewDeadlineMs && renewDeadlineMs < leaseMs)) {
    throw new Error(`durations must satisfy 0 < retryMs < renewDeadlineMs < leaseMs, got ${retryMs}, ${renewDeadlineMs}, ${leaseMs}`);
  }
  return durations;
}
