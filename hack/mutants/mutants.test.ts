import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { MUTANTS } from './mutants.ts';

describe('the mutants', () => {
  const textOf = (file: string): string => readFileSync(new URL(`../../src/engine/${file}`, import.meta.url), 'utf8');

  it.each(MUTANTS.map((mutant) => [mutant.id, mutant] as const))('%s breaks one place of the engine that is there', (_, { file, find, replace }) => {
    expect(textOf(file).split(find)).toHaveLength(2);
    expect(replace).not.toBe(find);
  });

  it('are at least thirty, each with a name of its own', () => {
    expect(MUTANTS.length).toBeGreaterThanOrEqual(30);
    expect(new Set(MUTANTS.map(({ id }) => id)).size).toBe(MUTANTS.length);
  });
});
