import { readdirSync, readFileSync } from 'node:fs';
import { expect, it } from 'vitest';

const folder = new URL('./', import.meta.url);
const files = readdirSync(folder).filter((file) => file.endsWith('.ts') && !file.endsWith('.test.ts'));

it('the codec needs nothing of Node: it reads no file and knows no process', () => {
  expect(files.length).toBeGreaterThan(10);
  const impure = files.filter((file) => /from 'node:|\bprocess\.\w|\bBuffer\b|Date\.now|new Date\b/.test(readFileSync(new URL(file, folder), 'utf8')));
  expect(impure).toEqual([]);
});
