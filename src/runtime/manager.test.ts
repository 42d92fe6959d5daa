import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createHealthServer } from './health-server.ts';
import { controllerGroup, createManager, informerGroup, leaderGroup } from './manager.ts';
import type { ManagerOptions, RunnableGroup } from './manager.ts';
import type { LeaseElection } from './leader/election-types.ts';
import { silentLog } from './types.ts';
import type { Log, Runnable } from './types.ts';

let clock: VirtualClock;
let story: string[];
let stop: AbortController;
let errors: object[];

beforeEach(() => {
  clock = new VirtualClock();
  story = [];
  stop = new AbortController();
  errors = [];
});

/** Runs until its signal aborts, then takes `stopMs` to end. */
function runnable(name: string, stopMs = 0): Runnable {
  return {
    name,
    async run(signal) {
      story.push(`+${name}`);
      await new Promise<void>((resolve) => signal.addEventListener('abort', () => resolve(), { once: true }));
      if (stopMs > 0) await new Promise<void>((resolve) => clock.after(stopMs, resolve));
      story.push(`-${name}`);
    },
  };
}

function group(name: string, ...runnables: Runnable[]): RunnableGroup {
  return { name, runnables };
}

function manager(groups: RunnableGroup[], options: Partial<ManagerOptions> = {}) {
  const log: Log = { ...silentLog, error: (fields) => errors.push(fields) };
  return createManager({ groups, clock, log, handleSignals: false, ...options });
}

describe('order', () => {
  test('groups start in order, each when the one before is ready, and stop in reverse', async () => {
    const ready = Promise.withResolvers<void>();
    const first: RunnableGroup = { ...group('first', runnable('a'), runnable('b')), ready: () => ready.promise };
    const subject = manager([first, group('second', runnable('c', 100))]);
    const run = subject.run(stop.signal);
    await clock.advance(1_000);
    expect(story).toEqual(['+a', '+b']);
    expect(subject.isReady).toBe(false);
    ready.resolve();
    await clock.advance(0);
    expect(story).toEqual(['+a', '+b', '+c']);
    expect(subject.isReady).toBe(true);
    stop.abort(new Error('stop'));
    await clock.advance(99);
    expect(subject.isReady).toBe(false);
    expect(story).toEqual(['+a', '+b', '+c']);
    await clock.advance(1);
    await run;
    expect(story).toEqual(['+a', '+b', '+c', '-c', '-a', '-b']);
    expect(clock.pending).toBe(0);
  });

  test('informers, leader, controllers: each waits for the one before', async () => {
    const synced = Promise.withResolvers<void>();
    const elected = Promise.withResolvers<void>();
    const informer = { run: runnable('informer').run, waitForSync: () => synced.promise };
    const election = { ...runnable('lease'), waitUntilLeader: () => elected.promise } as unknown as LeaseElection;
    const subject = manager([informerGroup({ things: informer }), leaderGroup(election), controllerGroup(runnable('controller'))]);
    const run = subject.run(stop.signal);
    await clock.advance(0);
    expect(story).toEqual(['+informer']);
    expect(subject.isReady).toBe(false);
    synced.resolve();
    await clock.advance(0);
    expect(story).toEqual(['+informer', '+lease']);
    expect(subject.isReady).toBe(true);
    elected.resolve();
    await clock.advance(0);
    expect(story).toEqual(['+informer', '+lease', '+controller']);
    stop.abort(new Error('stop'));
    await run;
    expect(story.slice(3)).toEqual(['-controller', '-lease', '-informer']);
  });

  test('a standby may be kept from traffic', async () => {
    const election = { ...runnable('lease'), waitUntilLeader: () => new Promise<void>(() => {}) } as unknown as LeaseElection;
    const subject = manager([leaderGroup(election, { standbyIsReady: false })]);
    const run = subject.run(stop.signal);
    await clock.advance(0);
    expect(story).toEqual(['+lease']);
    expect(subject.isReady).toBe(false);
    stop.abort(new Error('stop'));
    await run;
  });

  test('a stop while a group gets ready starts nothing more', async () => {
    const waiting: RunnableGroup = {
      ...group('first', runnable('a')),
      ready: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    };
    const run = manager([waiting, group('second', runnable('b'))]).run(stop.signal);
    await clock.advance(0);
    stop.abort(new Error('stop'));
    await run;
    expect(story).toEqual(['+a', '-a']);
  });
});

describe('failures', () => {
  test('a runnable that fails stops the others, and run rejects with its error', async () => {
    const failing: Runnable = { name: 'failing', run: () => Promise.reject(new Error('broken')) };
    const run = manager([group('first', runnable('a')), group('second', failing)]).run(stop.signal);
    await expect(run).rejects.toThrow('broken');
    expect(story).toEqual(['+a', '-a']);
  });

  test('a runnable that just ends is a failure too: silence would look like health', async () => {
    const ending: Runnable = { name: 'ending', run: () => Promise.resolve() };
    await expect(manager([group('only', ending)]).run(stop.signal)).rejects.toThrow('ending ended although nobody stopped it');
  });

  test('a failure while a group gets ready does not hang', async () => {
    const failing: RunnableGroup = {
      name: 'first',
      runnables: [{ name: 'failing', run: () => Promise.reject(new Error('broken')) }],
      ready: (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason))),
    };
    await expect(manager([failing]).run(stop.signal)).rejects.toThrow('broken');
  });

  test('what does not stop within the grace is left behind, by name', async () => {
    const stuck: Runnable = { name: 'stuck', run: () => new Promise<void>(() => {}) };
    const run = manager([group('first', runnable('a')), group('second', stuck, runnable('b'))], { graceMs: 5_000 }).run(stop.signal);
    await clock.advance(0);
    stop.abort(new Error('stop'));
    await clock.advance(4_999);
    expect(story).toEqual(['+a', '+b', '-b']);
    await clock.advance(1);
    await run;
    expect(errors[0]).toMatchObject({ group: 'second', running: ['stuck'] });
  });
});

describe('signals', () => {
  test('SIGTERM stops, and the handlers are gone afterwards', async () => {
    const before = process.listenerCount('SIGTERM');
    const run = manager([group('only', runnable('a'))], { handleSignals: true }).run();
    await clock.advance(0);
    expect(process.listenerCount('SIGTERM')).toBe(before + 1);
    process.emit('SIGTERM');
    await run;
    expect(story).toEqual(['+a', '-a']);
    expect(process.listenerCount('SIGTERM')).toBe(before);
    expect(process.listenerCount('SIGINT')).toBe(before);
  });
});

describe('health', () => {
  test('/readyz follows the manager, and the server outlives the groups', async () => {
    const health = createHealthServer({ address: '127.0.0.1:0', log: silentLog });
    const ready = Promise.withResolvers<void>();
    const readyStatus = async (): Promise<[number, string]> => {
      const answer = await fetch(`http://127.0.0.1:${health.port}/readyz`);
      return [answer.status, await answer.text()];
    };
    const started = Promise.withResolvers<void>();
    const only: RunnableGroup = { ...group('only', runnable('a', 100)), ready: () => (started.resolve(), ready.promise) };
    const run = manager([only], { health }).run(stop.signal);
    await started.promise;
    expect(await readyStatus()).toEqual([503, 'manager: waiting: only\n']);
    ready.resolve();
    await clock.advance(0);
    expect(await readyStatus()).toEqual([200, 'ok\n']);
    stop.abort(new Error('stop'));
    await clock.advance(0);
    expect(await readyStatus()).toEqual([503, 'manager: waiting: stopping\n']);
    await clock.advance(100);
    await run;
    expect(health.port).toBeUndefined();
  });
});
