import { existsSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { lockDirectory } from './directory-lock.ts';

describe('the lock of a directory', () => {
  let directory: string;
  let lock: string;

  beforeEach(() => {
    directory = mkdtempSync(join(tmpdir(), 'directory-lock-'));
    lock = join(directory, 'lock');
  });
  afterEach(() => rmSync(directory, { recursive: true, force: true }));

  it('is held by one at a time in a process, whatever the directory is called, until it is released', () => {
    const release = lockDirectory(directory);
    symlinkSync(directory, `${directory}-link`);
    expect(() => lockDirectory(directory)).toThrow(`data directory ${directory} is in use by this process`);
    expect(() => lockDirectory(`${directory}-link`)).toThrow('in use by this process');
    rmSync(`${directory}-link`);
    release();
    expect(existsSync(lock)).toBe(false);
    const second = lockDirectory(directory);
    release(); // again: it is the second's now
    expect(existsSync(lock)).toBe(true);
    second();
  });

  it.each([
    ['is no process id', 'nobody'],
    ['is ours, from before we were', `${process.pid} 1`],
    ['is used again by another process', `${process.ppid} 1`],
    ['is of no process', '2147483646 1'],
  ])('is taken over where the holder %s', (_what, holder) => {
    writeFileSync(lock, holder);
    lockDirectory(directory)();
  });

  it.runIf(existsSync('/proc/self/stat'))('is respected while another process that holds it lives', () => {
    const stat = readFileSync(`/proc/${process.ppid}/stat`, 'utf8');
    writeFileSync(lock, `${process.ppid} ${stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19]}`);
    expect(() => lockDirectory(directory)).toThrow(`in use by process ${process.ppid}; stop it or choose another directory`);
  });
});
