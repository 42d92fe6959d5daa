import { expect, it } from 'vitest';
import { Paced } from './paced.ts';
import { VirtualClock } from './virtual-clock.ts';

function setUp() {
  const clock = new VirtualClock();
  const began: number[] = [];
  const start = clock.monotonic();
  const ends: (() => void)[] = [];
  const paced = new Paced(clock, 1000, () => {
    began.push(clock.monotonic() - start);
    return new Promise((resolve) => ends.push(resolve));
  }, (error) => { throw error; });
  const finish = async (): Promise<void> => {
    ends.shift()?.();
    await clock.advance(0);
  };
  return { clock, began, paced, finish };
}

it('begins at once, and not again before the interval is over, however often it is asked', async () => {
  const { clock, began, paced, finish } = setUp();
  paced.ask();
  paced.ask();
  await clock.advance(0);
  await finish();
  paced.ask();
  await clock.advance(999);
  expect(began).toEqual([0]);
  await clock.advance(1);
  expect(began).toEqual([0, 1000]);
});

it('serves who asked while it was working, once, and never works twice at a time', async () => {
  const { clock, began, paced, finish } = setUp();
  paced.ask();
  await clock.advance(0);
  paced.ask();
  paced.ask();
  await clock.advance(5000);
  expect(began).toEqual([0]);
  await finish();
  expect(began).toEqual([0, 5000]);
  await finish();
  await clock.advance(5000);
  expect(began).toEqual([0, 5000]);
});

it('begins nothing once it is stopped', async () => {
  const { clock, began, paced, finish } = setUp();
  paced.ask();
  paced.stop();
  await clock.advance(5000);
  expect(began).toEqual([]);
  expect(paced.isStopped).toBe(true);
  await finish();
  paced.ask();
  await clock.advance(5000);
  expect(began).toEqual([]);
});

it('tells of work that fails, and goes on when it is asked again', async () => {
  const clock = new VirtualClock();
  const failures: unknown[] = [];
  let times = 0;
  const paced = new Paced(clock, 1000, () => {
    times++;
    return times === 1 ? Promise.reject(new Error('once')) : Promise.resolve();
  }, (error) => failures.push(error));
  paced.ask();
  await clock.advance(0);
  expect(failures).toEqual([new Error('once')]);
  paced.ask();
  await clock.advance(1000);
  expect([times, failures.length]).toEqual([2, 1]);
});
