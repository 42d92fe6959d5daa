import { fstatSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { advanceEpoch, checkEpoch, durableCalls } from './epoch.ts';

let dir: string;
const file = (): string => join(dir, 'epoch');
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'epoch-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

describe('the epoch', () => {
  it('starts at 1 and grows with every start', () => {
    expect([advanceEpoch(dir, 0n), advanceEpoch(dir, 0n), advanceEpoch(dir, 0n)]).toEqual([1n, 2n, 3n]);
    expect(readFileSync(file(), 'utf8')).toBe('3\n');
  });

  it('rises above what is known from elsewhere, so that a lost directory fences nobody out', () => {
    expect(advanceEpoch(dir, 41n)).toBe(42n);
    expect(advanceEpoch(dir, 7n)).toBe(43n);
  });

  it('counts beyond 2^53', () => {
    writeFileSync(file(), '9007199254740993');
    expect(advanceEpoch(dir, 0n)).toBe(9_007_199_254_740_994n);
  });

  it('is written, synced and only then renamed, and its folder synced, before it is used', () => {
    const steps: string[] = [];
    advanceEpoch(dir, 0n, {
      write: (fd, text) => (steps.push('write'), durableCalls.write(fd, text)),
      fsync: (fd) => (steps.push(fstatSync(fd).isDirectory() ? 'fsync of the folder' : 'fsync'), durableCalls.fsync(fd)),
      close: (fd) => (steps.push('close'), durableCalls.close(fd)),
      rename: (from, to) => (steps.push('rename'), durableCalls.rename(from, to)),
    });
    expect(steps).toEqual(['write', 'fsync', 'close', 'rename', 'fsync of the folder', 'close']);
    expect(readdirSync(dir)).toEqual(['epoch']);
  });

  it('survives the leftovers of a start that was killed while writing', () => {
    advanceEpoch(dir, 0n);
    writeFileSync(`${file()}.new`, '');
    expect(advanceEpoch(dir, 0n)).toBe(2n);
  });

  it('makes its directory', () => {
    expect(advanceEpoch(join(dir, 'deep', 'er'), 0n)).toBe(1n);
  });

  it.each([[''], ['twelve'], ['-1'], ['1.5'], ['12\u0000\u0000'], ['1 2']])('does not start from %j: guessing would be worse', (text) => {
    writeFileSync(file(), text);
    expect(() => advanceEpoch(dir, 5n)).toThrow(/epoch: expected a decimal number.*Restore the file/);
    expect(readFileSync(file(), 'utf8')).toBe(text);
  });

  it('does not start from a file that it cannot read', () => {
    symlinkSync('epoch', file()); // points at itself
    expect(() => advanceEpoch(dir, 5n)).toThrow(/ELOOP/);
  });
});

describe('the check of a start', () => {
  it('tries all that an epoch is made durable by, and leaves nothing behind', () => {
    advanceEpoch(dir, 6n);
    const synced: string[] = [];
    checkEpoch(dir, { ...durableCalls, fsync: (fd) => (synced.push(fstatSync(fd).isDirectory() ? 'folder' : 'file'), durableCalls.fsync(fd)) });
    expect([synced, readdirSync(dir), readFileSync(file(), 'utf8')]).toEqual([['file', 'folder'], ['epoch'], '7\n']);
  });

  it('fails where the folder cannot be synced, as the first write would', () => {
    const fsync = (fd: number): void => {
      if (fstatSync(fd).isDirectory()) throw new Error('EIO');
    };
    expect(() => checkEpoch(dir, { ...durableCalls, fsync })).toThrow(`${file()} cannot be written: EIO`);
    expect(readdirSync(dir)).toEqual([]);
  });

  it('clears away what one that was killed in it has left', () => {
    writeFileSync(`${file()}.trial-4711`, '6');
    checkEpoch(dir);
    expect(readdirSync(dir)).toEqual([]);
  });
});
