import { fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

function startOf(pid: number): string {
  const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]!;
}

describe('the lock of a directory', () => {
  let directory: string;
  const leave = (holder: string): void => writeFileSync(join(directory, `lock-${holder}-a`), 'held');

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'directory-lock-'));
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is held by one at a time in a process, whatever the directory is called, until it is released', () => {
    const release = lockDirectory(directory);
    symlinkSync(directory, `${directory}-link`);
    expect(() => lockDirectory(directory)).toThrow(`data directory ${directory} is in use by this process`);
    expect(() => lockDirectory(`${directory}-link`)).toThrow('in use by this process');
    rmSync(`${directory}-link`);
    release();
    expect(readdirSync(directory)).toEqual([]);
    const second = lockDirectory(directory);
    release(); // again: it is the second's now
    expect(readdirSync(directory)).toHaveLength(1);
    second();
  });

  it.each([
    ['is ours, from before we were', `${process.pid}-1`],
    ['is ours where nothing tells us apart', `${process.pid}-${existsSync('/proc/self/stat') ? startOf(process.pid) : ''}`],
    ['is used again by another process', `${process.ppid}-1`],
    ['is of no process', '2147483646-1'],
  ])('is taken over where the holder %s', (_what, holder) => {
    leave(holder);
    lockDirectory(directory)();
    expect(readdirSync(directory)).toEqual([]);
  });

  it.runIf(existsSync('/proc/self/stat'))('is respected while another process that holds it lives', () => {
    leave(`${process.ppid}-${startOf(process.ppid)}`);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.ppid}; stop it or choose another directory`);
  });

  it('goes to one of several processes that want a stale one at the same moment', async () => {
    const takers = Array.from({ length: 4 }, () => fork(new URL('testing/lock-taker.ts', import.meta.url)));
    try {
      await Promise.all(takers.map((taker) => once(taker, 'message')));
      for (let round = 0; round < 20; round++) {
        const wanted = join(directory, String(round));
        mkdirSync(wanted);
        writeFileSync(join(wanted, 'lock-2147483646-1-a'), 'held');
        const answers = takers.map((taker) => once(taker, 'message'));
        for (const taker of takers) taker.send(wanted);
        const said = (await Promise.all(answers)).map(([answer]) => String(answer));
        expect(said.filter((answer) => answer === 'held')).toHaveLength(1);
        expect(said.filter((answer) => answer.includes('is in use by process'))).toHaveLength(3);
      }
    } finally {
      for (const taker of takers) taker.disconnect();
      await Promise.all(takers.map((taker) => (taker.exitCode === null ? once(taker, 'exit') : undefined)));
    }
  });
});
