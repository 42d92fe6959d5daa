import { describe, expect, it } from 'vitest';
import { NodeSelectorRequirement_Operator as Operator, TopologySpread_WhenUnsatisfiable as When } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { CapacityNeed, NodeHint } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { createEngine } from '../engine/engine.ts';
import { policy } from '../engine/testing/builders.ts';
import { ingestRollup, MalformedRollupError, MAX_ROWS_PER_CLUSTER } from './rollup-ingest.ts';
import { rollup, wireRow } from './testing/needs.ts';

const GIB = 2 ** 30;
const hint = (fields: Partial<NodeHint> = {}): NodeHint => ({ machineId: 'm', nodeName: 'node-m', ready: true, pods: 2, disruptionCost: 3, doNotDisrupt: false, heldBy: '', ...fields });
const same = { key: 'rack', operator: Operator.OPERATOR_SAME, values: [] };

describe('a roll-up that is in order', () => {
  it('becomes rows in exact base units, with the profile in canonical order', () => {
    const { needs } = ingestRollup('east', rollup([wireRow({
      requirements: [
        { key: 'zone', operator: Operator.OPERATOR_IN, values: ['b', 'a'] },
        { key: 'arch', operator: Operator.OPERATOR_EXISTS, values: [] },
      ],
      spread: [{ topologyKey: 'zone', maxSkew: 2, whenUnsatisfiable: When.WHEN_UNSATISFIABLE_DO_NOT_SCHEDULE }],
      aggregateResources: new Map([['memory', '1.5Gi'], ['cpu', '2500m'], ['nvidia.com/gpu', '8']]),
      minUnit: new Map([['cpu', '250m'], ['memory', '1Gi']]),
      priority: -5, interruptionPenaltyBucket: 27, reclamationPenaltyBucket: 0, group: 'g',
    })]));
    expect(needs).toEqual([{
      cluster: 'east',
      profile: {
        requirements: [{ key: 'arch', operator: 'Exists', values: [] }, { key: 'zone', operator: 'In', values: ['a', 'b'] }],
        spread: [{ topologyKey: 'zone', maxSkew: 2, whenUnsatisfiable: 'DoNotSchedule' }],
        priority: -5, interruptionBucket: 27, reclamationBucket: 0,
      },
      fingerprint: 'p=-5|ipb=27|rpb=0|reqs=arch:3:;zone:1:a,b;|spr=zone:2:1;',
      group: 'g',
      unitClass: needs[0]!.unitClass,
      aggregate: [['cpu', 2_500], ['memory', 1.5 * GIB], ['nvidia.com/gpu', 8_000]],
      minUnit: [['cpu', 250], ['memory', GIB]],
    }]);
  });

  it('rounds demand up, never down', () => {
    const [need] = ingestRollup('east', rollup([wireRow({ aggregateResources: new Map([['cpu', '1u']]), minUnit: new Map([['cpu', '1n']]) })])).needs;
    expect([need!.aggregate, need!.minUnit]).toEqual([[['cpu', 1]], [['cpu', 1]]]);
  });

  it('tells rows of different unit classes apart', () => {
    const [small, large] = ingestRollup('east', rollup([wireRow(), wireRow({ aggregateResources: new Map([['cpu', '240']]), minUnit: new Map([['cpu', '120']]) })])).needs;
    expect(small!.fingerprint).toBe(large!.fingerprint);
    expect(small!.unitClass).not.toBe(large!.unitClass);
  });

  it.each([
    ['no rows at all', []],
    ['a zero aggregate, with a unit', [wireRow({ aggregateResources: new Map([['cpu', '0']]) })]],
    ['a zero aggregate, without a unit', [wireRow({ aggregateResources: new Map([['cpu', '0']]), minUnit: new Map() })]],
    ['one unit, to the last byte', [wireRow({ aggregateResources: new Map([['cpu', '1.0001'], ['memory', '1Gi']]), minUnit: new Map([['cpu', '1001m'], ['memory', '1073741824']]) })]],
    ['a unit that leaves dimensions out', [wireRow({ aggregateResources: new Map([['cpu', '8'], ['nvidia.com/gpu', '8']]), minUnit: new Map([['nvidia.com/gpu', '1'], ['memory', '0']]) })]],
    ['an empty aggregate', [wireRow({ aggregateResources: new Map(), minUnit: new Map() })]],
    ['one Same', [wireRow({ requirements: [same], group: 'g' })]],
    ['an unknown whenUnsatisfiable, which has no effect', [wireRow({ spread: [{ topologyKey: 'z', maxSkew: 1, whenUnsatisfiable: 99 as When }] })]],
  ])('%s is legal', (_name, rows) => {
    expect(ingestRollup('east', rollup(rows)).needs).toHaveLength(rows.length);
  });

  it('tells absent hints from present and empty ones, and keeps the names of Nodes', () => {
    expect(ingestRollup('east', rollup([])).hints).toBeNull();
    expect(ingestRollup('east', rollup([], { nodeHints: { items: [] } })).hints).toEqual([]);
    const told = ingestRollup('east', rollup([], { nodeHints: { items: [hint(), hint({ machineId: 'n', nodeName: '' })] } }));
    expect(told.hints?.[0]).toEqual({ machineId: 'm', ready: true, pods: 2, disruptionCost: 3, doNotDisrupt: false });
    expect([...told.nodeNames]).toEqual([['m', 'node-m']]);
  });

  it('keeps what holds up drains, cut to a length that objects can bear', () => {
    const { heldBy } = ingestRollup('east', rollup([], { nodeHints: { items: [hint(), hint({ machineId: 'n', heldBy: 'web-1' }), hint({ machineId: 'o', heldBy: 'x'.repeat(5_000) })] } }));
    expect([...heldBy].map(([id, words]) => [id, words.length])).toEqual([['n', 5], ['o', 1_000]]);
  });

  it('keeps a timestamp beyond 2^53', () => {
    expect(ingestRollup('east', rollup([], { timestampUnixNanos: 1_770_000_000_000_000_001n })).timestampUnixNanos).toBe(1_770_000_000_000_000_001n);
  });
});

