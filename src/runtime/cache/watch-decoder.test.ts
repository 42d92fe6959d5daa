import { describe, expect, test } from 'vitest';
import { seededRandom } from '../../lib/random.ts';
import { createWatchDecoder, WatchDecodeError } from './watch-decoder.ts';

function line(name: string): string {
  return `${JSON.stringify({ type: 'ADDED', object: { metadata: { name } } })}\n`;
}

function decode(chunks: readonly Uint8Array[]): string[] {
  const decoder = createWatchDecoder();
  const names: string[] = [];
  for (const chunk of chunks) {
    for (const event of decoder.feed(chunk)) {
      if (event.type !== 'ERROR') names.push(event.object.metadata.name);
    }
  }
  decoder.end();
  return names;
}

describe('watch decoder', () => {
  test('any cut of the bytes gives the same events', () => {
    const names = ['plain', 'Größe', '測試', '🚀', 'x'.repeat(500)];
    const bytes = Buffer.from(names.map(line).join(''));
    const random = seededRandom(7);
    for (let round = 0; round < 200; round++) {
      const chunks: Uint8Array[] = [];
      for (let at = 0; at < bytes.length; ) {
        const end = Math.min(bytes.length, at + 1 + Math.floor(random() * 40));
        chunks.push(new Uint8Array(bytes.subarray(at, end)));
        at = end;
      }
      expect(decode(chunks)).toEqual(names);
    }
  });

  test('many events may share a chunk, and empty lines mean nothing', () => {
    expect(decode([Buffer.from(`${line('a')}\n\r\n${line('b')}`)])).toEqual(['a', 'b']);
  });

  test('events are read one by one: work can pause between them', () => {
    const decoder = createWatchDecoder();
    const [first] = decoder.feed(Buffer.from(line('a') + 'not json\n'));
    expect(first).toMatchObject({ object: { metadata: { name: 'a' } } });
  });

  test.each([
    ['a line that is not JSON', 'nope{\n', /not JSON: nope/],
    ['an event without an object', '{"type":"ADDED"}\n', /no object metadata/],
    ['an ERROR that does not say what', '{"type":"ERROR"}\n', /no object/],
    ['an event of a kind that nobody knows', '{"type":"MOVED","object":{"metadata":{"name":"a"}}}\n', /unknown type: MOVED/],
    ['a line that is null', 'null\n', /no object/],
    ['a page of HTML', '<html>\n', /not JSON/],
  ])('%s is an error', (_name, text, message) => {
    const decoder = createWatchDecoder();
    expect(() => [...decoder.feed(Buffer.from(text))]).toThrow(message);
  });

  test('a stream that ends inside a line is an error', () => {
    const decoder = createWatchDecoder();
    expect([...decoder.feed(Buffer.from(line('a') + '{"type":"ADD'))]).toHaveLength(1);
    expect(() => decoder.end()).toThrow(WatchDecodeError);
  });

  test('a line without end is refused instead of eating the memory', () => {
    const decoder = createWatchDecoder(1_000);
    const chunk = Buffer.alloc(400, 'x');
    expect([...decoder.feed(chunk)]).toEqual([]);
    expect([...decoder.feed(chunk)]).toEqual([]);
    expect(() => [...decoder.feed(chunk)]).toThrow('longer than 1000 bytes');
  });
});
