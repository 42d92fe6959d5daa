import { getEventListeners } from 'node:events';
import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { ObservableClock } from '../testing/observable-clock.ts';
import { createWorkQueue } from './work-queue.ts';
import type { QueueMetrics, WorkQueue } from './work-queue.ts';

let clock: VirtualClock;
let queue: WorkQueue;

beforeEach(() => {
  clock = new VirtualClock();
  queue = createWorkQueue({ clock });
});

async function drain(from: WorkQueue = queue): Promise<string[]> {
  const keys: string[] = [];
  while (from.length > 0) {
    const key = (await from.get())!;
    keys.push(key);
    from.done(key);
  }
  return keys;
}

describe('a set of keys', () => {
  test('keys come out in the order they went in, each once', async () => {
    for (const key of ['a', 'b', 'a', 'c', 'b']) queue.add(key);
    expect(queue.length).toBe(3);
    expect(await drain()).toEqual(['a', 'b', 'c']);
  });

  test('a key added while it is processed comes again, but only after done', async () => {
    queue.add('a');
    expect(await queue.get()).toBe('a');
    queue.add('a');
    queue.add('a');
    expect(queue.length).toBe(0);
    queue.done('a');
    expect(queue.length).toBe(1);
    expect(await drain()).toEqual(['a']);
  });

  test('get waits for a key; waiting ends with the signal', async () => {
    const first = queue.get();
    const abort = new AbortController();
    const aborted = queue.get(abort.signal);
    const third = queue.get();
    abort.abort();
    expect(await aborted).toBeUndefined();
    queue.add('a');
    queue.add('b');
    expect(await first).toBe('a');
    expect(await third).toBe('b');
    expect(await queue.get(abort.signal)).toBeUndefined();
  });

  test('waiting leaves no listener on the signal', async () => {
    const { signal } = new AbortController();
    const waiting = queue.get(signal);
    queue.add('a');
    await waiting;
    expect(getEventListeners(signal, 'abort')).toEqual([]);
  });

  test('done of a key that is not processed changes nothing', async () => {
    queue.add('a');
    queue.done('a');
    expect(await drain()).toEqual(['a']);
  });
});

describe('lanes', () => {
  test('the low lane is served when the normal one is empty', async () => {
    queue.add('old1', { lane: 'low' });
    queue.add('old2', { lane: 'low' });
    queue.add('news');
    expect(await drain()).toEqual(['news', 'old1', 'old2']);
  });

  test('a key in the low lane is promoted, never demoted, and comes once', async () => {
    queue.add('a', { lane: 'low' });
    queue.add('b', { lane: 'low' });
    queue.add('b');
    queue.add('b', { lane: 'low' });
    expect(queue.length).toBe(2);
    expect(await drain()).toEqual(['b', 'a']);
  });

  test('what a promotion leaves behind is not handed out while the key is processed', async () => {
    queue.add('a', { lane: 'low' });
    queue.add('a');
    expect(await queue.get()).toBe('a');
    queue.add('a', { lane: 'low' });
    queue.add('b', { lane: 'low' });
    expect(await queue.get()).toBe('b');
  });

  test('a key added to the low lane while processed waits there', async () => {
    queue.add('a');
    await queue.get();
    queue.add('a', { lane: 'low' });
    queue.add('b');
    queue.done('a');
    expect(await drain()).toEqual(['b', 'a']);
  });
});

describe('delays', () => {
  test('a delayed key is ready when its time has come, not before', async () => {
    queue.addAfter('a', 1_000);
    await clock.advance(999);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(await drain()).toEqual(['a']);
  });

  test('of two delays for one key the earlier counts, and the key comes once', async () => {
    queue.addAfter('a', 5_000);
    queue.addAfter('a', 1_000);
    queue.addAfter('a', 3_000);
    await clock.advance(1_000);
    expect(await drain()).toEqual(['a']);
    await clock.advance(10_000);
    expect(queue.length).toBe(0);
  });

  test('no delay means now', () => {
    queue.addAfter('a', 0);
    expect(queue.length).toBe(1);
  });

  test('ten thousand delays need one timer', async () => {
    for (let i = 0; i < 10_000; i++) queue.addAfter(`k${i}`, 10_000 - i);
    expect(clock.pending).toBe(1);
    await clock.advance(5_000);
    const keys = await drain();
    expect(keys).toHaveLength(5_000);
    expect(keys.slice(0, 2)).toEqual(['k9999', 'k9998']);
    expect(clock.pending).toBe(1);
  });

  test('a jump of the wall clock changes nothing: delays are monotonic', async () => {
    const jumpy = new ObservableClock();
    const other = createWorkQueue({ clock: jumpy });
    other.addAfter('a', 1_000);
    jumpy.jumpWall(86_400_000);
    await jumpy.advance(999);
    expect(other.length).toBe(0);
    jumpy.jumpWall(-2 * 86_400_000);
    await jumpy.advance(1);
    expect(other.length).toBe(1);
  });
});

