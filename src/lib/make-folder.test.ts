import { mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { makeFolder } from './make-folder.ts';

let dir: string;
beforeEach(() => {
  dir = mkdtempSync(join(tmpdir(), 'make-folder-'));
});
afterEach(() => rmSync(dir, { recursive: true }));

it('makes a folder and those above it, and is content with one that is there', () => {
  const deep = join(dir, 'a', 'b', 'c');
  makeFolder(deep);
  makeFolder(deep);
  expect(statSync(deep).isDirectory()).toBe(true);
});

it('names what is in the way', () => {
  writeFileSync(join(dir, 'file'), '');
  expect(() => makeFolder(join(dir, 'file'))).toThrow(`${join(dir, 'file')} is not a folder`);
  expect(() => makeFolder(join(dir, 'file', 'below'))).toThrow('is not a folder');
});

it.skipIf(process.platform !== 'linux')('ends where a file system refuses folders', () => {
  expect(() => makeFolder('/proc/bigfleet/data')).toThrow('cannot make the folder /proc/bigfleet');
});
