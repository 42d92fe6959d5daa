import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { CapacityRequest, CapacityRequestSpec } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { contributionOf, isRejection, type Contribution, type Rejection } from './contribution.ts';
import { KnownContributions, type KnownContribution } from './known-contributions.ts';

const few = (...texts: string[]): fc.Arbitrary<string> => fc.constantFrom(...texts);
/** Texts that other ways of putting them side by side give as well, amounts that mean the same, and nonsense. */
const quantity = few('1', '1000m', '2', '12', '0', '1Gi', '1024Mi', '-1', 'x', '1e30');
const spec: fc.Arbitrary<CapacityRequestSpec> = fc.record({
  resources: fc.dictionary(few('cpu', 'memory', 'c', 'pu1'), fc.oneof(quantity, fc.constantFrom(1, 12)), { maxKeys: 3 }),
  priority: fc.constantFrom(0, 1, 10),
  requirements: fc.array(fc.record({ key: few('a', 'ab', 'b'), operator: few('In', 'NotIn', 'Exists', 'Like'), values: fc.array(few('a', 'b', 'ab', ''), { maxLength: 2 }) }, { requiredKeys: ['key', 'operator'] }), { maxLength: 2 }),
  interruptionPenalty: fc.oneof(quantity, fc.constantFrom(0, 1)),
  reclamationPenalty: fc.oneof(quantity, fc.constantFrom(0, 1)),
  topologySpread: fc.array(fc.record({ topologyKey: few('zone', 'rack'), maxSkew: fc.constantFrom(0, 1, 2), whenUnsatisfiable: few('DoNotSchedule', 'ScheduleAnyway', 'Maybe') }), { maxLength: 2 }),
  coLocation: fc.record({ topologyKey: few('', 'zone', 'rack'), labelSelector: fc.record({
    matchLabels: fc.dictionary(few('j', 'k'), few('1', '2'), { maxKeys: 2 }),
    matchExpressions: fc.array(fc.record({ key: few('j', 'k'), operator: few('In', 'Exists'), values: fc.array(few('1', '2'), { maxLength: 2 }) }, { requiredKeys: ['key', 'operator'] }), { maxLength: 2 }),
  }, { requiredKeys: [] }) }, { requiredKeys: ['topologyKey'] }),
}, { requiredKeys: ['resources', 'priority'] }) as fc.Arbitrary<CapacityRequestSpec>;
const request = fc.record({ spec, namespace: few('ml', 'web') }).map(({ spec: of, namespace }): CapacityRequest => ({ metadata: { name: 'x', namespace }, spec: of }));

function plain(outcome: KnownContribution | Rejection): Contribution | Rejection {
  if (isRejection(outcome)) return outcome;
  return { row: outcome.row, amounts: outcome.amounts.map(({ dimension, nanos }) => [dimension, nanos] as const).sort(([a], [b]) => compareText(a, b)) };
}

it('what is known contributes what it would if nothing were known', () => {
  let [shared, refused] = [0, 0];
  fc.assert(
    fc.property(fc.array(request, { minLength: 40, maxLength: 40 }), (requests) => {
      const known = new KnownContributions();
      const seen = new Set<unknown>();
      for (const one of [...requests, ...requests]) {
        const outcome = known.of(one);
        expect(plain(outcome)).toEqual(contributionOf(one));
        if (isRejection(outcome)) refused++;
        else if (seen.has(outcome.row)) shared++;
        else seen.add(outcome.row);
      }
    }),
    { numRuns: 200 },
  );
  expect([shared > 2_000, refused > 2_000]).toEqual([true, true]);
});

it('texts that would be one side by side are different', () => {
  const known = new KnownContributions();
  const requirement = (key: string, ...values: string[]): Partial<CapacityRequestSpec> => ({ requirements: [{ key, operator: 'In', values }] });
  const different = [
    requirement('k', 'ab', ''), requirement('k', 'a', 'b'), requirement('kIn', 'a', 'b'), { priority: 1, interruptionPenalty: 2 }, { priority: 12 }, { interruptionPenalty: '1', reclamationPenalty: '2' },
    { interruptionPenalty: '12' }, { reclamationPenalty: '12' }, { resources: { a: '1', b: '2' } }, { resources: { a: '1b', '2': '2' } }, { resources: { 'a1': '1', '2': '1' } },
  ];
  for (const of of different) {
    const one: CapacityRequest = { metadata: { name: 'x', namespace: 'ml' }, spec: { resources: { cpu: '1' }, priority: 0, ...of } };
    expect(plain(known.of(one))).toEqual(contributionOf(one));
  }
});

it('what is refused is refused again, whatever of it was known, and harms nothing that is not', () => {
  const known = new KnownContributions();
  const asking = (resources: Record<string, string | number>): CapacityRequest => ({ metadata: { name: 'x', namespace: 'ml' }, spec: { resources, priority: 0 } });
  for (const resources of [{ cpu: '1' }, { cpu: '-1' }, { cpu: '1e30' }, { cpu: 'x' }, { cpu: NaN }, { cpu: '1', memory: '-1' }, { cpu: '-0' }, { cpu: '1', memory: '0' }]) {
    for (const again of [1, 2]) expect([again, plain(known.of(asking(resources)))]).toEqual([again, contributionOf(asking(resources))]);
  }
});

it('more different amounts than are remembered are all right', () => {
  const known = new KnownContributions();
  const one = (milli: number): CapacityRequest => ({ metadata: { name: 'x', namespace: 'ml' }, spec: { resources: { cpu: `${milli}m`, memory: '1Gi' }, priority: 0 } });
  for (let milli = 1; milli <= 20_100; milli++) known.of(one(milli));
  for (const milli of [1, 100, 19_999, 20_000, 20_001, 20_100]) expect(plain(known.of(one(milli)))).toEqual(contributionOf(one(milli)));
});
