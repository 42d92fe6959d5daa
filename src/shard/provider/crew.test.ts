import { expect, it } from 'vitest';
import type { Runnable } from '../../runtime/types.ts';
import { Crew } from './crew.ts';

const member = (name: string, log: string[], end: Promise<void> = new Promise(() => undefined)): Runnable => ({
  name,
  run: (signal) => {
    log.push(`${name} runs`);
    return Promise.race([end, new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve()))]).then(() => void log.push(`${name} ends`));
  },
});

it('runs who was there before and who comes later, and ends when all have ended', async () => {
  const log: string[] = [];
  const stop = new AbortController();
  const crew = new Crew('crew');
  crew.add(member('a', log));
  const running = crew.run(stop.signal);
  crew.add(member('b', log));
  expect(log).toEqual(['a runs', 'b runs']);
  stop.abort();
  await running;
  expect(log).toEqual(['a runs', 'b runs', 'a ends', 'b ends']);
});

it('fails with the first that fails, or that ends although nobody stopped it', async () => {
  const crew = new Crew('crew');
  crew.add(member('a', [], Promise.reject(new Error('broken'))));
  await expect(crew.run(new AbortController().signal)).rejects.toThrow('broken');
  const other = new Crew('crew');
  const running = other.run(new AbortController().signal);
  other.add(member('b', [], Promise.resolve()));
  await expect(running).rejects.toThrow('b ended although nobody stopped it');
});
