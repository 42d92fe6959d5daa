import { expect, it } from 'vitest';
import { nextTurn } from '../lib/turns.ts';
import { KeysInTurns } from './keys-in-turns.ts';

const numbered = (from: number, count: number): string[] => Array.from({ length: count }, (_, i) => String(from + i));

it('few keys are visited at once, many in several turns, in order and each once', async () => {
  const visited: string[] = [];
  const keys = new KeysInTurns((key) => visited.push(key));
  keys.add(['a', 'b']);
  expect(visited.splice(0)).toEqual(['a', 'b']);
  keys.add(numbered(0, 450));
  expect(visited).toEqual(numbered(0, 200));
  keys.add(['449', '0']); // one waits already, one was visited before this
  expect(visited).toHaveLength(200);
  await nextTurn();
  await nextTurn();
  await nextTurn();
  expect(visited).toEqual([...numbered(0, 450), '0']);
  keys.add(['c']);
  expect(visited.at(-1)).toBe('c');
});

it('a visit may ask for more', async () => {
  const visited: string[] = [];
  const keys: KeysInTurns = new KeysInTurns((key) => {
    visited.push(key);
    if (key === 'a') keys.add(['b', 'c']);
  });
  keys.add(['a']);
  await nextTurn();
  expect(visited).toEqual(['a', 'b', 'c']);
});
