import { describe, expect, it } from 'vitest';
import { goalsFor } from './goals.ts';

describe('goals', () => {
  const p99 = (p99Ms: number) => goalsFor({ bench: 'engine/full', shape: 'aggregated-500k', p99Ms }).find(({ field }) => field === 'p99Ms');

  it('are met below the bound, and pass a gate up to where it is wider', () => {
    expect(p99(49.9)).toEqual({ field: 'p99Ms', below: 50, met: true, passes: true });
    expect(p99(50)).toEqual({ field: 'p99Ms', below: 50, met: false, passes: true });
    expect(p99(200)).toEqual({ field: 'p99Ms', below: 50, met: false, passes: false });
  });

  it('are missed by what was not measured', () => {
    expect(goalsFor({ bench: 'engine/full', shape: 'uber-5k' })).toEqual([{ field: 'p99Ms', below: 30, met: false, passes: false }]);
  });

  it('are none of what has none', () => {
    expect(goalsFor({ bench: 'engine/full', shape: 'needs-50k' })).toEqual([]);
  });
});
