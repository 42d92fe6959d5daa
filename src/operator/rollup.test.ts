import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { CapacityRequest, CapacityRequestSpec } from '../api/types.ts';
import { contributionOf, isRejection, statusKeyOfNeed } from './contribution.ts';
import { DemandBook } from './rollup.ts';

const SAME = 5;

function request(spec: Partial<CapacityRequestSpec>, namespace = 'ml'): CapacityRequest {
  return { metadata: { name: 'x', namespace, uid: 'u', generation: 1 }, spec: { resources: { 'nvidia.com/gpu': '8' }, priority: 0, ...spec } };
}

function rollup(...requests: CapacityRequest[]): CapacityNeed[] {
  const book = new DemandBook();
  requests.forEach((r, i) => book.set(`k-${i}`, r));
  return book.needs();
}

const rack = (job: string, topologyKey = 'topology.bigfleet/rack'): Partial<CapacityRequestSpec> =>
  ({ coLocation: { topologyKey, labelSelector: { matchLabels: { job } } } });

function resources(need: CapacityNeed | undefined): { sum: object; unit: object } {
  return { sum: Object.fromEntries(need?.aggregateResources ?? []), unit: Object.fromEntries(need?.minUnit ?? []) };
}

function sameKeys(needs: readonly CapacityNeed[]): (string | undefined)[] {
  return needs.map((n) => n.requirements.find((r) => r.operator === SAME)?.key);
}

