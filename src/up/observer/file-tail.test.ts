import { appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { expect, it } from 'vitest';
import { temporaryFolder } from '../../lib/testing/temporary-folder.ts';
import { distribution } from './distribution.ts';
import { FileTail } from './file-tail.ts';

function tailed(): { file: string; tail: FileTail; lines: unknown[] } {
  const file = join(temporaryFolder('tail'), 'log.jsonl');
  const lines: unknown[] = [];
  return { file, lines, tail: new FileTail(file, (line) => lines.push(line)) };
}

it('waits for a file that does not exist yet and reads each line once', () => {
  const { file, tail, lines } = tailed();
  tail.read();
  appendFileSync(file, '{"n":1}\n{"n":2}\n');
  tail.read();
  tail.read();
  expect(lines).toEqual([{ n: 1 }, { n: 2 }]);
});

it('puts a line together that arrives in pieces, also within a character', () => {
  const { file, tail, lines } = tailed();
  const bytes = Buffer.from('{"name":"größe"}\n');
  for (const cut of [5, 12, bytes.length]) {
    appendFileSync(file, bytes.subarray(cut === 5 ? 0 : cut === 12 ? 5 : 12, cut));
    tail.read();
  }
  expect(lines).toEqual([{ name: 'größe' }]);
});

it('passes over a line that was torn by a kill', () => {
  const { file, tail, lines } = tailed();
  appendFileSync(file, '{"n":1}\n{"n":\n{"n":3}\n');
  tail.read();
  expect(lines).toEqual([{ n: 1 }, { n: 3 }]);
});

it('reads more than one chunk', () => {
  const { file, tail, lines } = tailed();
  const count = 30_000;
  appendFileSync(file, Array.from({ length: count }, (_, n) => `{"n":${n},"text":"${'x'.repeat(20)}"}\n`).join(''));
  tail.read();
  expect([lines.length, lines.at(-1)]).toEqual([count, { n: count - 1, text: 'x'.repeat(20) }]);
});

it('takes percentiles by nearest rank and says nothing about nothing', () => {
  expect(distribution([])).toBeUndefined();
  expect(distribution([7])).toEqual({ n: 1, p50: 7, p90: 7, p99: 7, max: 7 });
  const hundred = Array.from({ length: 100 }, (_, i) => 100 - i);
  expect(distribution(hundred)).toEqual({ n: 100, p50: 50, p90: 90, p99: 99, max: 100 });
});