describe('retries', () => {
  async function delayOfRetry(key: string): Promise<number> {
    const from = clock.monotonic();
    queue.addRateLimited(key);
    while (queue.length === 0) await clock.advance(5);
    await drain();
    return clock.monotonic() - from;
  }

  test('each failure of a key doubles its delay up to the maximum; forget starts over', async () => {
    queue = createWorkQueue({ clock, backoff: { minMs: 5, maxMs: 40 } });
    const delays: number[] = [];
    for (let i = 0; i < 5; i++) delays.push(await delayOfRetry('a'));
    expect(delays).toEqual([5, 10, 20, 40, 40]);
    expect(queue.retries('a')).toBe(5);
    expect(await delayOfRetry('b')).toBe(5);
    queue.forget('a');
    expect(queue.retries('a')).toBe(0);
    expect(await delayOfRetry('a')).toBe(5);
  });

  test('by default the longest delay is 1,000 s', async () => {
    for (let i = 0; i < 40; i++) {
      queue.addRateLimited('a');
      await clock.advance(1_000_000);
      await drain();
    }
    queue.addRateLimited('a');
    await clock.advance(999_999);
    expect(queue.length).toBe(0);
    await clock.advance(1);
    expect(queue.length).toBe(1);
  });

  test('all keys together are retried at 10 per second after a burst of 100', async () => {
    for (let i = 0; i < 150; i++) queue.addRateLimited(`k${i}`);
    await clock.advance(5);
    expect(queue.length).toBe(100);
    await clock.advance(995);
    expect(queue.length).toBe(110);
    await clock.advance(4_000);
    expect(queue.length).toBe(150);
  });
});

describe('shutting down', () => {
  test('shutDown wakes the getters, drops what waits and refuses more', async () => {
    const waiting = queue.get();
    queue.addAfter('later', 1_000);
    queue.shutDown();
    expect(await waiting).toBeUndefined();
    queue.add('a');
    queue.addAfter('b', 1);
    queue.addRateLimited('c');
    expect(clock.pending).toBe(0);
    expect(await queue.get()).toBeUndefined();
  });

  test('draining hands out what is queued and waits for what is processed', async () => {
    queue.add('a');
    queue.add('b');
    const a = (await queue.get())!;
    queue.addAfter('later', 1_000);
    let drained = false;
    const drain = queue.shutDownWithDrain().then(() => (drained = true));
    queue.add('refused');
    const b = (await queue.get())!;
    expect(b).toBe('b');
    expect(await queue.get()).toBeUndefined();
    queue.done(a);
    await clock.advance(0);
    expect(drained).toBe(false);
    queue.done(b);
    await drain;
    expect(clock.pending).toBe(0);
  });

  test('draining without the queued keys waits for the processed ones only', async () => {
    queue.add('a');
    queue.add('b');
    const a = (await queue.get())!;
    queue.add(a);
    const drain = queue.shutDownWithDrain({ discardQueued: true });
    expect(await queue.get()).toBeUndefined();
    queue.done(a);
    await drain;
    expect(queue.length).toBe(0);
  });
});

describe('metrics', () => {
  test('depth, adds, waits, work and retries are told', async () => {
    const log: string[] = [];
    const metrics: QueueMetrics = {
      depth: (n) => log.push(`depth ${n}`),
      added: () => log.push('added'),
      waited: (ms) => log.push(`waited ${ms}`),
      worked: (ms) => log.push(`worked ${ms}`),
      retried: () => log.push('retried'),
    };
    queue = createWorkQueue({ clock, metrics });
    queue.add('a');
    queue.add('a');
    await clock.advance(30);
    await queue.get();
    await clock.advance(70);
    queue.addRateLimited('a');
    queue.done('a');
    expect(log).toEqual(['added', 'depth 1', 'depth 0', 'waited 30', 'retried', 'worked 70']);
  });
});

describe('properties', () => {
  type Op = { op: 'add' | 'low' | 'get' | 'done'; key: number };
  const ops = fc.array(fc.record({ op: fc.constantFrom<Op['op']>('add', 'low', 'get', 'done'), key: fc.nat(2) }), { maxLength: 120 });

  test('no key is handed out twice at once, none is lost, and the length is right', async () => {
    await fc.assert(
      fc.asyncProperty(ops, async (script) => {
        const subject = createWorkQueue({ clock });
        const dirty = new Set<string>();
        const processing = new Set<string>();
        for (const { op, key: number } of script) {
          const key = `k${number}`;
          if (op === 'add' || op === 'low') {
            subject.add(key, { lane: op === 'low' ? 'low' : 'normal' });
            dirty.add(key);
          } else if (op === 'done') {
            subject.done(key);
            processing.delete(key);
          } else if (subject.length > 0) {
            const got = (await subject.get())!;
            expect(processing.has(got)).toBe(false);
            expect(dirty.delete(got)).toBe(true);
            processing.add(got);
          }
          expect(subject.processing).toBe(processing.size);
          expect(subject.length).toBe([...dirty].filter((each) => !processing.has(each)).length);
        }
        for (const key of processing) subject.done(key);
        expect((await drain(subject)).sort()).toEqual([...dirty].sort());
      }),
      { numRuns: 300 },
    );
  });
});
