import { expect, it } from 'vitest';
import { Outlay } from './outlay.ts';

const MOST = Number.MAX_SAFE_INTEGER;

it('says the same of the same machines, in whichever order they came and went', () => {
  const outlay = new Outlay();
  outlay.add(2, MOST);
  for (let i = 0; i < 9; i++) outlay.add(1, 1);
  outlay.add(1, 96_001);
  expect(outlay.microUsdPerHour).toBe(2 * MOST + 96_010);
  outlay.add(-1, MOST);
  outlay.add(-1, MOST);
  expect([outlay.machines, outlay.microUsdPerHour]).toEqual([10, 96_010]);
});
