/** Properties of random fleets: each is tried on thousands of them, says what was in them, and fails if they lost its subject. */
/* eslint-disable no-restricted-globals -- of the tests, which are asked by the environment to search further, and print what they met */
import fc from 'fast-check';
import { expect } from 'vitest';
import { planOnce } from '../engine.ts';
import type { Plan, Snapshot } from '../types.ts';
import { T0 } from './builders.ts';
import { Coverage, featuresOf, SUBJECTS } from './coverage.ts';
import type { Subject } from './coverage.ts';

/** SEED and RUNS of the environment search elsewhere, or further. */
const FLEETS = Number(process.env['RUNS'] ?? 2_000);

export interface FleetsOptions<Also> {
  /** Drawn with each fleet. */
  readonly also?: fc.Arbitrary<Also>;
  /** Subjects that the property is not about; say why. */
  readonly without?: readonly Subject[];
  /** The fleets of the whole file. */
  readonly file?: Coverage;
  /** Times the usual number of fleets. */
  readonly times?: number;
}

/** Some properties take tens of seconds where others want the machine, too. */
export const PATIENCE_MS = 120_000;

/**
 * Tries the property on random fleets, each with the plan that is made of it. Fleets that `fc.pre` passes over do not count.
 * The property may return features of plans that it made itself. Returns how many fleets were tried.
 */
export function overFleets<Also = undefined>(
  fleets: fc.Arbitrary<Snapshot>,
  property: (world: Snapshot, plan: Plan, also: Also) => ReadonlySet<string> | void,
  { also, without = [], file, times = 1 }: FleetsOptions<Also> = {},
): number {
  const name = expect.getState().currentTestName ?? '';
  const coverage = new Coverage();
  const numRuns = Math.ceil(FLEETS * times);
  fc.assert(
    fc.property(fleets, also ?? (fc.constant(undefined) as fc.Arbitrary<Also>), (world, drawn) => {
      const plan = planOnce(world, T0);
      const features = featuresOf(world, plan);
      const more = property(world, plan, drawn);
      coverage.meet(more ? new Set([...features, ...more]) : features);
    }),
    { seed: Number(process.env['SEED'] ?? seedOf(name)), numRuns },
  );
  const subjects = SUBJECTS.filter((subject) => !without.includes(subject));
  console.log(`${name}: ${coverage.line(subjects)}`);
  expect(coverage.missing(subjects), 'too few fleets have').toEqual([]);
  file?.add(coverage);
  return numRuns;
}

/** Every property searches elsewhere, and each time in the same place. */
function seedOf(name: string): number {
  let seed = 0;
  for (const letter of name) seed = (Math.imul(seed, 31) + letter.charCodeAt(0)) | 0;
  return seed;
}
