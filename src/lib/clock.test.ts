import { expect, test, vi } from 'vitest';
import { sleep, systemClock } from './clock.ts';
import { deadline } from './deadline.ts';
import { VirtualClock } from './virtual-clock.ts';

async function outcome(promise: Promise<unknown>): Promise<string> {
  return promise.then(() => 'resolved', (error: unknown) => (error as Error).message);
}

test('sleep lasts exactly as long as it says', async () => {
  const clock = new VirtualClock();
  let woke = -1;
  void sleep(clock, 100).then(() => (woke = clock.monotonic()));
  await clock.advance(99);
  expect(woke).toBe(-1);
  await clock.advance(1);
  expect(woke).toBe(100);
});

test('sleep rejects with the reason of an abort at once and leaves no timer', async () => {
  const clock = new VirtualClock();
  const abort = new AbortController();
  const sleeping = outcome(sleep(clock, 100, abort.signal));
  abort.abort(new Error('stopping'));
  expect(await sleeping).toBe('stopping');
  expect(clock.pending).toBe(0);
});

test('sleep under a signal that is aborted already does not begin', async () => {
  const clock = new VirtualClock();
  expect(await outcome(sleep(clock, 100, AbortSignal.abort(new Error('too late'))))).toBe('too late');
  expect(await outcome(sleep(clock, 100, AbortSignal.abort('no error')))).toBe('aborted');
  expect(clock.pending).toBe(0);
});

test('deadline aborts when its time is over, and says which time', async () => {
  const clock = new VirtualClock();
  const limit = deadline(clock, 50, new AbortController().signal);
  await clock.advance(49);
  expect(limit.signal.aborted).toBe(false);
  await clock.advance(1);
  expect(limit.signal.reason).toEqual(new Error('deadline of 50 ms exceeded'));
});

test('deadline aborts with its parent, also with one that is aborted already', () => {
  const clock = new VirtualClock();
  const parent = new AbortController();
  const limit = deadline(clock, 50, parent.signal);
  parent.abort(new Error('stopping'));
  expect(limit.signal.reason).toEqual(new Error('stopping'));
  expect(deadline(clock, 50, parent.signal).signal.reason).toEqual(new Error('stopping'));
});

test('a cleared deadline does nothing any more', async () => {
  const clock = new VirtualClock();
  const parent = new AbortController();
  const limit = deadline(clock, 50, parent.signal);
  limit.clear();
  expect(clock.pending).toBe(0);
  await clock.advance(100);
  parent.abort();
  expect(limit.signal.aborted).toBe(false);
});

test('virtual time fires timers in order of their instant, then of their setting', async () => {
  const clock = new VirtualClock();
  const fired: string[] = [];
  clock.after(20, () => fired.push('late'));
  clock.after(10, () => fired.push('first'));
  clock.after(10, () => fired.push('second'));
  const cancel = clock.after(5, () => fired.push('cancelled'));
  cancel();
  await clock.advance(20);
  expect(fired).toEqual(['first', 'second', 'late']);
});

test('virtual time stands at the instant of the timer that fires, on both clocks', async () => {
  const start = Date.UTC(2030, 5, 1);
  const clock = new VirtualClock(start);
  const seen: number[] = [];
  clock.after(10, () => {
    seen.push(clock.monotonic(), clock.now() - start);
    clock.after(5, () => seen.push(clock.monotonic()));
  });
  await clock.advance(12);
  expect(seen).toEqual([10, 10]);
  await clock.advance(3);
  expect(seen).toEqual([10, 10, 15]);
  expect([clock.monotonic(), clock.now() - start, clock.pending]).toEqual([15, 15, 0]);
});

test('chains of sleeps progress within one advance', async () => {
  const clock = new VirtualClock();
  const at: number[] = [];
  void (async () => {
    for (let i = 0; i < 3; i++) {
      await sleep(clock, 10);
      at.push(clock.monotonic());
    }
  })();
  await clock.advance(30);
  expect(at).toEqual([10, 20, 30]);
});

test('the system clock runs a timer that is due and can cancel one that is not', async () => {
  const cancel = systemClock.after(60_000, () => expect.unreachable());
  cancel();
  const before = systemClock.monotonic();
  await new Promise<void>((resolve) => systemClock.after(-5, resolve));
  expect(systemClock.monotonic()).toBeGreaterThanOrEqual(before);
});

test('the system clock clamps what Node would otherwise fire at once', () => {
  const setTimer = vi.spyOn(globalThis, 'setTimeout');
  systemClock.after(2 ** 31, () => undefined)();
  expect(setTimer.mock.calls.at(-1)?.[1]).toBe(2 ** 31 - 1);
  setTimer.mockRestore();
});
