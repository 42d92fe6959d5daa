import { expect, it } from 'vitest';
import { parseDurationMs } from './duration.ts';

it.each([['500ms', 500], ['3s', 3_000], ['1m30s', 90_000], ['0.25s', 250], ['2', 2_000], ['1h', 3_600_000]])('%s is a duration', (text, ms) => {
  expect(parseDurationMs(text)).toBe(ms);
});

it.each(['', 's', '5 minutes', '-1s', '1d', '1s!'])('%j is none', (text) => {
  expect(parseDurationMs(text)).toBeUndefined();
});
