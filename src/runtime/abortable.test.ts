import { expect, it } from 'vitest';
import { abortable } from './abortable.ts';

const over = new Error('over');

it('gives the outcome of the promise, or the reason of the signal if that comes first', async () => {
  const stop = new AbortController();
  expect(await abortable(Promise.resolve(1), stop.signal)).toBe(1);
  await expect(abortable(Promise.reject(over), undefined)).rejects.toBe(over);
  const waiting = abortable(new Promise(() => {}), stop.signal);
  stop.abort(over);
  await expect(waiting).rejects.toBe(over);
});

it('does not leave a rejection to nobody when the signal has aborted before', async () => {
  const unhandled: unknown[] = [];
  const note = (error: unknown): void => void unhandled.push(error);
  const before = process.listeners('unhandledRejection');
  process.removeAllListeners('unhandledRejection').on('unhandledRejection', note);
  try {
    await expect(abortable(Promise.reject(new Error('late')), AbortSignal.abort(over))).rejects.toBe(over);
    await new Promise((resolve) => setImmediate(resolve));
  } finally {
    process.off('unhandledRejection', note);
    for (const listener of before) process.on('unhandledRejection', listener);
  }
  expect(unhandled).toEqual([]);
});
