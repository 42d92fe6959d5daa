import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createController, TerminalError } from './controller.ts';
import type { Controller, ControllerOptions } from './controller.ts';
import { Mailbox } from './testing/mailbox.ts';
import { after, done } from './types.ts';
import type { Log, ReconcileContext, Result } from './types.ts';

interface Running extends PromiseWithResolvers<Result> {
  readonly key: string;
  readonly ctx: ReconcileContext;
}

let clock: VirtualClock;
let running: Mailbox<Running>;
let outcomes: string[];
let errors: object[];
let stop: AbortController;

beforeEach(() => {
  clock = new VirtualClock();
  running = new Mailbox();
  outcomes = [];
  errors = [];
  stop = new AbortController();
});

function start(options: Partial<ControllerOptions> = {}): { controller: Controller; ended: Promise<void> } {
  const log: Log = { debug() {}, info() {}, warn() {}, error: (fields) => errors.push(fields) };
  const controller = createController({
    reconciler: {
      name: 'test',
      reconcile(key, ctx) {
        const call = { key, ctx, ...Promise.withResolvers<Result>() };
        running.push(call);
        return call.promise;
      },
    },
    clock,
    log,
    ids: () => 'id-1',
    metrics: { reconciled: (outcome) => outcomes.push(outcome), activeWorkers() {} },
    ...options,
  });
  return { controller, ended: controller.run(stop.signal) };
}

describe('outcomes', () => {
  test('success is over', async () => {
    const { controller } = start();
    controller.enqueue('a');
    const call = await running.next();
    expect(call).toMatchObject({ key: 'a', ctx: { reconcileId: 'id-1' } });
    call.resolve(done);
    await clock.advance(2_000_000);
    expect(running.waitingItems).toEqual([]);
    expect(outcomes).toEqual(['success']);
  });

  test('an error is repeated with growing delays; success ends the growth', async () => {
    const { controller } = start();
    controller.enqueue('a');
    for (const delay of [5, 10, 20]) {
      (await running.next()).reject(new Error('no luck'));
      await clock.advance(delay - 1);
      expect(running.waitingItems).toEqual([]);
      await clock.advance(1);
    }
    (await running.next()).resolve(done);
    controller.enqueue('a');
    (await running.next()).reject(new Error('again'));
    await clock.advance(5);
    expect(running.waitingItems).toHaveLength(1);
    expect(outcomes).toEqual(['error', 'error', 'error', 'success', 'error']);
    expect(errors[0]).toMatchObject({ controller: 'test', key: 'a', reconcileId: 'id-1', retries: 1 });
  });

  test('a synchronous throw is an error like any other', async () => {
    const { controller } = start({
      reconciler: {
        name: 'test',
        reconcile() {
          throw new Error('a bug');
        },
      },
    });
    controller.enqueue('a');
    await clock.advance(0);
    expect(outcomes).toEqual(['error']);
  });

  test('a terminal error is logged, counted and not repeated', async () => {
    const { controller } = start();
    controller.enqueue('a');
    (await running.next()).reject(new TerminalError('spec.size is negative'));
    await clock.advance(2_000_000);
    expect(running.waitingItems).toEqual([]);
    expect(outcomes).toEqual(['terminal']);
    expect(errors).toHaveLength(1);
    controller.enqueue('a');
    (await running.next()).resolve(done);
  });

  test('a terminal error ends the growth of the delays', async () => {
    const { controller } = start();
    controller.enqueue('a');
    (await running.next()).reject(new Error('no luck'));
    await clock.advance(5);
    (await running.next()).reject(new TerminalError('hopeless'));
    await clock.advance(0);
    controller.enqueue('a');
    (await running.next()).reject(new Error('no luck'));
    await clock.advance(5);
    expect(running.waitingItems).toHaveLength(1);
  });

  test('look again after a delay', async () => {
    const { controller } = start();
    controller.enqueue('a');
    (await running.next()).resolve(after(5_000));
    await clock.advance(4_999);
    expect(running.waitingItems).toEqual([]);
    await clock.advance(1);
    expect(running.waitingItems).toHaveLength(1);
    expect(outcomes).toEqual(['requeue_after']);
  });

  test('enqueueAfter waits', async () => {
    const { controller } = start();
    controller.enqueueAfter('a', 1_000);
    await clock.advance(999);
    expect(running.waitingItems).toEqual([]);
    await clock.advance(1);
    expect(running.waitingItems).toHaveLength(1);
  });
});

