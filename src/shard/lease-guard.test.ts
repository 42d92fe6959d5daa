import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { LeaseGuard, UNPROVEN_LIMIT_MS } from './lease-guard.ts';

type Answer = 'held' | 'lost' | 'unknown';

let clock: VirtualClock;
let provenUntil: number;
let looks: number;
/** What the next looks bring; the API server takes so long to say it. */
let answer: Answer;
let takesMs: number;
let guard: LeaseGuard;

beforeEach(() => {
  clock = new VirtualClock();
  [provenUntil, looks, answer, takesMs] = [13_000, 0, 'unknown', 0];
  guard = new LeaseGuard({
    isProven: () => clock.monotonic() < provenUntil,
    provenUntil: () => provenUntil,
    recheck: async () => {
      looks++;
      const said = answer;
      if (takesMs > 0) await new Promise<void>((resolve) => clock.after(takesMs, resolve));
      if (said === 'held') provenUntil = clock.monotonic() + 13_000;
      return said;
    },
  }, clock);
});

/** How the pass ends: its limit, or the error's text. */
function outcome(signal?: AbortSignal): Promise<number | string> {
  return guard.pass(signal).then(({ notAfterMonotonicMs }) => notAfterMonotonicMs, (error: unknown) => String(error));
}

describe('with proof', () => {
  it('a call is good until the proof ends, and nobody is asked', async () => {
    await clock.advance(12_999);
    expect([await outcome(), looks]).toEqual([13_000, 0]);
  });
});

describe('without proof the Lease is looked at before the call is made (D16)', () => {
  beforeEach(() => clock.advance(20_000));

  it('held: it is good until the new proof ends', async () => {
    answer = 'held';
    expect([await outcome(), looks]).toEqual([33_000, 1]);
  });

  it('held, but not renewed: as if nobody had answered', async () => {
    guard = new LeaseGuard({ isProven: () => false, provenUntil: () => 13_000, recheck: () => Promise.resolve('held') }, clock);
    expect(await outcome()).toBe(20_000 + UNPROVEN_LIMIT_MS);
  });

  it('held by another process: nothing is sent, then or later', async () => {
    answer = 'lost';
    expect(await outcome()).toMatch(/another process holds the Lease/);
    await clock.advance(60_000);
    expect(await outcome()).toMatch(/another process holds the Lease/);
  });

  it('no answer: it is good for ten seconds from the start of the look, however long the answer took to fail to come', async () => {
    takesMs = 4_000;
    const pass = outcome();
    await clock.advance(4_000);
    expect(await pass).toBe(20_000 + UNPROVEN_LIMIT_MS);
  });

  it('no answer serves the calls of the next two seconds, whose limit does not move', async () => {
    expect(await outcome()).toBe(30_000);
    await clock.advance(1_999);
    expect([await outcome(), looks]).toEqual([30_000, 1]);
    await clock.advance(1);
    expect([await outcome(), looks]).toEqual([32_000, 2]);
  });

  it('no answer serves nobody once the machine was suspended', async () => {
    await outcome();
    clock.jumpWall(60_000);
    answer = 'lost';
    expect([await outcome(), looks]).toEqual([expect.stringContaining('another process'), 2]);
  });

  it('a proof that ends between two questions, before any look, leaves a limit that is over', async () => {
    let asked = 0;
    guard = new LeaseGuard({ isProven: () => asked++ === 0, provenUntil: () => 13_000, recheck: () => Promise.resolve('held') }, clock);
    expect(await outcome()).toBe(0);
  });

  it('a process that stood still during the look gets a limit that is over', async () => {
    takesMs = 60_000;
    const pass = outcome();
    await clock.advance(60_000);
    expect(await pass).toBeLessThan(clock.monotonic());
    takesMs = 0;
    expect([await outcome(), looks]).toEqual([clock.monotonic() + UNPROVEN_LIMIT_MS, 2]);
  });

  it('one look serves all who wait for it', async () => {
    takesMs = 1_000;
    const passes = Array.from({ length: 16 }, () => outcome());
    await clock.advance(1_000);
    expect([new Set(await Promise.all(passes)), looks]).toEqual([new Set([30_000]), 1]);
  });

  it('who is stopped does not wait for the look', async () => {
    takesMs = 1_000;
    const stop = new AbortController();
    const pass = outcome(stop.signal);
    stop.abort(new Error('stopping'));
    expect(await pass).toBe('Error: stopping');
    await clock.advance(1_000);
  });
});

it.each([0, 20_000])('once it was closed nothing passes, whatever the Lease says (after %i ms)', async (ms) => {
  await clock.advance(ms);
  answer = 'held';
  guard.close(new Error('succeeded'));
  expect([guard.isOpen, await outcome()]).toEqual([false, 'Error: succeeded']);
});

it('closed while somebody waits for the look: it does not pass either', async () => {
  await clock.advance(20_000);
  [answer, takesMs] = ['held', 500];
  const waiting = outcome();
  await clock.advance(100);
  guard.close(new Error('succeeded'));
  await clock.advance(400);
  expect(await waiting).toBe('Error: succeeded');
});

it('what was sent may take effect until it is answered, or its limit has passed', async () => {
  const answered = guard.goesOut(await guard.pass());
  guard.goesOut({ notAfterMonotonicMs: 5_000 });
  guard.goesOut({ notAfterMonotonicMs: 4_000 });
  expect(guard.outstanding).toBe(3);
  answered();
  await clock.advance(4_001);
  expect(guard.outstanding).toBe(1);
  await clock.advance(999);
  expect(guard.outstanding).toBe(1);
  await clock.advance(1);
  expect(guard.outstanding).toBe(0);
});
