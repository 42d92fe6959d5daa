import { existsSync, mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { LogWatch } from '../testing/static-harness.ts';
import { hookDefaults } from './hook.ts';
import { HookRecords } from './hook-records.ts';
import { HookRunner, type HookRequest } from './hook-runner.ts';

let directory: string;
let watch: LogWatch;
let hooks: HookRunner;
beforeEach(() => {
  directory = mkdtempSync(join(tmpdir(), 'hook-runner-'));
  watch = new LogWatch();
  hooks = new HookRunner({ clock: new VirtualClock(), random: () => 0.5, log: watch.log, concurrency: () => 8, directory: () => directory, records: new HookRecords(join(directory, 'records')) });
});
afterEach(() => rmSync(directory, { recursive: true }));

function request(id: string, script: string): HookRequest {
  const host = { provider: 'static', ref: `static:///${id}` };
  const instance = { id, host, instanceType: 't', zone: 'z', capacityType: 'BareMetal', pricePerHour: 0, interruptionProbability: 0, resources: { cpu: '1' }, labels: {}, state: 'Idle' } as const;
  return {
    kind: 'recover', hook: { ...hookDefaults.recover, run: ['sh', '-c', script] }, facts: {},
    machine: { instance, host, address: id, group: '', variables: {}, hooks: {} },
  };
}

it('hooks of one machine wait for each other, whoever asks; other machines do not', async () => {
  const { signal } = new AbortController();
  const first = hooks.run(request('a', 'echo first; until [ -e go ]; do sleep 0.02; done; touch ended'), signal);
  await watch.said('first');
  const second = hooks.run(request('a', '[ -e ended ] && echo second'), signal);
  await hooks.run(request('b', 'echo other'), signal);
  expect([existsSync(join(directory, 'ended')), watch.find(({ line }) => line === 'second')]).toEqual([false, undefined]);
  writeFileSync(join(directory, 'go'), '');
  await Promise.all([first, second]);
  expect(hooks.running).toEqual([]);
});

it('a hook that is not needed any more when its turn comes is not begun', async () => {
  const first = hooks.run(request('a', 'echo first; until [ -e go ]; do sleep 0.02; done'), new AbortController().signal);
  await watch.said('first');
  const abort = new AbortController();
  const second = hooks.run(request('a', 'touch second'), abort.signal);
  abort.abort(new Error('too late'));
  writeFileSync(join(directory, 'go'), '');
  await first;
  await expect(second).rejects.toThrow('too late');
  expect(existsSync(join(directory, 'second'))).toBe(false);
});

it('a hook is on record for as long as it runs, from before it does', async () => {
  const kept = vi.spyOn(HookRecords.prototype, 'keep');
  const records = (): string[] => readdirSync(join(directory, 'records'));
  const run = hooks.run(request('a', 'echo first; until [ -e go ]; do sleep 0.02; done'), new AbortController().signal);
  await watch.said('first');
  expect(records()).toEqual(['a']);
  writeFileSync(join(directory, 'go'), '');
  await run;
  expect(records()).toEqual([]);
  expect(kept.mock.calls.map(([id, { pid }]) => [id, pid !== undefined])).toEqual([['a', false], ['a', true]]);
  kept.mockRestore();
});
