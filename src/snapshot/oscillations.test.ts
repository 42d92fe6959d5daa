/** Fleets that once never came to rest: gangs shared machines, were planned apart and shared them again, each time by what had just become free. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Simulation } from '../engine/testing/simulation.ts';
import { parseSnapshot } from './parse.ts';

const FOLDER = new URL('oscillations/', import.meta.url);
const CASES = readdirSync(FOLDER).flatMap((name) => [0, 2, 5].map((k) => [name, k] as const));

describe('constant demand', () => {
  it.each(CASES)('comes to rest in %s when transitions take %i cycles', (name, k) => {
    const { snapshot, at } = parseSnapshot(JSON.parse(readFileSync(new URL(name, FOLDER), 'utf8')));
    const loop = new Simulation(snapshot, at, { delay: () => k, cycleMs: 10_000 });
    expect(Object.keys(loop.run(100))).not.toEqual([]);
    expect(loop.run(100)).toEqual({});
  });
});