describe('concurrency', () => {
  test.each([1, 2, 3, 50])('as many as there are workers, %d, run side by side, in every burst, however the one before it ended', async (workers) => {
    const { controller, ended } = start({ workers });
    for (let burst = 0; burst < 6; burst++) {
      const keys = Array.from({ length: 2 * workers + burst }, (_, i) => `${String(burst)}-${String(i)}`);
      for (const key of keys) controller.enqueue(key);
      let left = keys.length;
      while (left > 0) {
        await clock.advance(0);
        const calls = running.waitingItems.slice();
        expect(calls).toHaveLength(Math.min(workers, left));
        // All at once in one burst, one after the other in the next.
        const ending = burst % 2 === 0 ? calls.length : 1;
        for (let i = 0; i < ending; i++) (await running.next()).resolve(done);
        left -= ending;
      }
    }
    stop.abort();
    await ended;
  });

  test('different keys run side by side up to the number of workers; one key never does', async () => {
    const { controller } = start({ workers: 2 });
    for (const key of ['a', 'b', 'c']) controller.enqueue(key);
    const [a, b] = await running.take(2);
    controller.enqueue('a');
    await clock.advance(0);
    expect(running.waitingItems).toEqual([]);
    b!.resolve(done);
    expect((await running.next()).key).toBe('c');
    await clock.advance(0);
    expect(running.waitingItems).toEqual([]);
    a!.resolve(done);
    expect((await running.next()).key).toBe('a');
  });

  test('the deadline aborts the signal of a reconcile that takes too long, which then fails and is repeated', async () => {
    const { controller } = start({ deadlineMs: 30_000 });
    controller.enqueue('a');
    const call = await running.next();
    call.ctx.signal.addEventListener('abort', () => call.reject(call.ctx.signal.reason));
    await clock.advance(29_999);
    expect(call.ctx.signal.aborted).toBe(false);
    await clock.advance(1);
    expect(outcomes).toEqual(['error']);
    expect(errors[0]).toMatchObject({ err: { message: expect.stringContaining('30000 ms') } });
    await clock.advance(5);
    expect(running.waitingItems).toHaveLength(1);
  });

  test('no timer stays behind a finished reconcile', async () => {
    const { controller } = start();
    controller.enqueue('a');
    (await running.next()).resolve(done);
    await clock.advance(0);
    expect(clock.pending).toBe(0);
  });
});

describe('stopping', () => {
  test('what runs may finish, what is queued is dropped', async () => {
    const { controller, ended } = start();
    controller.enqueue('a');
    controller.enqueue('b');
    const call = await running.next();
    stop.abort(new Error('stop'));
    await clock.advance(9_999);
    expect(call.ctx.signal.aborted).toBe(false);
    call.resolve(done);
    await ended;
    expect(outcomes).toEqual(['success']);
    expect(running.waitingItems).toEqual([]);
    expect(clock.pending).toBe(0);
  });

  test('after the grace the signals abort', async () => {
    const { controller, ended } = start({ graceMs: 3_000 });
    controller.enqueue('a');
    const call = await running.next();
    call.ctx.signal.addEventListener('abort', () => call.reject(call.ctx.signal.reason));
    stop.abort(new Error('stop'));
    await clock.advance(2_999);
    expect(outcomes).toEqual([]);
    await clock.advance(1);
    await ended;
    expect(outcomes).toEqual(['error']);
  });

  test('a reconcile that ignores its signal does not hold up the stop for ever', async () => {
    const { controller, ended } = start({ graceMs: 3_000 });
    controller.enqueue('a');
    await running.next();
    stop.abort(new Error('stop'));
    await clock.advance(4_000);
    await ended;
    expect(errors).toContainEqual({ controller: 'test', running: 1 });
  });

  test('a controller that was stopped before it started does nothing', async () => {
    stop.abort(new Error('stop'));
    const { controller, ended } = start();
    controller.enqueue('a');
    await ended;
    expect(running.waitingItems).toEqual([]);
  });
});
