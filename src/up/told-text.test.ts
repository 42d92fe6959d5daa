import { expect, it } from 'vitest';
import { toldText } from './told-text.ts';

it.each([
  [{ event: 'act', act: 'burst', why: 'a release' }, '▶ burst: a release'],
  [{ event: 'interrupted', capacityType: 'Spot', machines: ['m-1', 'm-2'] }, '  interrupted: m-1, m-2'],
  [{ event: 'interrupted', capacityType: 'Spot', machines: [] }, '  no Spot machine was bound, so none was interrupted'],
  [{ event: 'refused', cluster: 'east', pod: 'p-1', why: 'Pod "p-1" is invalid' }, '  Pod p-1 was refused by cluster east: Pod "p-1" is invalid'],
  [{ event: 'new' }, '{"event":"new"}'],
])('tells %j as a sentence', (event, text) => {
  expect(toldText(event)).toBe(text);
});
