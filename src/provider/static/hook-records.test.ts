import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { isProcessAlive, processStart } from '../../lib/process-identity.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { RUN_VARIABLE } from './hook-processes.ts';
import { HookRecords } from './hook-records.ts';

const MARK = 'the-mark';

let directory: string;
let clock: VirtualClock;
let told: string[];
const children: ChildProcess[] = [];
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'hook-records-'));
  clock = new VirtualClock();
  told = [];
});
afterEach(() => {
  for (const { pid } of children.splice(0)) {
    try {
      process.kill(-pid!, 'SIGKILL');
    } catch {
      // it has gone
    }
  }
  fs.rmSync(directory, { recursive: true });
});

/** A process in a group of its own, when it has said a number. */
async function begin(script: string, environment: NodeJS.ProcessEnv = { [RUN_VARIABLE]: MARK }): Promise<{ readonly pid: number; readonly said: number; readonly child: ChildProcess }> {
  const child = spawn('sh', ['-c', script], { detached: true, env: { PATH: process.env['PATH'], ...environment }, stdio: ['ignore', 'pipe', 'ignore'] });
  children.push(child);
  const [said] = (await once(child.stdout, 'data')) as [Buffer];
  return { pid: child.pid!, said: Number(String(said)), child };
}

/** The records of a provider that has been killed, in the hands of the next one. */
async function successor(): Promise<HookRecords> {
  const records = new HookRecords(directory);
  let done = false;
  const ended = records.endLeftovers(clock, (machine, text) => void told.push(`${machine}: ${text}`)).finally(() => (done = true));
  while (!done) {
    await clock.advance(100);
    await new Promise((resolve) => setImmediate(resolve));
  }
  await ended;
  return records;
}

const keep = (pid?: number): void => new HookRecords(directory).keep('a', { mark: MARK, killAfterMs: 1_000, ...(pid !== undefined && { pid }) });
const isGone = (pid: number): boolean => !isProcessAlive(pid) || processStart(pid) === 'ended';

describe.runIf(fs.existsSync('/proc/self/environ'))('what a killed provider left running', () => {
  it('is ended with its whole group', async () => {
    const { pid } = await begin('sleep 1000 & echo $!; wait');
    keep(pid);
    await successor();
    expect([isGone(pid), fs.readdirSync(directory)]).toEqual([true, []]);
    expect(told).toEqual([expect.stringMatching(/^a: ending processes .*: a hook that the last run of this provider left behind$/)]);
  });

  it('is ended when its first process has gone already', async () => {
    const { pid, said, child } = await begin('sleep 1000 & echo $!; wait');
    keep(pid);
    process.kill(pid, 'SIGKILL');
    await once(child, 'exit');
    await successor();
    expect([isGone(pid), isGone(said)]).toEqual([true, true]);
  });

  it('is ended when the provider was killed before it knew the process', async () => {
    const { pid } = await begin('echo 1; exec sleep 1000');
    keep();
    await successor();
    expect(isGone(pid)).toBe(true);
  });

  it('is killed if it does not listen', async () => {
    const { pid } = await begin('trap "" TERM; echo 1; while true; do sleep 0.05; done');
    keep(pid);
    await successor();
    expect([isGone(pid), fs.readdirSync(directory)]).toEqual([true, []]);
  });

  it('is not mistaken for another process that has its number now', async () => {
    const { pid } = await begin('echo 1; exec sleep 1000', {});
    keep(pid);
    fs.writeFileSync(join(directory, 'a'), fs.readFileSync(join(directory, 'a'), 'utf8').replace(/"start":"[^"]*"/, '"start":"1"'));
    await successor();
    expect([isGone(pid), told, fs.readdirSync(directory)]).toEqual([false, [], []]);
  });

  it('keeps its machine from further hooks, over restarts, for as long as it does not end', async () => {
    const { pid } = await begin('echo 1; exec sleep 1000');
    keep(pid);
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true); // as if it ran as somebody else
    const records = [await successor(), await successor()];
    kill.mockRestore();
    expect(records.map((one) => [one.remains('a'), one.remains('b')])).toEqual([[[pid], []], [[pid], []]]);
    expect(told).toContain(`a: what the last run of this provider left behind does not end (${pid}): no hook is run on this machine until it has`);
    process.kill(pid, 'SIGKILL');
    await once(children[0]!, 'exit');
    expect([records[1]!.remains('a'), fs.readdirSync(directory)]).toEqual([[], []]);
  });

  it('was nothing if its record is damaged or half written', async () => {
    const records = new HookRecords(directory);
    fs.writeFileSync(join(directory, 'a'), '{"pid":');
    fs.writeFileSync(join(directory, '.b'), '{"pid":');
    await records.endLeftovers(clock, () => {});
    expect(fs.readdirSync(directory)).toEqual([]);
  });
});
