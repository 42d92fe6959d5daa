import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { KubeClient, Log, Runnable } from '../types.ts';

export interface LeaseDurations {
  readonly leaseMs: number; // default 15,000; whole seconds, as the Lease stores them
  readonly renewDeadlineMs: number; // default 10,000: a try gets half of it, so two fit
  readonly retryMs: number; // default 2,000
}

export interface LeaseElectionOptions {
  readonly client: KubeClient;
  readonly name: string;
  readonly namespace: string;
  /** Unique per process: a restarted process must not share it with its predecessor. */
  readonly identity: string;
  readonly durations?: Partial<LeaseDurations>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Called once, before waitUntilLeader resolves. Transitions grow with every change of holder, unless the Lease is deleted. */
  readonly onAcquired?: (transitions: number) => void;
  /** Asked when it stops: false = what was done in the name of the Lease may still take effect, so it is left to expire. Default: true. */
  readonly mayRelease?: () => boolean;
  /** Called once, when the Lease names another holder. The process must stop acting at once. */
  readonly onLost?: (otherHolder: string) => void;
}

/** Another holder is in the Lease: `run` rejects with it. */
export class LeadershipLostError extends Error {
  override readonly name = 'LeadershipLostError';
  readonly otherHolder: string;

  constructor(lease: string, otherHolder: string) {
    super(`lease ${lease} is now held by "${otherHolder}"`);
    this.otherHolder = otherHolder;
  }
}

/**
 * Campaigns until elected, then renews. A silent API server does not cost the leadership, only its proof (D16):
 * whoever takes things away asks `isProven` or `recheck` first. Stopping releases the Lease, if it may.
 */
export interface LeaseElection extends Runnable {
  readonly isLeader: boolean;
  /** Transitions at acquisition; undefined before. */
  readonly transitions: number | undefined;
  /**
   * Monotonic milliseconds until which no other process can hold the Lease; 0 unless leading, and from a step of the wall
   * clock against the monotonic one (also: this machine was suspended) to the next renewal.
   */
  provenUntil(): number;
  isProven(): boolean;
  /** Reads the Lease now and, if it is still ours, renews it. 'unknown' = no answer: neither lost nor proven. */
  recheck(signal?: AbortSignal): Promise<'held' | 'lost' | 'unknown'>;
  waitUntilLeader(signal?: AbortSignal): Promise<void>;
}
