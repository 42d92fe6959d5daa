import { describe, expect, test } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../types.ts';
import type { KubeObject, ListWatchClient, ResourceType } from '../types.ts';
import { runReflector } from './reflector.ts';

const THING: ResourceType = { group: '', version: 'v1', plural: 'things', kind: 'Thing', namespaced: false };

/** Each look at the clock costs 0.1 ms, as if the work between two looks did. */
class WorkingClock extends VirtualClock {
  private spentMs = 0;

  override monotonic(): number {
    return super.monotonic() + (this.spentMs += 0.1);
  }
}

function things(count: number): KubeObject[] {
  return Array.from({ length: count }, (_, i) => ({ metadata: { name: `t${i}`, uid: `u${i}`, resourceVersion: '1' } }));
}

/** Counts how often others get a turn while the reflector works. */
function countTurns(): { stop(): number } {
  let turns = 0;
  let isRunning = true;
  const tick = (): void => {
    turns++;
    if (isRunning) setImmediate(tick);
  };
  setImmediate(tick);
  return {
    stop() {
      isRunning = false;
      return turns;
    },
  };
}

async function run(client: ListWatchClient, until: number): Promise<number> {
  const stop = new AbortController();
  const turns = countTurns();
  let counted = 0;
  let upserts = 0;
  const sink = {
    upsert() {
      if (++upserts < until) return;
      counted = turns.stop();
      stop.abort(new Error('enough'));
    },
    remove() {},
    listed() {},
  };
  const backoff = { minMs: 1_000, maxMs: 30_000 };
  await runReflector({ client, type: THING, selection: {}, sink, clock: new WorkingClock(), random: () => 0, log: silentLog, backoff, idleMs: 90_000, firstList: '', watchList: false }, stop.signal);
  expect(upserts).toBe(until);
  return counted;
}

async function never(): Promise<never> {
  return await new Promise<never>(() => {});
}

describe('others get their turn', () => {
  test('while a big page is taken in', async () => {
    const client: ListWatchClient = {
      listPage: async () => ({ items: things(1_000) as never, resourceVersion: '1', continueToken: '' }),
      watch: never,
    };
    // 1,000 objects at 0.1 ms are 100 ms of work: about 50 turns of 2 ms.
    const turns = await run(client, 1_000);
    expect(turns).toBeGreaterThan(40);
    expect(turns).toBeLessThan(70);
  });

  test('while one chunk of many events is taken in', async () => {
    const lines = things(1_000).map((object) => `${JSON.stringify({ type: 'ADDED', object })}\n`);
    const client: ListWatchClient = {
      listPage: async () => ({ items: [], resourceVersion: '1', continueToken: '' }),
      async watch() {
        return (async function* () {
          yield Buffer.from(lines.join(''));
        })();
      },
    };
    const turns = await run(client, 1_000);
    expect(turns).toBeGreaterThan(40);
    expect(turns).toBeLessThan(70);
  });
});

test('a stop at the very moment when a list is complete is not missed', async () => {
  const stop = new AbortController();
  const client: ListWatchClient = {
    listPage: async () => ({ items: [], resourceVersion: '1', continueToken: '' }),
    watch: (_type, { signal }) => new Promise((_resolve, reject) => {
      if (signal.aborted) reject(signal.reason as Error);
      signal.addEventListener('abort', () => reject(signal.reason as Error), { once: true });
    }),
  };
  const clock = new VirtualClock();
  const sink = { upsert() {}, remove() {}, listed: () => stop.abort(new Error('enough')) };
  let hasEnded = false;
  void runReflector({ client, type: THING, selection: {}, sink, clock, random: () => 0, log: silentLog, backoff: { minMs: 1_000, maxMs: 30_000 }, idleMs: 90_000, firstList: '', watchList: false }, stop.signal).then(() => (hasEnded = true));
  await clock.advance(0);
  expect([hasEnded, clock.pending]).toEqual([true, 0]);
});
