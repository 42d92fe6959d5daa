import { existsSync } from 'node:fs';
import { beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../lib/testing/temporary-folder.ts';
import { conclude } from './conclude.ts';
import type { UpReport } from './report.ts';
import { good } from './testing/good-report.ts';

let root: string;
let ctrlC: AbortController;
let failure: AbortController;
let said: string;
let run: Parameters<typeof conclude>[0] & { restarts: number; stopped: boolean };
beforeEach(() => {
  root = temporaryFolder('conclude');
  ctrlC = new AbortController();
  failure = new AbortController();
  said = '';
  run = {
    restarts: good.restarts,
    failed: failure.signal,
    stopped: false,
    say: (text) => void (said += `${text}\n`),
    stop: () => {
      run.stopped = true;
      return Promise.resolve();
    },
  };
});

const gaveUp = new Error('shard died 5 times within 10 s (last: exit code 1); see /data/logs/shard.log');
const end = (report: UpReport = good, settings: { keep?: boolean; dataDir?: string } = {}): Promise<number> =>
  conclude(run, report, { keep: true, output: 'json', root, ...settings }, { signal: ctrlC.signal, stdout: () => undefined, stderr: (text) => void (said += text) });

it('without --keep stops at once; the data goes only when all was well and nobody named their folder', async () => {
  expect(await end(good, { keep: false, dataDir: root })).toBe(0);
  expect([run.stopped, existsSync(root), said]).toEqual([true, true, `data and logs are in ${root}\n`]);
  expect(await end(good, { keep: false })).toBe(0);
  expect(existsSync(root)).toBe(false);
});

it('keeps the data of a run that was not well', async () => {
  expect(await end({ ...good, restarts: 0, pods: { ...good.pods, bound: 0 } }, { keep: false })).toBe(1);
  expect([existsSync(root), said]).toEqual([true, `data and logs are in ${root}\n`]);
});

it('stays up until Ctrl-C, and says what happened meanwhile', async () => {
  const code = end();
  await Promise.resolve();
  expect([run.stopped, said]).toEqual([false, 'Staying up (--keep). Ctrl-C ends everything.\n']);
  run.restarts += 2;
  ctrlC.abort();
  expect(await code).toBe(0);
  expect(said).toContain('2 restarts more');
  expect([run.stopped, existsSync(root)]).toEqual([true, false]);
});

it('ends when a process is given up while everything stays up: says so with its log, fails and keeps the data', async () => {
  const code = end();
  failure.abort(gaveUp);
  expect(await code).toBe(1);
  expect(said).toBe(`Staying up (--keep). Ctrl-C ends everything.\nNOT OK: ${gaveUp.message}. Everything is stopped.\ndata and logs are in ${root}\n`);
  expect([run.stopped, existsSync(root)]).toEqual([true, true]);
});

it.each([true, false])('a process that is given up while the report is made fails the run, too (--keep: %s)', async (keep) => {
  failure.abort(gaveUp);
  expect(await end(good, { keep })).toBe(1);
  expect(said).toBe(`NOT OK: ${gaveUp.message}. Everything is stopped.\ndata and logs are in ${root}\n`);
});

it('does not stay up, nor say twice, when a process was given up before the report', async () => {
  failure.abort(gaveUp);
  expect(await end({ ...good, stoppedBy: 'failure' })).toBe(1);
  expect(said).toBe(`data and logs are in ${root}\n`);
});

it('does not stay up after a signal', async () => {
  ctrlC.abort();
  const code = await end({ ...good, stoppedBy: 'signal' });
  expect([code, run.stopped, said]).toEqual([1, true, `data and logs are in ${root}\n`]);
});