describe('the roll-up', () => {
  it('adds a gang up to one need with a Same requirement (B1)', () => {
    const member = request({ ...rack('trainer-7'), priority: 1_000_000 });
    const needs = rollup(member, member, member);
    expect(needs).toHaveLength(1);
    expect(resources(needs[0])).toEqual({ sum: { 'nvidia.com/gpu': '24' }, unit: { 'nvidia.com/gpu': '8' } });
    expect(needs[0]).toMatchObject({ priority: 1_000_000, requirements: [{ key: 'topology.bigfleet/rack', operator: SAME, values: [] }] });
    expect(needs[0]?.group).not.toBe('');
  });

  it('keeps gangs apart by selector (B2), by topology key (B5) and by namespace', () => {
    const a = request(rack('a'));
    const b = request(rack('b'));
    const bySelector = rollup(a, b, a, b);
    expect(bySelector.map((n) => resources(n).sum)).toEqual([{ 'nvidia.com/gpu': '16' }, { 'nvidia.com/gpu': '16' }]);
    expect(new Set(bySelector.map((n) => n.group)).size).toBe(2);
    expect(sameKeys(rollup(a, request(rack('a', 'zone')))).sort()).toEqual(['topology.bigfleet/rack', 'zone']);
    expect(rollup(a, request(rack('a'), 'other'))).toHaveLength(2);
  });

  it('adds plain requests up without a group (B3), apart from gangs of the same shape (B4)', () => {
    const plain = request({});
    expect(rollup(plain, plain, plain)).toMatchObject([{ group: '', requirements: [] }]);
    const mixed = rollup(plain, plain, request(rack('a')), request(rack('a')));
    expect(mixed).toHaveLength(2);
    expect(sameKeys(mixed).filter(Boolean)).toEqual(['topology.bigfleet/rack']);
  });

  it('treats a co-location without a topology key as none', () => {
    expect(rollup(request({ coLocation: { topologyKey: '' } }))).toMatchObject([{ group: '', requirements: [] }]);
  });

  it.each([['500m', 2], ['250m', 2], ['0.5', 2], ['1500m', 4], ['0', 1], ['8000', 16], ['0.51', 3], ['1.01', 4], ['20M', 27], [undefined, 0]])(
    'puts a penalty of %s into bucket %i (B6)', (penalty, bucket) => {
      const [need] = rollup(request(penalty === undefined ? {} : { interruptionPenalty: penalty, reclamationPenalty: penalty }));
      expect(need).toMatchObject({ interruptionPenaltyBucket: bucket, reclamationPenaltyBucket: bucket });
    });

  it('sums what is needed and takes the largest replica per dimension (B7, in one unit class)', () => {
    const [need, ...rest] = rollup(request({ resources: { cpu: '1', memory: '3Gi' } }), request({ resources: { cpu: '1000m', memory: '2Gi' } }));
    expect(rest).toEqual([]);
    expect(resources(need)).toEqual({ sum: { cpu: '2', memory: '5Gi' }, unit: { cpu: '1', memory: '3Gi' } });
  });

  it('splits a gang’s members by nothing, so B7 holds whatever their sizes', () => {
    const [need, ...rest] = rollup(request({ ...rack('a'), resources: { cpu: '1', memory: '4Gi' } }), request({ ...rack('a'), resources: { cpu: '2', memory: '1Gi' } }));
    expect(rest).toEqual([]);
    expect(resources(need)).toEqual({ sum: { cpu: '3', memory: '5Gi' }, unit: { cpu: '2', memory: '4Gi' } });
  });

  it('splits rows by unit class, so that a small Pod never asks for large machines (D2)', () => {
    const small = request({ resources: { cpu: '1', memory: '1Gi' } });
    const large = request({ resources: { cpu: '120', memory: '512Gi' } });
    const needs = rollup(small, large, small);
    expect(needs.map((n) => resources(n))).toEqual([
      { sum: { cpu: '120', memory: '512Gi' }, unit: { cpu: '120', memory: '512Gi' } },
      { sum: { cpu: '2', memory: '2Gi' }, unit: { cpu: '1', memory: '1Gi' } },
    ]);
    const book = new DemandBook();
    book.set('small', small);
    book.set('large', large);
    const fingerprint = book.rowOf('small')?.identity.fingerprint ?? '';
    expect(book.rowOf('large')?.identity.fingerprint).toBe(fingerprint);
    const minUnit = new Map([['cpu', '1'], ['memory', '1Gi']]);
    expect([...book.rowsByStatusKey(statusKeyOfNeed({ fingerprint, group: '', minUnit }))]).toEqual([book.rowOf('small')]);
  });

  it('gives equal bytes for equal demand in any order (B8)', () => {
    const one = request({
      requirements: [{ key: 'zone', operator: 'In', values: ['b', 'a'] }, { key: 'arch', operator: 'Exists' }],
      coLocation: { topologyKey: 'rack', labelSelector: { matchLabels: { x: '1', y: '2' } } },
    });
    const two = request({
      requirements: [{ key: 'arch', operator: 'Exists' }, { key: 'zone', operator: 'In', values: ['a', 'b'] }],
      coLocation: { topologyKey: 'rack', labelSelector: { matchLabels: { y: '2', x: '1' } } },
    });
    const plain = request({ resources: { memory: '1Gi' } });
    const plainInOtherWords = request({ resources: { memory: '1024Mi' } });
    expect(bytes(rollup(one, plain))).toEqual(bytes(rollup(plainInOtherWords, two)));
  });

  it.each<[string, Partial<CapacityRequestSpec>, string]>([
    ['an operator it cannot express (B9)', { requirements: [{ key: 'a', operator: 'Exists' }, { key: 'cores', operator: 'Gt', values: ['8'] }] }, 'spec.requirements[1].operator'],
    ['Same, which exists on the wire only', { requirements: [{ key: 'a', operator: 'Same' }] }, 'spec.requirements[0].operator'],
    ['a negative quantity', { resources: { cpu: '-1' } }, 'spec.resources[cpu]'],
    ['a quantity that is none', { resources: { cpu: '12QQ' } }, 'spec.resources[cpu]'],
    ['a quantity beyond counting', { resources: { memory: '9Ei' } }, 'spec.resources[memory]'],
    ['a quantity beyond counting in a gang', { ...rack('a'), resources: { memory: '9Ei' } }, 'spec.resources[memory]'],
    ['a penalty that is none', { interruptionPenalty: 'much' }, 'spec.interruptionPenalty'],
    ['a negative penalty', { reclamationPenalty: '-1' }, 'spec.reclamationPenalty'],
    ['maxSkew below 1', { topologySpread: [{ topologyKey: 'zone', maxSkew: 0, whenUnsatisfiable: 'DoNotSchedule' }] }, 'spec.topologySpread[0].maxSkew'],
    ['an unknown whenUnsatisfiable', { topologySpread: [{ topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'Sometimes' }] }, 'spec.topologySpread[0].whenUnsatisfiable'],
  ])('leaves out a request with %s, and only that one (D4)', (_, spec, field) => {
    const book = new DemandBook();
    book.set('good', request({}));
    book.set('bad', request(spec));
    expect(book.needs()).toHaveLength(1);
    expect(book.rejectionOf('bad')?.field).toBe(field);
    expect(book.rejectionOf('good')).toBeUndefined();
    expect(book.rowOf('bad')).toBeUndefined();
  });

  it('drops ScheduleAnyway spread, and counts a request for nothing as a place', () => {
    const [need, ...rest] = rollup(
      request({ resources: {}, topologySpread: [{ topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }] }),
      request({ resources: { cpu: '0' } }),
    );
    expect(rest).toEqual([]);
    expect(need?.spread).toEqual([]);
    expect(resources(need)).toEqual({ sum: { cpu: '2m' }, unit: { cpu: '1m' } });
  });

  it('reports requests and allowance together, in the order of the dimensions', () => {
    const book = new DemandBook();
    book.set('k', request({ resources: { memory: '1Gi', example: '1' } }));
    book.rowOf('k')?.setAllowance([['cpu', 1_000_000_000n], ['memory', 1_073_741_824_000_000_000n]]);
    expect([...(book.needs()[0]?.aggregateResources ?? [])]).toEqual([['cpu', '1'], ['example', '1'], ['memory', '2Gi']]);
    expect(resources(book.needs()[0]).unit).toEqual({ example: '1', memory: '1Gi' });
  });

  it('is empty for a cluster that asks for nothing (B10)', () => {
    expect(rollup()).toEqual([]);
  });

  it('orders rows by priority descending', () => {
    expect(rollup(request({ priority: 1 }), request({ priority: 100 }), request({ priority: -5 })).map((n) => n.priority)).toEqual([100, 1, -5]);
  });

  it('never reports a sum that the shard could not count', () => {
    const [need] = rollup(...Array.from({ length: 3 }, () => request({ resources: { memory: '4Pi' } })));
    expect(need?.aggregateResources.get('memory')).toBe('9007199254740991');
  });

  it('follows updates, removals and reuse of a name exactly: incremental equals fresh, and both equal sums made apart', () => {
    const spec = fc.record({
      priority: fc.integer({ min: 0, max: 1 }),
      // Several within one unit class: the largest is the row's smallest unit until it goes. Some mean the same, some are no
      // whole number of base units, some sums are beyond any number, some are refused.
      resources: fc.oneof(
        fc.record({ cpu: fc.constantFrom('1', '1000m', '1010m', '1.0205', '64', '0', '-1'), memory: fc.constantFrom('3Gi', '3072Mi', '4Gi', '3Pi', '2.5Pi', '0') }, { requiredKeys: ['cpu'] }),
        fc.record({ memory: fc.constantFrom('3Gi', '7Pi', '6.9Pi', '4294967296.5'), cpu: fc.constantFrom('1', '1.0001', 1), gpu: fc.constantFrom('1', '2') }, { requiredKeys: ['memory'] }),
      ),
      coLocation: fc.record({ topologyKey: fc.constant('rack'), labelSelector: fc.record({ matchLabels: fc.record({ job: fc.constantFrom('a', 'b') }) }) }),
    }, { requiredKeys: ['priority', 'resources'] }) as fc.Arbitrary<CapacityRequestSpec>;
    const step = fc.record({ key: fc.integer({ min: 0, max: 5 }), spec: fc.option(spec, { nil: undefined }), reads: fc.boolean() });
    let [beyond, refused] = [0, 0];
    fc.assert(fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
      const book = new DemandBook();
      const truth = new Map<string, CapacityRequest>();
      steps.forEach(({ key, spec: wanted, reads }, generation) => {
        if (!wanted) {
          book.remove(`k-${key}`);
          truth.delete(`k-${key}`);
          return;
        }
        const next: CapacityRequest = { metadata: { name: `k-${key}`, uid: 'u', generation }, spec: wanted };
        book.set(`k-${key}`, next);
        truth.set(`k-${key}`, next);
        if (reads) book.needs(); // reading in between must not disturb what is kept
      });
      const fresh = new DemandBook();
      for (const [key, value] of [...truth].reverse()) fresh.set(key, value);
      expect(bytes(book.needs())).toEqual(bytes(fresh.needs()));
      expect(book.size).toBe(truth.size);
      expect(rowsOf(book)).toEqual(addedUp(truth));
      for (const key of truth.keys()) if (book.rejectionOf(key)) refused++;
      for (const row of book.sortedRows()) if (row.requests().some(([, nanos]) => nanos / 1_000_000_000n > Number.MAX_SAFE_INTEGER)) beyond++;
    }), { numRuns: 400 });
    expect([beyond > 20, refused > 20]).toEqual([true, true]);
  });

  it('does not look at a request again for a new status', () => {
    const book = new DemandBook();
    const first = request({});
    expect(book.set('k', first)).toBe(true);
    expect(book.set('k', { ...first, status: { phase: 'Acknowledged' } })).toBe(false);
    expect(book.set('k', { ...first, metadata: { ...first.metadata, uid: 'another' } })).toBe(true);
  });
});

