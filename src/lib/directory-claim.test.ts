import { mkdirSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { DirectoryClaim } from './directory-claim.ts';
import type { Look } from './directory-claim.ts';

const STALE = 'lock-9-9-9';

let directory: string;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'directory-claim-'));
});
afterEach(() => rmSync(directory, { recursive: true, force: true }));

const claimOf = (pid: number): DirectoryClaim => new DirectoryClaim(directory, { pid, start: '1', nonce: 'a' }, (other) => other.pid !== 9);

/** Every order in which takers, each told how many steps it makes, can make them. */
function* interleavings(left: readonly number[], done: readonly number[] = []): Generator<readonly number[]> {
  if (left.every((steps) => steps === 0)) yield done;
  for (const [taker, steps] of left.entries()) {
    if (steps > 0) yield* interleavings(left.with(taker, steps - 1), [...done, taker]);
  }
}

it('is won by exactly one, in whatever order the steps of three are made, and what a dead one left is gone', () => {
  let orders = 0; // of the announcement and the first look; those who wait then look again, one after another
  for (const order of interleavings([2, 2, 2])) {
    orders++;
    rmSync(directory, { recursive: true });
    mkdirSync(directory);
    writeFileSync(join(directory, STALE), 'held');
    const claims = [1, 2, 3].map(claimOf);
    const results: (Look | 'announced' | undefined)[] = [undefined, undefined, undefined];
    const step = (taker: number): void => {
      if (results[taker] === undefined) {
        claims[taker]!.announce();
        results[taker] = 'announced';
      } else if (results[taker] === 'announced' || results[taker] === 'unsettled') results[taker] = claims[taker]!.look();
      expect(results.filter((result) => result === 'held').length, String(order)).toBeLessThanOrEqual(1);
    };
    for (const taker of order) step(taker);
    // Whoever is still waiting looks again, until all is settled.
    for (let round = 0; round < 3; round++) for (const taker of [0, 1, 2]) step(taker);
    expect(results.map((result) => (typeof result === 'object' ? 'lost' : result)).sort(), String(order)).toEqual(['held', 'lost', 'lost']);
    expect(readdirSync(directory), String(order)).toEqual([`lock-${results.indexOf('held') + 1}-1-a`]);
  }
  expect(orders).toBe(90);
});

it('says who holds it, however the names sort, and is free after the release', () => {
  const holder = claimOf(2);
  holder.announce();
  expect(holder.look()).toBe('held');
  for (const pid of [1, 3]) {
    const late = claimOf(pid);
    late.announce();
    expect(late.look()).toEqual({ takenBy: { pid: 2, start: '1', nonce: 'a' } });
  }
  holder.release();
  const next = claimOf(1);
  next.announce();
  expect(next.look()).toBe('held');
});

it('leaves other files alone', () => {
  const names = ['lock', 'lock-file', 'journal-0'];
  for (const name of names) writeFileSync(join(directory, name), '');
  const claim = claimOf(1);
  claim.announce();
  expect(claim.look()).toBe('held');
  claim.release();
  expect(readdirSync(directory).sort()).toEqual(names.sort());
});
