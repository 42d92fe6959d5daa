/**
 * Patterns for many names at once: `gpu{000..063}` stands for gpu000 to gpu063, padded to the width of the first number.
 * Several ranges in one pattern multiply, the last one running fastest; `{{` is a literal brace.
 */
import { finish, inSteps } from '../lib/steps.ts';
import { SnapshotError, shown, wrong } from './reader.ts';
import { sortedBy } from './sorted.ts';

const RANGE = /^\{(\d{1,15})\.\.(\d{0,15})\}/;
/** More names than any fleet has: a typing error must not occupy the process. */
const MOST = 5_000_000;

/** Every name that the pattern stands for, in order. `count` closes a range that is open at the end: `gpu{000..}`. */
export function expandPattern(pattern: string, path: string, count?: number): string[] {
  let names = [''];
  let open = false;
  for (let at = 0; at < pattern.length; ) {
    const range = RANGE.exec(pattern.slice(at));
    if (range !== null) {
      const [whole, first = '', last = ''] = range;
      if (last === '' && (count === undefined || open)) throw new SnapshotError(path, `${shown(pattern)}: a range without an end needs a count, and only one may be open`);
      open ||= last === '';
      names = multiply(names, first, last === '' ? Number(first) + (count ?? 0) - 1 : Number(last), pattern, path);
      at += whole.length;
      continue;
    }
    const literal = literalAt(pattern, at, path);
    names = names.map((name) => name + literal.text);
    at += literal.length;
  }
  if (count !== undefined && !open) throw new SnapshotError(path, `${shown(pattern)}: a count needs a range that is open at the end, such as "gpu{000..}"`);
  return names;
}

function literalAt(pattern: string, at: number, path: string): { text: string; length: number } {
  if (pattern[at] !== '{') {
    const end = pattern.indexOf('{', at);
    const part = pattern.slice(at, end < 0 ? undefined : end);
    return { text: part, length: part.length };
  }
  if (pattern[at + 1] === '{') return { text: '{', length: 2 };
  return wrong(path, pattern, 'a range such as {000..063} after "{"; write "{{" for a brace');
}

function multiply(names: readonly string[], first: string, last: number, pattern: string, path: string): string[] {
  const from = Number(first);
  const size = last - from + 1;
  if (size < 0) throw new SnapshotError(path, `${shown(pattern)}: the range ends before it begins`);
  if (size * names.length > MOST) throw new SnapshotError(path, `${shown(pattern)}: stands for ${String(size * names.length)} names, more than ${String(MOST)}`);
  return names.flatMap((name) => Array.from({ length: size }, (_, i) => name + String(from + i).padStart(first.length, '0')));
}

/** Few patterns that stand for exactly these names, each once; expanding and sorting gives the sorted names back. */
export function patternsFor(names: readonly string[]): string[] {
  return finish(patternsInSteps(names));
}

export function* patternsInSteps(names: readonly string[]): Generator<undefined, string[]> {
  const runs: Run[] = [];
  const byEnd = new Map<string, Run>();
  yield* inSteps(yield* sortedBy(names, (name) => name), (name) => {
    const parts = /^(.*?)(\d{1,15})(\D*)$/su.exec(name);
    if (parts === null) {
      runs.push({ text: escapeBraces(name), first: '', last: 0 });
      return;
    }
    const [, before = '', digits = '', after = ''] = parts;
    const open = byEnd.get(keyOf(before, digits, after, -1));
    if (open !== undefined) {
      byEnd.delete(keyOf(before, digits, after, -1));
      open.last++;
      byEnd.set(keyOf(before, digits, after, 0), open);
      return;
    }
    const run: Run = { text: '', before, first: digits, last: Number(digits), after };
    runs.push(run);
    byEnd.set(keyOf(before, digits, after, 0), run);
  });
  const patterns: string[] = [];
  yield* inSteps(runs, (run) => patterns.push(patternOf(run)));
  yield; // whoever asks for many patterns of few names each stops as well
  return patterns;
}

interface Run {
  readonly text: string;
  readonly before?: string;
  readonly first: string;
  last: number;
  readonly after?: string;
}

/** Runs continue only within one width, so that padding says the same about every number. */
function keyOf(before: string, digits: string, after: string, step: number): string {
  return `${String(before.length)}.${String(digits.length)}.${String(Number(digits) + step)}.${before}${after}`;
}

function patternOf({ text, before = '', first, last, after = '' }: Run): string {
  if (first === '') return text;
  const range = Number(first) === last ? first : `{${first}..${String(last).padStart(first.length, '0')}}`;
  return escapeBraces(before) + range + escapeBraces(after);
}

function escapeBraces(name: string): string {
  return name.replaceAll('{', '{{');
}
