import { describe, expect, it } from 'vitest';
import { conditionMaker, withConditions } from './conditions.ts';
import type { Condition } from './types.ts';

const OLD = '2026-01-01T00:00:00Z';
const NOW = '2026-01-01T00:00:05Z';
const before: Condition[] = [
  { type: 'Ready', status: 'True', reason: 'Fine', message: '', lastTransitionTime: OLD },
  { type: 'Other', status: 'True', reason: 'Theirs', message: 'm', lastTransitionTime: OLD },
];

describe('conditions', () => {
  it('of others stay; the transition time moves only with the status', () => {
    expect(withConditions(before, [{ type: 'Ready', status: 'True', reason: 'Better', message: 'b' }], NOW)).toEqual([{ ...before[0], reason: 'Better', message: 'b' }, before[1]]);
    expect(withConditions(before, [{ type: 'Ready', status: 'False', reason: 'Bad', message: '' }], NOW)[0]).toMatchObject({ status: 'False', lastTransitionTime: NOW });
    expect(withConditions(undefined, [{ type: 'New', status: 'Unknown', reason: 'r', message: '' }], NOW)).toEqual([{ type: 'New', status: 'Unknown', reason: 'r', message: '', lastTransitionTime: NOW }]);
  });

  it('are made of one generation and moment', () => {
    const condition = conditionMaker(before, 7, Date.parse(NOW));
    expect(condition('Ready', true, 'Better', 'b')).toEqual({ type: 'Ready', status: 'True', reason: 'Better', message: 'b', observedGeneration: 7, lastTransitionTime: OLD });
    expect(condition('Ready', false, 'Bad', '')).toMatchObject({ status: 'False', lastTransitionTime: NOW });
    expect(condition('New', true, 'r', '')).toMatchObject({ status: 'True', lastTransitionTime: NOW });
  });
});
