import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { KubeClient, KubeObject, Log, Runnable } from './types.ts';

/** Something worth telling the person who looks at an object. */
export interface KubeEvent {
  /** The object it is about; needs apiVersion, kind and metadata. */
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, machine-readable, stable. */
  readonly reason: string;
  readonly message: string;
  /** Events about one object with equal reason and equal values here are one event. Default: the message. */
  readonly dedupeValues?: readonly string[];
}

export interface EventRecorderOptions {
  readonly client: KubeClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Who reports, e.g. `bigfleet-shard`. */
  readonly component: string;
  /** Which replica, e.g. the Pod name. */
  readonly instance: string;
  readonly dedupeMs?: number; // default 120,000
  readonly qps?: number; // default 5
  readonly burst?: number; // default 25
  readonly maxQueued?: number; // default 1,000; the newest are dropped beyond it
  readonly onDropped?: (reason: 'queue_full' | 'api_error') => void;
}

/** Best effort: publishing never blocks, never throws, and an event may be lost. */
export interface EventRecorder extends Runnable {
  publish(event: KubeEvent): void;
}

export function createEventRecorder(_options: EventRecorderOptions): EventRecorder {
  throw new Error('not implemented yet');
}
