import { expect, it } from 'vitest';
import { amounts, machine, profile, typeIn } from '../testing/builders.ts';
import { Dimensions } from './dimensions.ts';
import { fitOf } from './fit.ts';
import { MOST_NOTED, Shapes } from './shapes.ts';

it('knows the classes that fit, whether it looks after every change or after more than are remembered', () => {
  const dimensions = new Dimensions();
  const shapes = new Shapes(dimensions);
  const asking = () => ({ profile: profile({ requirements: [typeIn('t1')] }), minDims: [dimensions.index('cpu')], minAmounts: [1000], fit: undefined });
  const [often, seldom] = [asking(), asking()];
  const priced = (price: number) => shapes.enter(machine('m', 'Idle', { priceMicroUsdPerHour: price, labels: {}, allocatable: amounts({ cpu: 1 }) }));
  const prices = (asker: ReturnType<typeof asking>) => fitOf(asker, shapes).idle.flat().map((cls) => cls.priceMicroUsdPerHour);
  let now = priced(0);
  expect([prices(often), prices(seldom)]).toEqual([[0], [0]]);
  for (let price = 1; price <= 2 * MOST_NOTED; price++) {
    const next = priced(price);
    shapes.leave(now);
    now = next;
    if (price % 1000 === 0) expect(prices(often)).toEqual([price]);
  }
  priced(7);
  expect(prices(often)).toEqual([7, 2 * MOST_NOTED]);
  expect(prices(seldom)).toEqual([7, 2 * MOST_NOTED]);
  expect(shapes.classesSince(0)).toBeUndefined();
  expect(shapes.classesSince(shapes.classVersion)).toEqual([]);
  expect(shapes.classesSince(shapes.classVersion - MOST_NOTED)).toHaveLength(MOST_NOTED);
});
