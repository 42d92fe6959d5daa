import { describe, expect, it } from 'vitest';
import { parseSavedAllowances } from './saved-allowances.ts';

const good = { sigma: { cpu: '3' }, requests: { cpu: '12', memory: '0' } };

describe('saved allowances', () => {
  it('are read as they were written', () => {
    expect(parseSavedAllowances(JSON.stringify({ row: good }))).toEqual({ saved: { row: good }, problems: [] });
    expect(parseSavedAllowances('{}')).toEqual({ saved: {}, problems: [] });
  });

  it.each(['', 'no JSON', '{"row":', 'null', '[]', '7', '"row"'])('count as nothing if the text is %j', (text) => {
    const { saved, problems } = parseSavedAllowances(text);
    expect(saved).toEqual({});
    expect(problems).toHaveLength(1);
  });

  it.each<[string, unknown, string]>([
    ['null', null, 'sigma'], ['empty', {}, 'sigma'], ['a list', [], 'sigma'], ['a text', 'x', 'sigma'], ['without sigma', { requests: {} }, 'sigma'],
    ['without requests', { sigma: {} }, 'requests'], ['with null for amounts', { sigma: null, requests: {} }, 'sigma'],
    ['with a list of amounts', { sigma: {}, requests: ['1'] }, 'requests'],
    ['with a number', { sigma: { cpu: 3 }, requests: {} }, 'sigma'], ['with a negative amount', { sigma: { cpu: '-3' }, requests: {} }, 'sigma'],
    ['with a fraction', { sigma: { cpu: '1.5' }, requests: {} }, 'sigma'], ['with an empty amount', { sigma: {}, requests: { cpu: '' } }, 'requests'],
    ['with an absurd amount', { sigma: { cpu: '9'.repeat(41) }, requests: {} }, 'sigma'],
  ])('lose a row that is %s, and no other', (_, bad, field) => {
    const { saved, problems } = parseSavedAllowances(JSON.stringify({ bad, good }));
    expect(saved).toEqual({ good });
    expect(problems).toEqual([`row "bad": ${field} is not an object of amounts, decimal digits in quotes`]);
  });
});
