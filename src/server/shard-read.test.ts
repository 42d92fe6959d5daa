import { describe, expect, it } from 'vitest';
import type { InspectNeedsRequest, NeedView } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { amounts, need } from '../engine/testing/builders.ts';
import type { NeedVerdict, UnmetReason } from '../engine/types.ts';
import { rowKey } from '../shard/source-rows.ts';
import { verdict } from '../shard/testing/needs.ts';
import { inspectNeeds, needView } from './shard-read.ts';

const unmet = (fields: Partial<NeedVerdict> = {}): NeedVerdict => verdict(need(), { satisfied: false, reason: 'SUPPLY_EXHAUSTED', deficit: amounts({ cpu: 2 }), ...fields });

describe('the view of a Need', () => {
  it('tells what was preempted for it and has not arrived', () => {
    const { preemption } = needView(unmet({ preemption: { victims: 3, freed: amounts({ cpu: 24, gpu: 8 }) } }), 0);
    expect(preemption).toEqual({ victimsFound: 3, capacityFreed: { resources: new Map([['cpu', '24'], ['gpu', '8']]) } });
    expect(needView(unmet(), 0).preemption).toBeUndefined();
  });

  it('tells of a gang the domain, whether one could hold it, and the best ones while it is unmet', () => {
    const sameCandidates = [{ domain: 'rack-b', coveragePerMille: 750, satisfiable: false }, { domain: 'rack-a', coveragePerMille: 100, satisfiable: false }];
    expect(needView(unmet({ sameSatisfiable: false, sameCandidates }), 0)).toMatchObject({ sameSatisfiable: false, sameDomain: '', sameCandidates });
    expect(needView(unmet({ sameSatisfiable: true, sameDomain: 'rack-b' }), 0)).toMatchObject({ sameSatisfiable: true, sameDomain: 'rack-b', sameCandidates: [] });
    expect(needView(verdict(need(), { sameSatisfiable: true, sameCandidates }), 0).sameCandidates).toEqual([]);
    expect(needView(verdict(), 0)).toMatchObject({ sameSatisfiable: false, sameDomain: '' });
  });

  it.each<[UnmetReason, number]>([
    ['PRIORITY_STARVED', 1], ['NO_MATCHING_SUPPLY', 2], ['TOPOLOGY_UNSATISFIABLE', 3], ['PREEMPTION_EXHAUSTED', 4], ['PREEMPTION_IN_PROGRESS', 101],
    ['SUPPLY_EXHAUSTED', 102], ['SPREAD_UNSATISFIABLE', 103], ['LIMIT_REACHED', 104], ['NO_SESSION', 105], ['DISRUPTION_BLOCKED', 106],
  ])('tells the reason %s as %d, with its sentence and the supply that matches', (reason, number) => {
    const view = needView(unmet({ reason, matchingSupply: { idle: 1, configured: 2, speculative: 3, capped: true } }), 4);
    expect(view).toMatchObject({ satisfied: false, unmetReason: number, ageCyclesUnmet: 4, matchingSupply: { idle: 1, configured: 2, speculative: 3, capped: true } });
    expect(view.reasonText).toMatch(/^Lacks cpu 2: .+\.$/);
    expect(view.residualDeficit).toEqual({ resources: new Map([['cpu', '2']]) });
  });

  it('tells what keeps machines from it as its operator hears it', () => {
    const troubles = new Map([[rowKey(need()), { words: 'disk broken', isPresent: false, wasRefused: true, onTheWay: 0 }]]);
    expect(needView(verdict(need(), { inFlight: 1 }), 0, troubles)).toMatchObject({ satisfied: false, unmetReason: 0, reasonText: 'A machine chosen for it does not come: disk broken.' });
    expect(needView(verdict(need(), { inFlight: 0 }), 0, troubles)).toMatchObject({ satisfied: true, reasonText: '' });
  });

  it('of a satisfied one has neither reason nor deficit nor supply', () => {
    expect(needView(verdict(need(), { machines: 2, bootstraps: 1, provisions: 1 }), 0)).toMatchObject({
      satisfied: true, unmetReason: 0, reasonText: '', residualDeficit: undefined, matchingSupply: undefined, claimedMachineCount: 2, bootstrapCount: 1, provisionCount: 1,
    });
  });
});

describe('the inspection of Needs', () => {
  const row = (cluster: string, priority: number, arrival: number): NeedVerdict => verdict(need({ cluster, priority }), { arrival });
  async function inspect(verdicts: readonly NeedVerdict[], request: Partial<InspectNeedsRequest> = {}) {
    let header: { cycle: bigint; totalNeeds: number } | undefined;
    const rows: NeedView[] = [];
    for await (const { frame } of inspectNeeds({ clusterId: '', limit: 0, ...request }, { cycle: 7, computedAt: 5, verdicts, ageOf: () => 0 })) {
      if (frame?.$case === 'header') header = frame.value;
      if (frame?.$case === 'need') rows.push(frame.value);
    }
    return { header, rows: rows.map((r) => [r.clusterId, r.need?.priority, Number(r.arrivalUnixNanos / 1_000_000n)]) };
  }

  it('goes by priority, then arrival, then cluster', async () => {
    const { header, rows } = await inspect([row('b', 1, 5), row('a', 1, 5), row('z', 1, 4), row('c', 9, 9)]);
    expect(header).toMatchObject({ cycle: 7n, totalNeeds: 4 });
    expect(rows).toEqual([['c', 9, 9], ['z', 1, 4], ['a', 1, 5], ['b', 1, 5]]);
  });

  it('counts what the cluster has before it stops at the limit', async () => {
    const { header, rows } = await inspect([row('a', 1, 1), row('b', 5, 1), row('a', 3, 1)], { clusterId: 'a', limit: 1 });
    expect([header?.totalNeeds, rows]).toEqual([2, [['a', 3, 1]]]);
    await expect(inspect([], { limit: -1 })).rejects.toThrow('limit: -1');
  });

  it('keeps the order of tens of thousands of rows, in slices', async () => {
    const many = Array.from({ length: 7_001 }, (_, i) => row(`c${i % 7}`, (i * 7919) % 50, (i * 104_729) % 997));
    const { rows } = await inspect(many);
    const expected = many.map((v) => [v.need.cluster, v.need.profile.priority, v.arrival] as const)
      .sort((x, y) => y[1] - x[1] || x[2] - y[2] || (x[0] < y[0] ? -1 : x[0] > y[0] ? 1 : 0));
    expect(rows).toEqual(expected);
  });
});
