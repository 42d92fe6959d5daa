import { randomBytes, randomUUID } from 'node:crypto';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { isProcessAlive, processesOfGroup, processStart } from '../../lib/process-identity.ts';
import { HookOutput } from './hook-output.ts';
import { runProcess, type Ending, type ProcessSpec } from './hook-process.ts';

let directory: string;
let clock: VirtualClock;
let lines: string[];
let wake: () => void;
const ended = new AbortController();
beforeEach(() => {
  directory = fs.mkdtempSync(join(tmpdir(), 'hook-process-'));
  clock = new VirtualClock();
  lines = [];
  wake = () => {};
});
afterEach(() => fs.rmSync(directory, { recursive: true }));

interface Run {
  readonly ending: Promise<Ending>;
  readonly output: HookOutput;
  /** Resolves when this line has been written. */
  said(line: string): Promise<void>;
}

function start(script: string, more: Partial<ProcessSpec> = {}, signal: AbortSignal = ended.signal): Run {
  const output = new HookOutput({
    redact: (line) => line,
    onLine(line) {
      lines.push(line);
      wake();
    },
  });
  const spec = { run: ['sh', '-c', script], directory, environment: process.env, mark: randomUUID(), timeoutMs: 60_000, killAfterMs: 10_000, ...more };
  return {
    output,
    ending: runProcess(spec, { clock, signal, output }),
    async said(line) {
      while (!lines.includes(line)) await new Promise<void>((resolve) => (wake = resolve));
    },
  };
}

/** Real processes take real time to end; virtual time goes on in small steps meanwhile. */
async function gone(ending: Promise<Ending>): Promise<Ending> {
  let done = false;
  void ending.finally(() => (done = true));
  while (!done) {
    await clock.advance(1);
    await new Promise((resolve) => setImmediate(resolve));
  }
  return ending;
}

it('gives its input byte for byte', async () => {
  const input = randomBytes(3_000_000);
  expect(await start('cat > got', { input }).ending).toEqual({ end: 'exit', code: 0 });
  expect(fs.readFileSync(join(directory, 'got')).equals(input)).toBe(true);
});

it('does not mind when the input is not read', async () => {
  expect(await start('exit 0', { input: randomBytes(3_000_000) }).ending).toEqual({ end: 'exit', code: 0 });
});

it('tells the exit code, the signal, and why nothing started', async () => {
  expect(await start('exit 75').ending).toEqual({ end: 'exit', code: 75 });
  expect(await start('kill -KILL $$').ending).toEqual({ end: 'signal', signal: 'SIGKILL' });
  expect(await start('', { run: ['./nothing'] }).ending).toMatchObject({ end: 'not started', reason: expect.stringContaining('ENOENT') as string, mayPass: false });
  expect(await start('', { run: ['a\0b'] }).ending).toMatchObject({ end: 'not started', mayPass: false });
});

it('needs no shell and gives arguments as they are', async () => {
  await start('', { run: ['node', '-e', 'console.log(process.argv.slice(1).join("|"))', '$HOME', '; rm -rf', '*'] }).ending;
  expect(lines).toEqual(['$HOME|; rm -rf|*']);
});

describe('a process that takes too long', () => {
  it('is told to end with all that it started', async () => {
    const { ending, said } = start('trap "echo told; exit 1" TERM; sh -c "echo ready; exec sleep 1000" & echo $! > child; wait', { killAfterMs: Infinity });
    await said('ready');
    await clock.advance(59_999);
    expect(lines).toEqual(['ready']);
    await clock.advance(1);
    expect(await gone(ending)).toEqual({ end: 'timeout', isKilled: false });
    expect(lines).toEqual(['ready', 'told']);
    expect(isGone(Number(fs.readFileSync(join(directory, 'child'), 'utf8')))).toBe(true);
  });

  it('and does not listen is killed', async () => {
    const { ending, said } = start('trap "" TERM; echo $$ > pid; echo ready; while true; do sleep 0.1; done');
    await said('ready');
    await clock.advance(60_000);
    await clock.advance(9_999);
    const pid = Number(fs.readFileSync(join(directory, 'pid'), 'utf8'));
    expect(processesOfGroup(pid)).toContain(pid);
    await clock.advance(1);
    expect(await gone(ending)).toEqual({ end: 'timeout', isKilled: true });
    expect(isGone(pid)).toBe(true);
  });

  it('is not left to a child that does not listen', async () => {
    const { ending, said } = start('(trap "" TERM; echo ready; while true; do sleep 0.1; done) & wait');
    await said('ready');
    await clock.advance(60_000);
    // The first of the group ends at once; without the child that would be all.
    expect(await gone(ending)).toEqual({ end: 'timeout', isKilled: true });
  });
});

const isLinux = fs.existsSync('/proc/self/environ');

