import { describe, expect, it } from 'vitest';
import { uncovered } from './covered-by.ts';

const named = [{ scenario: 'A-01', file: 'a.test.ts', test: 'buys %i machines' }];

describe('a test that a scenario names', () => {
  it.each<[string, [string, string[]][], boolean, string[]]>([
    ['passed', [['a.test.ts', ['demand > buys 3 machines in all']]], true, []],
    ['is called otherwise', [['a.test.ts', ['demand > buys machines']]], true, ['A-01: no test of a.test.ts that passed is called "buys %i machines"']],
    ['did not pass', [['a.test.ts', []]], false, ['A-01: no test of a.test.ts that passed is called "buys %i machines"']],
    ['is in a file that nobody runs', [], true, ['A-01: a.test.ts did not run']],
    ['is in a file that was not asked for', [], false, []],
  ])('%s', (_, ran, isComplete, complaints) => {
    expect(uncovered(named, new Map(ran), isComplete)).toEqual(complaints);
  });
});
