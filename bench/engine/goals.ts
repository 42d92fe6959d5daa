/** Goals that stand beside the figures, by shape and bench. Absolute ones are for one idle core of a machine of 2025. */
import type { BenchRow, GoalResult } from '../suite.ts';

/** Of two bounds the first is the goal, the second what a gate lets pass. */
type Bounds = Readonly<Record<string, number | readonly [goal: number, gate: number]>>;

const BYTES: Bounds = { bytesPerMachine: 160 };

const GOALS: Readonly<Record<string, Readonly<Record<string, Bounds>>>> = {
  'aggregated-500k': {
    'engine/full': { p99Ms: [50, 200], ratioToFloor: 6, ...BYTES },
    'engine/changed1pct': { p99Ms: 10 },
    'engine/unchanged': { p99Ms: 1, ...BYTES },
    'engine/stall': { maxMs: 50, maxLoadingMs: 25 },
  },
  'uber-5k': { 'engine/full': { p99Ms: 30 } },
  'uber-5k-unaggregated': { 'engine/full': { p99Ms: 1000 } },
  'uber-50k': { 'engine/full': { p99Ms: 250 } },
  '5k-realistic': { 'engine/full': { p99Ms: 30 } },
  '50k-realistic': { 'engine/full': { p99Ms: 250 } },
  '500k-realistic': { 'engine/full': { p99Ms: 2500, bytesPerMachineFiled: 160 }, 'engine/changed2pct': { p99Ms: 500 } },
  'phase2-500k': { 'engine/phase2': { p99Ms: 40 } },
  'phase2-no-victims': { 'engine/phase2': { p99Ms: 5 } },
  'phase3-high-demand': { 'engine/full': { p99Ms: 100 } },
  'phase3-m29': { 'engine/full': { p99Ms: 30 } },
};

export function goalsFor(row: BenchRow): GoalResult[] {
  const bounds = GOALS[row.shape]?.[row.bench] ?? {};
  return Object.entries(bounds).map(([field, bound]) => {
    const value = row[field];
    const [below, gate] = typeof bound === 'number' ? [bound, bound] : bound;
    // A figure that is missing misses its goal: an unmeasured one must not pass.
    const isBelow = (most: number): boolean => typeof value === 'number' && (field.startsWith('bytesPerMachine') ? value <= most : value < most);
    return { field, below, met: isBelow(below), passes: isBelow(gate) };
  });
}
