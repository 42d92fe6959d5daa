import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { ApiError, TransportError } from '../runtime/client/api-error.ts';
import type { KubeClient } from '../runtime/types.ts';
import { silentLog } from '../runtime/types.ts';
import { claimEpoch } from './claim-epoch.ts';
import { realDisk } from './disk.ts';
import type { Pass } from './lease-guard.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'claim-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

interface World {
  readonly object: { epoch: number; version: number };
  /** The object is changed by somebody else so many times, right before our write. */
  readonly rivals?: number;
  /** What becomes of the writes, one after the other; whatever follows succeeds. */
  readonly answers?: readonly unknown[];
  /** How long the Lease proves itself from the start of the claim on. */
  readonly provenMs?: number;
  /** When another process takes it. */
  readonly lostAtMs?: number;
}

let clock: VirtualClock;
let published: { readonly at: number; readonly epoch: number }[];
beforeEach(() => {
  clock = new VirtualClock();
  published = [];
});

function claim({ object, rivals = 0, answers = [], provenMs = 0, lostAtMs = Infinity }: World, signal = new AbortController().signal): Promise<bigint> {
  let left = rivals;
  const refusals = [...answers];
  const client = {
    get: () => Promise.resolve({ metadata: { name: 's', resourceVersion: String(object.version) }, spec: {}, status: { epoch: object.epoch } }),
    patch: (_type: unknown, _ref: unknown, body: { metadata: { resourceVersion: string }; status: { epoch: number } }) => {
      published.push({ at: clock.monotonic(), epoch: body.status.epoch });
      if (refusals.length > 0) return Promise.reject(refusals.shift() as Error);
      if (left-- > 0) object = Object.assign(object, { epoch: object.epoch + 10, version: object.version + 1 });
      if (body.metadata.resourceVersion !== String(object.version)) return Promise.reject(new ApiError('patch', 409, { reason: 'Conflict' }));
      Object.assign(object, { epoch: body.status.epoch, version: object.version + 1 });
      return Promise.resolve({});
    },
  } as unknown as KubeClient;
  const pass = (): Promise<Pass> => (clock.monotonic() < lostAtMs ? Promise.resolve({ notAfterMonotonicMs: provenMs }) : Promise.reject(new Error('lost')));
  return claimEpoch({ client, namespace: 'n', shardId: 's', dataDir: dir, transitions: 0, holder: 'me', lastSeen: undefined, pass, disk: realDisk, clock, random: () => 0.5, log: silentLog, signal });
}

/** Its outcome, once so much time has passed. */
async function within<T>(ms: number, promise: Promise<T>): Promise<T | 'still trying'> {
  let outcome: { readonly value: T } | undefined;
  void promise.then((value) => (outcome = { value }));
  await clock.advance(ms);
  return outcome ? outcome.value : 'still trying';
}

const refused = (status: number, retryAfterSeconds?: number): ApiError => new ApiError('patch', status, { reason: 'Trouble' }, retryAfterSeconds);

it('does not publish over the claim of another process, but goes above it', async () => {
  const object = { epoch: 4, version: 1 };
  expect(await claim({ object, rivals: 1 })).toBe(15n);
  expect(object.epoch).toBe(15);
});

it('gives up publishing, and not its epoch, when the object changes all the time', async () => {
  const object = { epoch: 4, version: 1 };
  expect(await claim({ object, rivals: Infinity })).toBe(25n);
  expect(object.epoch).toBe(34);
});

it.each([429, 500, 503])('publishes before it is used, though the API server answers with %i at first', async (status) => {
  const object = { epoch: 4, version: 1 };
  expect(await within(5_000, claim({ object, answers: [refused(status), refused(status)], provenMs: 13_000 }))).toBe(5n);
  expect(object.epoch).toBe(5);
  expect(published.map(({ epoch }) => epoch)).toEqual([5, 5, 5]);
});

it('waits between tries, longer each time, and as long as the API server asks for', async () => {
  const object = { epoch: 4, version: 1 };
  await within(13_000, claim({ object, answers: [refused(500), refused(500), refused(429, 3)], provenMs: 13_000 }));
  const [first, second, third, fourth] = published.map(({ at }) => at) as [number, number, number, number];
  expect(second - first).toBeGreaterThan(0);
  expect(third - second).toBeGreaterThan(second - first);
  expect(fourth - third).toBeGreaterThanOrEqual(3_000);
});

it('tries no longer than the Lease was proven when it began, and then goes on with what is on disk', async () => {
  const object = { epoch: 4, version: 1 };
  const outcome = claim({ object, answers: Array.from({ length: 1_000 }, () => refused(503)), provenMs: 13_000 });
  expect(await within(5_000, outcome)).toBe('still trying');
  expect(await within(8_000, outcome)).toBe(5n);
  expect(published.every(({ at }) => at < 13_000)).toBe(true);
  expect(object.epoch).toBe(4);
});

it.each([
  ['no answer', new TransportError('patch', 'TIMEOUT', 'no answer', { sent: true })],
  ['a refusal that does not pass', refused(403)],
])('is not held up by %s', async (_what, error) => {
  const object = { epoch: 4, version: 1 };
  expect(await within(0, claim({ object, answers: [error], provenMs: 13_000 }))).toBe(5n);
  expect(published).toHaveLength(1);
});

it('ends with its signal while it waits', async () => {
  const stop = new AbortController();
  const outcome = claim({ object: { epoch: 4, version: 1 }, answers: [refused(503, 5)], provenMs: 13_000 }, stop.signal);
  await clock.advance(100);
  stop.abort(new Error('stopped'));
  await expect(outcome).rejects.toThrow('stopped');
});

it('claims nothing over its successor, though it was about to try again', async () => {
  const object = { epoch: 4, version: 1 };
  const outcome = claim({ object, answers: [refused(503, 5)], provenMs: 13_000, lostAtMs: 1_000 });
  outcome.catch(() => undefined);
  await clock.advance(1_000);
  Object.assign(object, { epoch: 5, version: 2 });
  await clock.advance(10_000);
  await expect(outcome).rejects.toThrow('lost');
  expect([object.epoch, published.length]).toEqual([5, 1]);
});
