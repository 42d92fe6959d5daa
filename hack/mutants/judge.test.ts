import { describe, expect, it } from 'vitest';
import { judge, unproven } from './judge.ts';
import type { Report } from './judge.ts';

const SUITES = ['decide/plain.test.ts', 'preemption-properties.test.ts', 'properties.test.ts'];

type File = Partial<Report['testResults'][number]>;

function report(...files: File[]): Report {
  return { testResults: files.map((file) => ({ name: '/tmp/copy/src/engine/properties.test.ts', status: 'failed', message: '', assertionResults: [], ...file })) };
}

const late = { status: 'failed', fullName: 'a search', failureMessages: ['Error: Test timed out in 120000ms.\nIf this is a long-running test …'] };
const red = { status: 'failed', fullName: 'a table', failureMessages: ['AssertionError: expected 1 to be 2'] };
const green = { status: 'passed', fullName: 'another', failureMessages: [] };

describe('a run of tests', () => {
  it('in which nothing fails says nothing', () => {
    expect(judge(report({ status: 'passed', assertionResults: [green] }), SUITES)).toEqual({});
  });

  it('objects by the first test that fails, named with its suite', () => {
    expect(judge(report({ assertionResults: [green, red] }), SUITES)).toEqual({ killedBy: { suite: 'properties.test.ts', test: 'a table' } });
    expect(judge(report({ name: String.raw`C:\copy\src\engine\decide\plain.test.ts`, assertionResults: [red] }), SUITES)?.killedBy?.suite).toBe('decide/plain.test.ts');
    expect(judge(report({ name: '/src/engine/preemption-properties.test.ts', assertionResults: [red] }), SUITES)?.killedBy?.suite).toBe('preemption-properties.test.ts');
  });

  it('does not object by a test that takes too long', () => {
    expect(judge(report({ assertionResults: [green, late] }), SUITES)).toEqual({ timedOut: 'a search' });
    expect(judge(report({ assertionResults: [green], message: 'Error: Hook timed out in 10000ms.\n' }), SUITES)?.timedOut).toContain('Hook timed out');
  });

  it('objects by another test, whichever of them failed first, and by one that has failed before it took too long', () => {
    expect(judge(report({ assertionResults: [late] }, { name: '/copy/src/engine/decide/plain.test.ts', assertionResults: [red] }), SUITES)).toEqual({ killedBy: { suite: 'decide/plain.test.ts', test: 'a table' } });
    expect(judge(report({ assertionResults: [{ ...late, failureMessages: [...red.failureMessages, ...late.failureMessages] }] }), SUITES)?.killedBy?.test).toBe('a search');
  });

  it('objects by a test of which no message is left', () => {
    expect(judge(report({ assertionResults: [{ status: 'failed', fullName: 'a table', failureMessages: null }] }), SUITES)?.killedBy?.test).toBe('a table');
  });

  it('objects by a suite that fails as a whole', () => {
    expect(judge(report({ assertionResults: [green], message: 'AssertionError: too few\nat …' }), SUITES)?.killedBy).toEqual({ suite: 'properties.test.ts', test: 'properties.test.ts as a whole AssertionError: too few' });
  });

  it('of a file that cannot be read is no objection, and one that was cut off is to be repeated', () => {
    expect(judge(report({ message: 'SyntaxError: Unexpected token\nat …' }), SUITES)).toEqual({ broken: 'SyntaxError: Unexpected token' });
    expect(judge(report({}), SUITES)).toBeUndefined();
  });
});

it('what has objected must have been seen green', () => {
  const objections = ['properties.test.ts', 'decide/plain.test.ts', 'properties.test.ts'].map((suite) => ({ suite, test: 'a test' }));
  expect(unproven(objections, SUITES, ['decide/plain.test.ts'])).toEqual(['properties.test.ts']);
  expect(unproven(objections, SUITES, SUITES)).toEqual([]);
  expect(unproven([], SUITES, [])).toEqual([]);
});
