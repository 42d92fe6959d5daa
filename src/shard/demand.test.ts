import { describe, expect, it } from 'vitest';
import type { NodeHint } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import { Demand } from './demand.ts';
import { rollup, wireRow } from './testing/needs.ts';
import { toEast } from './testing/machines.ts';

const hint = (machineId: string): NodeHint => ({ machineId, nodeName: `node-${machineId}`, ready: true, pods: 1, disruptionCost: 0, doNotDisrupt: false, heldBy: '' });
const many = Array.from({ length: 20 }, (_, i) => wireRow({ group: `g${i}` }));

function setUp(options: { guard?: boolean } = {}) {
  const rejected: string[] = [];
  const errors: object[] = [];
  const demand = new Demand({ clock: new VirtualClock(), log: { ...silentLog, error: (fields) => errors.push(fields) }, guardEnabled: () => options.guard ?? true, onRejected: (cluster) => rejected.push(cluster) });
  return { demand, rejected, errors };
}

describe('an accepted roll-up', () => {
  it('replaces the cluster\'s demand whole and is handed on once', () => {
    const { demand } = setUp();
    expect(demand.offer('east', rollup([wireRow(), wireRow({ priority: 7 })]))).toBe(true);
    expect(demand.offer('east', rollup([wireRow({ priority: 7 })], { timestampUnixNanos: 5n }))).toBe(true);
    const changes = demand.takeChanges();
    expect(changes.map((c) => [c.cluster, c.needs?.map((n) => n.profile.priority), c.hints])).toEqual([['east', [7], null]]);
    expect(demand.takeChanges()).toEqual([]);
    expect([demand.rows(), demand.timestampOf('east'), demand.hasReported('east')]).toEqual([1, 5n, true]);
  });

  it('with no rows is a report, too', () => {
    const { demand } = setUp();
    expect([demand.hasReported('east'), demand.timestampOf('east')]).toEqual([false, 0n]);
    demand.offer('east', rollup([]));
    expect(demand.hasReported('east')).toBe(true);
    expect(demand.takeChanges()[0]?.needs).toEqual([]);
  });

  it('tells requirements by profile and Nodes by machine', () => {
    const { demand } = setUp();
    const row = wireRow({ requirements: [{ key: 'zone', operator: 3, values: [] }] });
    demand.offer('east', rollup([row], { nodeHints: { items: [hint('m')] } }));
    const { fingerprint } = demand.takeChanges()[0]!.needs![0]!;
    expect(demand.requirementsOf({ ...toEast, fingerprint })).toEqual([{ key: 'zone', operator: 'Exists', values: [] }]);
    expect(demand.requirementsOf({ ...toEast, cluster: 'west', fingerprint })).toBeUndefined();
    expect(demand.requirementsOf({ ...toEast, fingerprint: 'other' })).toBeUndefined();
    expect([demand.nodeNameOf('east', 'm'), demand.nodeNameOf('east', 'n'), demand.nodeNameOf('west', 'm')]).toEqual(['node-m', undefined, undefined]);
  });

  it('sums the rows of all clusters', () => {
    const { demand } = setUp();
    demand.offer('east', rollup([wireRow()]));
    demand.offer('west', rollup([wireRow(), wireRow({ priority: 1 })]));
    expect(demand.rows()).toBe(3);
  });
});

describe('a malformed roll-up (C4)', () => {
  it('changes nothing, is counted, logged with its field, and not to be acked', () => {
    const { demand, rejected, errors } = setUp();
    demand.offer('east', rollup([wireRow()], { nodeHints: { items: [hint('m')] } }));
    demand.takeChanges();
    expect(demand.offer('east', rollup([wireRow(), wireRow({ aggregateResources: new Map([['cpu', '12QQ']]) })], { timestampUnixNanos: 9n, nodeHints: { items: [] } }))).toBe(false);
    expect(rejected).toEqual(['east']);
    expect(errors).toMatchObject([{ cluster: 'east', error: expect.stringContaining('needs[1].aggregate_resources') as string }]);
    expect(demand.takeChanges()).toEqual([]);
    expect([demand.rows(), demand.timestampOf('east'), demand.nodeNameOf('east', 'm')]).toEqual([1, 1n, 'node-m']);
  });

  it('is no report', () => {
    const { demand } = setUp();
    demand.offer('east', rollup([wireRow({ interruptionPenaltyBucket: 28 as never })]));
    expect(demand.hasReported('east')).toBe(false);
  });
});

describe('a held roll-up', () => {
  it('is acked, keeps the demand and applies its hints (D13)', () => {
    const { demand } = setUp();
    demand.offer('east', rollup(many, { nodeHints: { items: [hint('old')] } }));
    demand.takeChanges();
    expect(demand.offer('east', rollup([], { timestampUnixNanos: 2n, nodeHints: { items: [hint('new')] } }))).toBe(true);
    const [change] = demand.takeChanges();
    expect(change?.needs).toHaveLength(20);
    expect(change?.hints?.map((h) => h.machineId)).toEqual(['new']);
    expect(demand.timestampOf('east')).toBe(1n); // verdicts are about the demand that counts
    expect(demand.heldByCluster()).toEqual(new Map([['east', 1]]));
    expect([demand.isHolding('east'), demand.isHolding('west')]).toEqual([true, false]);
    demand.offer('east', rollup(many, { timestampUnixNanos: 3n }));
    expect(demand.isHolding('east')).toBe(false);
  });

  it('is not held when the guard is off', () => {
    const { demand } = setUp({ guard: false });
    demand.offer('east', rollup(many));
    demand.offer('east', rollup([]));
    expect(demand.rows()).toBe(0);
  });
});

describe('a roll-up of very many rows', () => {
  const many = (count: number, timestampUnixNanos: bigint) => rollup(Array.from({ length: count }, (_, i) => wireRow({ group: `g${i}` })), { timestampUnixNanos });
  const open = () => new Demand({ clock: new VirtualClock(), log: silentLog, guardEnabled: () => false, onRejected: () => undefined });

  it('is taken in turns, and whole', async () => {
    const demand = open();
    let turns = 0;
    const count = (): void => void (turns++ < 100 && setImmediate(count));
    setImmediate(count);
    const taken = demand.offerInTurns('east', many(1_000, 1n));
    expect(demand.hasReported('east')).toBe(false);
    expect(await taken).toBe(true);
    expect(turns).toBeGreaterThanOrEqual(3);
    expect([demand.rows(), demand.takeChanges().map((c) => c.needs?.length)]).toEqual([1_000, [1_000]]);
  });

  it('changes nothing when a newer one of another session was accepted before it', async () => {
    const demand = open();
    const slow = demand.offerInTurns('east', many(1_000, 1n));
    expect(await demand.offerInTurns('east', many(1, 2n))).toBe(true);
    expect(await slow).toBe(true);
    expect([demand.rows(), demand.timestampOf('east')]).toEqual([1, 2n]);
  });

  it('is refused whole when one of its last rows is malformed', async () => {
    const demand = open();
    const bad = many(900, 1n);
    bad.needs[899] = wireRow({ minUnit: new Map() });
    expect([await demand.offerInTurns('east', bad), demand.hasReported('east')]).toEqual([false, false]);
  });
});
