import { describe, expect, it } from 'vitest';
import { WriteQueue } from './write-queue.ts';

const nobody = (): boolean => false;

describe('what is to be written next', () => {
  it('is what changed first, once it has settled; changes meanwhile do not put it off', () => {
    const queue = new WriteQueue(50);
    queue.add('a', 0);
    queue.add('b', 10);
    queue.add('a', 40);
    expect(queue.take(49, nobody, 1_000)).toEqual({ dueAt: 50 });
    expect(queue.take(60, nobody, 1_000)).toEqual({ id: 'a' });
    expect(queue.take(60, nobody, 1_000)).toEqual({ id: 'b' });
    expect([queue.take(60, nobody, 1_000), queue.size]).toEqual([{ dueAt: 1_060 }, 0]);
  });

  it('is at once what somebody waits for', () => {
    const queue = new WriteQueue(50);
    queue.add('a', 0);
    queue.add('b', 0);
    queue.hurry('b');
    expect([queue.take(1, nobody, 1_000), queue.has('b'), queue.size]).toEqual([{ id: 'b' }, false, 1]);
  });

  it('leaves out what is being written, and what failed until its time has come', () => {
    const queue = new WriteQueue(50);
    queue.add('a', 0);
    queue.add('b', 0);
    expect(queue.take(50, (id) => id === 'a', 1_000)).toEqual({ id: 'b' });
    queue.retry('b', 300);
    queue.retry('a', 300); // is to be written anyway
    expect(queue.take(50, nobody, 1_000)).toEqual({ id: 'a' });
    expect(queue.take(50, nobody, 1_000)).toEqual({ dueAt: 300 });
    expect(queue.take(50, nobody, 10)).toEqual({ dueAt: 60 });
    expect(queue.take(300, nobody, 1_000)).toEqual({ id: 'b' });
  });

  it('is found among hundreds of thousands without looking at them', () => {
    const queue = new WriteQueue(50);
    let asked = 0;
    for (let i = 0; i < 200_000; i++) queue.add(`m${i}`, i / 1_000_000);
    for (let i = 0; i < 1_000; i++) queue.take(0, () => (asked++, false), 1_000);
    expect(asked).toBeLessThanOrEqual(1_000);
    queue.delete('m0');
    expect([queue.size, queue.take(51, nobody, 1_000)]).toEqual([199_999, { id: 'm1' }]);
  });
});
