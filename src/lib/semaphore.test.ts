import { expect, test } from 'vitest';
import { Semaphore } from './semaphore.ts';

/** Tasks that last until the test ends them. */
function setUp(limit: () => number) {
  const semaphore = new Semaphore(limit);
  const started: string[] = [];
  const running = new Map<string, PromiseWithResolvers<void>>();
  let most = 0;
  const run = (name: string): Promise<void> =>
    semaphore.run(() => {
      started.push(name);
      const task = Promise.withResolvers<void>();
      running.set(name, task);
      most = Math.max(most, running.size);
      return task.promise.finally(() => running.delete(name));
    });
  return { run, started, running, most: () => most };
}

const turn = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

test('lets the limit run and the others wait in order', async () => {
  const { run, started, running } = setUp(() => 2);
  const all = ['a', 'b', 'c', 'd'].map(run);
  await turn();
  expect(started).toEqual(['a', 'b']);
  running.get('b')?.resolve();
  await turn();
  expect(started).toEqual(['a', 'b', 'c']);
  running.get('a')?.resolve();
  running.get('c')?.resolve();
  await turn();
  expect(started).toEqual(['a', 'b', 'c', 'd']);
  running.get('d')?.resolve();
  await Promise.all(all);
});

test('gives the place back when a task fails, and passes the failure on', async () => {
  const { run, started, running } = setUp(() => 1);
  const first = run('a');
  const second = run('b');
  await turn();
  running.get('a')?.reject(new Error('no'));
  await expect(first).rejects.toThrow('no');
  await turn();
  expect(started).toEqual(['a', 'b']);
  running.get('b')?.resolve();
  await second;
});

test('a task that comes in just when a place is handed over neither takes it nor adds one', async () => {
  const { run, started, running, most } = setUp(() => 1);
  const first = run('a');
  const second = run('b');
  await turn();
  running.get('a')?.resolve();
  // In the very microtasks in which the place goes from a to b, others keep knocking.
  const third: Promise<void>[] = [];
  for (let i = 0; i < 8; i++) {
    await Promise.resolve();
    third.push(run(`c${i}`));
  }
  await turn();
  expect(started.slice(0, 2)).toEqual(['a', 'b']);
  while (running.size > 0) {
    for (const task of running.values()) task.resolve();
    await turn();
  }
  await Promise.all([first, second, ...third]);
  expect(most()).toBe(1);
  expect(started).toHaveLength(10);
});

test('follows a limit that changes while tasks run', async () => {
  let limit = 1;
  const { run, started, running } = setUp(() => limit);
  const all = ['a', 'b', 'c', 'd'].map(run);
  await turn();
  expect(started).toEqual(['a']);
  limit = 3;
  running.get('a')?.resolve();
  await turn();
  expect(started).toEqual(['a', 'b', 'c', 'd']);
  limit = 1;
  all.push(run('e'));
  running.get('b')?.resolve();
  running.get('c')?.resolve();
  await turn();
  expect(started).not.toContain('e'); // d alone is the new limit
  running.get('d')?.resolve();
  await turn();
  running.get('e')?.resolve();
  await Promise.all(all);
});