describe.runIf(isLinux)('what has left its group', () => {
  /** Writes its number to `child` when it runs. */
  const child = (script: string): string => `setsid sh -c '${script.replace('READY', () => 'echo $$ > child; echo ready')}'`;
  const pidOfChild = (): number => Number(fs.readFileSync(join(directory, 'child'), 'utf8'));

  it('is told to end with the rest, and waited for', async () => {
    const { ending, said } = start(`${child('trap "echo told; exit 1" TERM; READY; while true; do sleep 0.05; done')} & exec sleep 1000`, { killAfterMs: Infinity });
    await said('ready');
    await clock.advance(60_000);
    expect(await gone(ending)).toEqual({ end: 'timeout', isKilled: false });
    expect([isGone(pidOfChild()), lines.includes('told')]).toEqual([true, true]);
  });

  it('is killed if it does not listen', async () => {
    const { ending, said } = start(`${child('trap "" TERM; READY; while true; do sleep 0.05; done')}; true`);
    await said('ready');
    await clock.advance(60_000);
    expect(await gone(ending)).toEqual({ end: 'timeout', isKilled: true });
    expect(isGone(pidOfChild())).toBe(true);
  });

  it('is named if it does not end even so', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true); // as if they ran as somebody else
    const { ending, said } = start(`${child('READY; exec sleep 1000')}; true`);
    await said('ready');
    await clock.advance(60_000);
    const ended = await gone(ending);
    kill.mockRestore();
    expect(ended).toMatchObject({ end: 'timeout', isKilled: true, left: expect.arrayContaining([pidOfChild()]) as number[] });
    for (const pid of ('left' in ended && ended.left) || []) process.kill(pid, 'SIGKILL');
  });

  it('is left alone where the hook ends by itself', async () => {
    const { ending, said } = start(`${child('READY; exec sleep 1000')} & until [ -s child ]; do sleep 0.02; done`);
    await said('ready');
    expect(await gone(ending)).toEqual({ end: 'exit', code: 0 });
    expect(isGone(pidOfChild())).toBe(false);
    process.kill(pidOfChild(), 'SIGKILL');
  });

  it.each([['fails', 'exit 75', { end: 'exit', code: 75 }], ['is killed', 'kill -9 $$', { end: 'signal', signal: 'SIGKILL' }]])('is ended where the hook %s: another try would meet it', async (_, how, expected) => {
    const { ending, said } = start(`${child('READY; exec sleep 1000')} & until [ -s child ]; do sleep 0.02; done; ${how}`, { killAfterMs: Infinity });
    await said('ready');
    expect(await gone(ending)).toEqual(expected);
    expect(isGone(pidOfChild())).toBe(true);
  });

  it('is named where the hook failed and it does not end even so', async () => {
    const kill = vi.spyOn(process, 'kill').mockReturnValue(true);
    const { ending, said } = start(`${child('READY; exec sleep 1000')} & until [ -s child ]; do sleep 0.02; done; exit 75`);
    await said('ready');
    const ended = await gone(ending);
    kill.mockRestore();
    expect(ended).toMatchObject({ end: 'exit', code: 75, left: expect.arrayContaining([pidOfChild()]) as number[] });
    process.kill(pidOfChild(), 'SIGKILL');
  });
});

it('is ended when nobody needs it any more', async () => {
  const abort = new AbortController();
  const { ending, said } = start('echo ready; sleep 1000', { killAfterMs: Infinity }, abort.signal);
  await said('ready');
  abort.abort();
  expect(await gone(ending)).toEqual({ end: 'aborted', isKilled: false });
});

it('is not begun when nobody needs it to begin with', async () => {
  expect(await start('touch begun', {}, AbortSignal.abort()).ending).toEqual({ end: 'aborted', isKilled: false });
  expect(fs.existsSync(join(directory, 'begun'))).toBe(false);
});

it('does not wait for a daemon that keeps the output open', async () => {
  const { ending, said } = start('sleep 1000 & echo $! > daemon; echo ready');
  await said('ready');
  expect(await gone(ending)).toEqual({ end: 'exit', code: 0 });
  const daemon = Number(fs.readFileSync(join(directory, 'daemon'), 'utf8'));
  expect(isGone(daemon)).toBe(false); // it is the hook's own business
  process.kill(daemon, 'SIGKILL');
});

it('survives a flood of output, and keeps its end', async () => {
  const { ending, output } = start('yes "a line that says nothing" | head -n 2000000; echo the end >&2');
  expect(await ending).toEqual({ end: 'exit', code: 0 });
  expect([lines.length, output.dropped]).toEqual([1_000, 1_999_001]);
  expect(output.tail()).toContain('the end');
});

/** Ended; whether somebody has looked after its remains or not. */
function isGone(pid: number): boolean {
  return !isProcessAlive(pid) || processStart(pid) === 'ended';
}
