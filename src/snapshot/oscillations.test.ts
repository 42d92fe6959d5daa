/** Fleets that once never came to rest: gangs shared machines, were planned apart and shared them again, each time by what had just become free. */
import { readdirSync, readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { Simulation } from '../engine/testing/simulation.ts';
import { parseSnapshot } from './parse.ts';

const casesIn = (folder: string): (readonly [name: string, k: number])[] =>
  readdirSync(new URL(folder, import.meta.url)).flatMap((name) => [0, 2, 5].map((k) => [`${folder}${name}`, k] as const));

/** What is still done after a hundred cycles of the simulation. */
function laterActions(name: string, k: number): object {
  const { snapshot, at } = parseSnapshot(JSON.parse(readFileSync(new URL(name, import.meta.url), 'utf8')));
  const loop = new Simulation(snapshot, at, { delay: () => k, cycleMs: 10_000 });
  expect(Object.keys(loop.run(100))).not.toEqual([]);
  return loop.run(100);
}

describe('constant demand', () => {
  it.each(casesIn('oscillations/'))('comes to rest in %s when transitions take %i cycles', (name, k) => {
    expect(laterActions(name, k)).toEqual({});
  });
});