describe('a malformed roll-up is refused whole, naming row and field', () => {
  const bad: [string, Partial<CapacityNeed>, RegExp][] = [
    ['a bucket above 27', { interruptionPenaltyBucket: 28 as never }, /needs\[1\]\.interruption_penalty_bucket: 28/],
    ['a negative bucket', { reclamationPenaltyBucket: -1 as never }, /needs\[1\]\.reclamation_penalty_bucket: -1/],
    ['a quantity that is none', { aggregateResources: new Map([['cpu', '12QQ']]) }, /needs\[1\]\.aggregate_resources: cpu: .*12QQ/],
    ['a unit that is no quantity', { minUnit: new Map([['cpu', '']]) }, /needs\[1\]\.min_unit: cpu/],
    ['a negative quantity', { aggregateResources: new Map([['memory', '-1Gi']]) }, /needs\[1\]\.aggregate_resources: memory: -1Gi is negative/],
    ['a negative unit', { minUnit: new Map([['cpu', '-1']]) }, /needs\[1\]\.min_unit/],
    ['a quantity too large to count', { aggregateResources: new Map([['cpu', '1E']]) }, /needs\[1\]\.aggregate_resources: cpu.*too large/],
    ['an unspecified operator', { requirements: [{ key: 'zone', operator: 0, values: [] }] }, /needs\[1\]\.requirements\[0\]\.operator: 0/],
    ['an unknown operator', { requirements: [{ key: 'a', operator: 1, values: [] }, { key: 'b', operator: 6 as Operator, values: [] }] }, /needs\[1\]\.requirements\[1\]\.operator: 6/],
    ['demand without a smallest unit', { minUnit: new Map() }, /needs\[1\]\.min_unit: empty/],
    ['demand with a unit of zeroes', { minUnit: new Map([['cpu', '0']]) }, /needs\[1\]\.min_unit: empty/],
    ['a unit larger than all of it', { aggregateResources: new Map([['cpu', '1']]), minUnit: new Map([['cpu', '64']]) }, /needs\[1\]\.min_unit: more cpu than aggregate_resources asks for in all/],
    ['a unit that names what is not asked for', { aggregateResources: new Map([['nvidia.com/gpu', '8']]), minUnit: new Map([['cpu', '1']]) }, /needs\[1\]\.min_unit: more cpu/],
    ['a unit of which one dimension is not asked for', { minUnit: new Map([['cpu', '1'], ['memory', '1']]) }, /needs\[1\]\.min_unit: more memory/],
    ['a skew of zero', { spread: [{ topologyKey: 'zone', maxSkew: 0, whenUnsatisfiable: 1 }] }, /needs\[1\]\.spread\[0\]\.max_skew: 0/],
    ['two Same', { requirements: [same, { ...same, key: 'zone' }], group: 'g' }, /needs\[1\]\.requirements: 2 Same/],
  ];
  it.each(bad)('%s', (_name, fields, message) => {
    const ingest = (): unknown => ingestRollup('east', rollup([wireRow(), wireRow(fields)]));
    expect(ingest).toThrow(MalformedRollupError);
    expect(ingest).toThrow(message);
  });

  it.each([['pods', { pods: -1 }, /node_hints\.items\[1\]\.pods: -1/], ['cost', { disruptionCost: -1 }, /node_hints\.items\[1\]\.disruption_cost: -1/]])(
    'a hint of negative %s', (_name, fields, message) => {
      expect(() => ingestRollup('east', rollup([], { nodeHints: { items: [hint(), hint(fields)] } }))).toThrow(message);
    });

  it('more rows than one cluster may have; 60,000 are fine (C12)', () => {
    const row = wireRow();
    const rows = (count: number): CapacityNeed[] => Array.from({ length: count }, () => row);
    expect(() => ingestRollup('east', rollup(rows(MAX_ROWS_PER_CLUSTER + 1)))).toThrow(/needs: 100001 rows, at most 100000/);
    expect(ingestRollup('east', rollup(rows(60_000))).needs).toHaveLength(60_000);
  });
});

it('whatever passes, the engine takes', () => {
  const engine = createEngine(policy());
  const told = ingestRollup('east', rollup(
    [wireRow(), wireRow({ aggregateResources: new Map(), minUnit: new Map() }), wireRow({ aggregateResources: new Map([['b', '1'], ['a', '0'], ['cpu', '2']]) })],
    { nodeHints: { items: [hint({ pods: 0, disruptionCost: 0 })] } },
  ));
  engine.apply({ kind: 'needs', cluster: 'east', needs: told.needs });
  engine.apply({ kind: 'hints', cluster: 'east', hints: told.hints });
  expect(engine.plan(0).verdicts).toHaveLength(2); // two of the three rows are the same Need
});