function bytes(needs: readonly CapacityNeed[]): string[] {
  return needs.map((need) => Buffer.from(CapacityNeed.encode(need).finish()).toString('hex'));
}

interface PlainRow { requests: Record<string, bigint>; largest: Record<string, bigint>; members: string[] }

function rowsOf(book: DemandBook): Record<string, PlainRow> {
  return Object.fromEntries(book.sortedRows().map((row) =>
    [row.identity.key, { requests: Object.fromEntries(row.requests()), largest: Object.fromEntries(row.minUnit()), members: row.members.sort() }]));
}

/** Request by request, with nothing kept. */
function addedUp(requests: ReadonlyMap<string, CapacityRequest>): Record<string, PlainRow> {
  const rows: Record<string, PlainRow> = {};
  for (const [key, one] of requests) {
    const outcome = contributionOf(one);
    if (isRejection(outcome)) continue;
    const row = (rows[outcome.row.key] ??= { requests: {}, largest: {}, members: [] });
    row.members = [...row.members, key].sort();
    for (const [dimension, nanos] of outcome.amounts) {
      row.requests[dimension] = (row.requests[dimension] ?? 0n) + nanos;
      if (nanos > (row.largest[dimension] ?? 0n)) row.largest[dimension] = nanos;
    }
  }
  return rows;
}
