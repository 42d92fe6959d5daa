import { abortable } from './abortable.ts';
import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { Fifo } from './queue/fifo.ts';
import { createTokenBucket } from './token-bucket.ts';
import type { KubeClient, KubeObject, Log, ResourceType, Runnable } from './types.ts';

const EVENT: ResourceType = { group: '', version: 'v1', plural: 'events', kind: 'Event', namespaced: true };
const DEDUPE_MS = 120_000;
const MAX_REMEMBERED = 10_000;
const CALL_TIMEOUT_MS = 5_000;
const MAX_MESSAGE = 1_024;
const MAX_NAME_PREFIX = 220;

/** Something worth telling the person who looks at an object. */
export interface KubeEvent {
  /** The object it is about; needs apiVersion, kind and metadata. */
  readonly regarding: KubeObject;
  readonly type: 'Normal' | 'Warning';
  /** UpperCamelCase, machine-readable, stable. */
  readonly reason: string;
  /** One sentence; cut at 1,024 characters, the API's limit. */
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

interface Queued {
  readonly event: KubeEvent;
  readonly atMs: number;
}

export function createEventRecorder(options: EventRecorderOptions): EventRecorder {
  const { client, clock, random, log, component, dedupeMs = DEDUPE_MS, maxQueued = 1_000, onDropped } = options;
  const bucket = createTokenBucket({ clock, perSecond: options.qps ?? 5, burst: options.burst ?? 25 });
  const queue = new Fifo<Queued>();
  // Insertion order is order of age, so forgetting starts at the front.
  const recent = new Map<string, number>();
  let wake = Promise.withResolvers<void>();

  const forgetOld = (now: number): void => {
    for (const [key, at] of recent) {
      if (now - at < dedupeMs && recent.size <= MAX_REMEMBERED) break;
      recent.delete(key);
    }
  };

  const send = async ({ event, atMs }: Queued, signal: AbortSignal): Promise<void> => {
    try {
      const object = toEventObject(event, atMs, options, random);
      await client.create(EVENT, object, { timeoutMs: CALL_TIMEOUT_MS, maxAttempts: 2, signal });
    } catch (error) {
      onDropped?.('api_error');
      log.debug({ reason: event.reason, error: String(error) }, 'an event could not be written');
    }
  };

  return {
    name: `events of ${component}`,
    publish(event) {
      const now = clock.monotonic();
      const key = dedupeKey(event);
      forgetOld(now);
      if (recent.has(key)) return;
      if (queue.length >= maxQueued) {
        onDropped?.('queue_full');
        return;
      }
      recent.set(key, now);
      queue.push({ event, atMs: clock.now() });
      wake.resolve();
    },
    async run(signal) {
      try {
        for (;;) {
          await abortable(wake.promise, signal);
          wake = Promise.withResolvers();
          for (let next = queue.shift(); next; next = queue.shift()) {
            await bucket.take(signal);
            await send(next, signal);
          }
        }
      } catch (error) {
        if (!signal.aborted) throw error;
      }
    },
  };
}

function dedupeKey({ regarding, type, reason, message, dedupeValues }: KubeEvent): string {
  const { uid, namespace, name } = regarding.metadata;
  return JSON.stringify([regarding.kind, uid ?? [namespace, name], type, reason, dedupeValues ?? [message]]);
}

function toEventObject(event: KubeEvent, atMs: number, { component, instance }: EventRecorderOptions, random: Random): KubeObject {
  const { apiVersion, kind, metadata } = event.regarding;
  const { name, namespace, uid, resourceVersion } = metadata;
  const time = new Date(atMs).toISOString().replace(/\.\d{3}Z$/, 'Z');
  const suffix = atMs.toString(16) + Math.floor(random() * 0x1_0000_0000).toString(16).padStart(8, '0');
  const object = {
    metadata: { name: `${name.slice(0, MAX_NAME_PREFIX)}.${suffix}`, namespace: namespace ?? 'default' },
    involvedObject: { apiVersion, kind, name, namespace, uid, resourceVersion },
    type: event.type,
    reason: event.reason,
    message: event.message.length <= MAX_MESSAGE ? event.message : `${event.message.slice(0, MAX_MESSAGE - 1)}…`,
    count: 1,
    firstTimestamp: time,
    lastTimestamp: time,
    source: { component },
    reportingComponent: component,
    reportingInstance: instance,
  };
  return object;
}
