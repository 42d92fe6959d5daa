import { expect, it } from 'vitest';
import { timestamp } from './timestamp.ts';

it('writes times as Kubernetes does: whole seconds, cut off', () => {
  expect(timestamp(Date.UTC(2026, 4, 6, 7, 8, 9, 999))).toBe('2026-05-06T07:08:09Z');
});
