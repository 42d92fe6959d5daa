import { fork, spawn, spawnSync, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { hostname, tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

const taker = fileURLToPath(new URL('testing/lock-taker.ts', import.meta.url));
/** Whether we may begin processes that each think that they are the first of all, as in containers. */
const hasNamespaces = spawnSync('unshare', ['-pf', 'true']).status === 0;
const NOBODY = 65_534;
const isRoot = process.getuid?.() === 0;
/** Whether somebody else may run what we do. */
const hasOthers = isRoot && spawnSync(process.execPath, [taker], { uid: NOBODY, stdio: 'ignore', timeout: 30_000 }).status === 0;

describe('the lock of a directory', () => {
  let directory: string;
  let takers: ChildProcess[];

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'directory-lock-'));
    takers = [];
  });
  afterEach(async () => {
    for (const one of takers) {
      if (one.connected) one.disconnect();
      if (one.exitCode === null && one.signalCode === null) await once(one, 'exit');
    }
    rmSync(directory, { recursive: true, force: true });
  });

  async function ready(one: ChildProcess): Promise<ChildProcess> {
    takers.push(one);
    await once(one, 'message');
    return one;
  }

  async function take(one: ChildProcess, wanted: string): Promise<string> {
    const answer = once(one, 'message');
    one.send(wanted);
    return String((await answer)[0]);
  }

  it('is held by one at a time in a process, whatever the directory is called, until it is released', () => {
    const release = lockDirectory(directory);
    symlinkSync(directory, `${directory}-link`);
    expect(() => lockDirectory(directory)).toThrow(`data directory ${directory} is in use by process ${process.pid} of ${hostname()}; stop it or choose another directory`);
    expect(() => lockDirectory(`${directory}-link`)).toThrow('is in use by process');
    rmSync(`${directory}-link`);
    release();
    const second = lockDirectory(directory);
    release(); // again: it is the second's now
    expect(() => lockDirectory(directory)).toThrow('is in use by process');
    second();
  });

  it('is held by one process at a time, and by none that was killed', async () => {
    const other = await ready(fork(taker));
    expect(await take(other, directory)).toBe('held');
    expect(() => lockDirectory(directory)).toThrow(`is in use by process ${other.pid} of`);
    other.kill('SIGKILL');
    await once(other, 'exit');
    lockDirectory(directory)();
  });

  it.runIf(hasNamespaces)('is held by one of two processes in containers, where both have the same number', async () => {
    const begin = (): ChildProcess => spawn('unshare', ['-pf', process.execPath, taker], { stdio: ['ignore', 'inherit', 'inherit', 'ipc'] });
    const [one, other] = [await ready(begin()), await ready(begin())];
    expect([await take(one, directory), await take(other, directory)]).toEqual(['held', expect.stringContaining('is in use by process 1 of')]);
  });

  it('goes to one of several processes that want it at the same moment', async () => {
    const all = await Promise.all(Array.from({ length: 4 }, () => ready(fork(taker))));
    for (let round = 0; round < 5; round++) {
      const wanted = join(directory, String(round));
      mkdirSync(wanted);
      const said = await Promise.all(all.map((one) => take(one, wanted)));
      expect(said.filter((answer) => answer === 'held')).toHaveLength(1);
      expect(said.filter((answer) => answer.includes('is in use by'))).toHaveLength(3);
    }
  });

  it.runIf(isRoot ? hasOthers : true)('cannot be had by who may only read its file: any number could open that', async () => {
    lockDirectory(directory)();
    chmodSync(directory, 0o755);
    chmodSync(join(directory, '.lock'), 0o444);
    const other = await ready(fork(taker, isRoot ? { uid: NOBODY } : {})); // root may write everything
    expect(await take(other, directory)).toContain(`data directory ${directory} cannot be locked: EACCES`);
  });

  it('cannot be had where no file can be made, and says so', () => {
    const file = join(directory, 'file');
    writeFileSync(file, '');
    expect(() => lockDirectory(file)).toThrow(`data directory ${file} cannot be locked`);
  });
});
