import { spawn } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { temporaryFolder } from '../lib/testing/temporary-folder.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Supervised } from './child-process.ts';

let folder: string;
let clock: VirtualClock;
let child: Supervised;
let events: string[];
let heard: () => void;
beforeEach(() => {
  folder = temporaryFolder('child');
  clock = new VirtualClock();
  events = [];
});
afterEach(() => child.stop());

/** Resolves when the next thing has happened to the child. */
function next(): Promise<void> {
  return new Promise((resolve) => {
    heard = resolve;
  });
}

function supervise(source: string): Supervised {
  const program = join(folder, 'program.mjs');
  writeFileSync(program, source);
  const note = (event: string): void => {
    events.push(event);
    heard();
  };
  child = new Supervised({
    spec: { name: 'it', args: ['one', 'two'], heapMb: 64, semiSpaceMb: 2 }, program, clock,
    logFile: join(folder, 'log'), compileCache: join(folder, 'cache'),
    onMessage: (message) => note(`message ${JSON.stringify(message)}`),
    onRestart: (how) => note(`restart after ${how}`),
    onGaveUp: (error) => note(error.message),
  });
  return child;
}

it('passes arguments and messages, keeps the output, and stops with SIGTERM', async () => {
  supervise("console.log('started', process.argv.slice(2).join()); process.send('hello'); process.on('message', (m) => process.send({ echo: m })); process.on('SIGTERM', () => { console.log('ended'); process.exit(0); }); setInterval(() => {}, 1000);").start();
  await next();
  child.send({ n: 1 });
  await next();
  await child.stop();
  expect(events).toEqual(['message "hello"', 'message {"echo":{"n":1}}']);
  expect(readFileSync(join(folder, 'log'), 'utf8')).toBe('started one,two\nended\n');
});

it('starts it again after a kill, a little later', async () => {
  supervise("process.send(process.pid); setInterval(() => {}, 1000);").start();
  await next();
  const first = child.pid;
  const died = next();
  child.kill();
  await died;
  await clock.advance(99);
  expect(child.pid).toBe(first);
  const restarted = next();
  await clock.advance(1);
  await restarted;
  expect(child.pid).not.toBe(first);
  expect(events[1]).toBe('restart after SIGKILL');
});

it('gives up when it dies again and again', async () => {
  supervise('process.exit(3);').start();
  for (let death = 0; death < 5; death++) {
    await next();
    await clock.advance(1_600);
  }
  expect(events).toEqual([...Array.from({ length: 4 }, () => 'restart after exit code 3'), expect.stringMatching(/^it died 5 times within 10 s \(last: exit code 3\); see .*log$/)]);
  expect(clock.pending).toBe(0);
});

it('does not give up over deaths that are far apart', async () => {
  supervise('process.exit(3);').start();
  for (let death = 0; death < 6; death++) {
    await next();
    await clock.advance(5_000);
  }
  expect(events).toHaveLength(6);
  expect(new Set(events)).toEqual(new Set(['restart after exit code 3']));
  await next();
});

it('lets no process outlive a supervisor that was killed', async () => {
  const program = join(folder, 'program.mjs');
  // It would ignore a polite request; the output pipe it inherits closes only with it.
  writeFileSync(program, "process.on('SIGTERM', () => {}); process.stdout.write('up'); setInterval(() => {}, 1000);");
  const preload = new URL('./exit-with-parent.ts', import.meta.url).href;
  const supervisor = spawn(process.execPath, ['-e', `require('child_process').spawn(process.execPath, ['--import', ${JSON.stringify(preload)}, ${JSON.stringify(program)}], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'], detached: true }); setInterval(() => {}, 1000);`], { stdio: ['ignore', 'pipe', 'inherit'] });
  await new Promise((resolve) => supervisor.stdout.once('data', resolve));
  const allGone = new Promise((resolve) => supervisor.stdout.once('close', resolve));
  supervisor.kill('SIGKILL');
  await allGone;
  supervise('').start();
});
