import { describe, expect, it } from 'vitest';
import { catalogue, required } from './catalogue.ts';
import { verdictOf, type Outcome, type SuiteResult } from './outcome.ts';
import { badge, explanation, jsonReport, junit, summary } from './report.ts';

const behaviour = (id: string) => catalogue.find((b) => b.id === id)!;
const passed = (id: string): Outcome => ({ behaviour: behaviour(id), result: 'passed', ms: 12 });
const failed: Outcome = {
  behaviour: behaviour('B301'), result: 'failed', ms: 3, expected: 'FAILED_PRECONDITION: (1, 1) is below <5>', got: 'NOT_FOUND "no\0pe"', exchange: 2,
  exchanges: [
    { number: 1, atMs: 0, sent: 'Create ghost', got: 'NOT_FOUND', times: 1 },
    { number: 2, atMs: 2, sent: 'Create ghost again', got: 'NOT_FOUND "no\\u0000pe"', times: 7 },
  ],
};
const skipped: Outcome = { behaviour: behaviour('B802'), result: 'skipped', ms: 0, reason: 'no machine is SPOT' };

function resultOf(outcomes: readonly Outcome[], needed = outcomes.map((o) => o.behaviour)): SuiteResult {
  return {
    target: 'host:1', claims: ['core'], seed: 1, outcomes, ...verdictOf(needed, outcomes), applicable: needed.length, ms: 1_234,
    capabilities: { delete: true, revisions: true }, leftBehind: ['m-1: stuck'],
  };
}

describe('the verdict', () => {
  const baseline = passed('FullLifecycle');
  it.each([
    ['everything passed', [baseline, passed('B301')], undefined, 'CERTIFIED'],
    ['something failed, whatever else was skipped', [baseline, failed, skipped], undefined, 'FAILED'],
    ['something was skipped', [baseline, skipped], undefined, 'INCOMPLETE'],
    ['something required was not tried', [baseline], [behaviour('FullLifecycle'), behaviour('B301')], 'INCOMPLETE'],
    ['nothing was tried', [], [], 'INCOMPLETE'],
    ['nothing of the baseline passed', [passed('B301')], undefined, 'INCOMPLETE'],
    ['one was picked by hand', [baseline, passed('B301')], required(new Set(['core'])), 'INCOMPLETE'],
  ] as const)('when %s', (_when, outcomes, needed, verdict) => {
    const result = resultOf(outcomes, needed && [...needed]);
    expect(result.verdict).toBe(verdict);
    expect(result.reasons.length > 0).toBe(verdict === 'INCOMPLETE');
  });
});

describe('a report', () => {
  const result = resultOf([passed('FullLifecycle'), failed, skipped]);

  it('tells of a failure what was promised, expected, said and answered', () => {
    expect(explanation(failed)).toBe([
      'FAILED B301: the fence comes before the look-up, and its marks are kept for machines that do not exist',
      '  expected  FAILED_PRECONDITION: (1, 1) is below <5>',
      '  got       NOT_FOUND "no\0pe"',
      '  exchanges',
      '    #1 +0 ms  Create ghost\n        → NOT_FOUND',
      '  > #2 +2 ms  Create ghost again (7 times)\n        → NOT_FOUND "no\\u0000pe"',
      '',
    ].join('\n'));
  });

  it('shows of a long transcript what led to the call that showed it', () => {
    const exchanges = Array.from({ length: 100 }, (_, i) => ({ number: i + 1, atMs: i, sent: `call ${i + 1}`, got: 'OK', times: 1 }));
    const text = explanation({ ...failed, exchange: 50, exchanges, omitted: 5 });
    expect(text).toContain('(81 more in the JSON report)');
    expect(text).toContain('> #50 ');
    expect(text).not.toMatch(/#29 |#54 /);
  });

  it('is one JSON document with the fields of every report', () => {
    const report = JSON.parse(JSON.stringify(jsonReport(result))) as Record<string, unknown> & { results: Record<string, unknown>[] };
    expect(report).toMatchObject({ kind: 'ConformanceReport', target: 'host:1', verdict: 'FAILED', passed: 1, failed: 1, skipped: 1, applicable: 3 });
    expect(report.results.map((r) => [r['id'], r['outcome'], r['ms'], r['detail']])).toEqual([
      ['FullLifecycle', 'passed', 12, ''],
      ['B301', 'failed', 3, 'expected FAILED_PRECONDITION: (1, 1) is below <5>; got NOT_FOUND "no\0pe"'],
      ['B802', 'skipped', 0, 'no machine is SPOT'],
    ]);
    expect((report.results[1]?.['exchanges'] as unknown[]).length).toBe(2);
  });

  it('is JUnit that any parser takes: escaped, without control characters, skips as skips', () => {
    const text = junit(result);
    expect(text).toContain('tests="3" failures="1" skipped="1"');
    expect(text).toContain('<testsuite name="fencing" tests="1" failures="1" skipped="0" time="0.003">');
    expect(text).toContain('is below &lt;5&gt;; got NOT_FOUND &quot;no\ufffdpe&quot;');
    expect(text).toContain('<skipped message="no machine is SPOT"/>');
    expect(text).toMatch(/^[\t\n\u0020-\ud7ff\ue000-\ufffd]*$/);
  });

  it('is a badge', () => {
    expect(badge(result)).toEqual({ schemaVersion: 1, label: 'bigfleet conformance', message: 'FAILED (1/3)', color: 'red' });
    expect(badge(resultOf([passed('FullLifecycle')]))).toMatchObject({ message: 'CERTIFIED (1/1)', color: 'brightgreen' });
  });

  it('is a table that ends in the verdict', () => {
    expect(summary(result)).toMatch(/baseline +1 of 1\n +fencing +0 of 1\n +fieldshape +0 of 1\nleft behind: m-1: stuck\nFAILED: 1 passed, 1 failed, 1 skipped, 3 required\n$/);
  });
});
