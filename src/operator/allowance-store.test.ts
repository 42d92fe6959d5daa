import { beforeEach, describe, expect, it } from 'vitest';
import { ConfigMapResource } from '../api/resources.ts';
import type { ConfigMap } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog, type Log } from '../runtime/types.ts';
import { AllowanceStore } from './allowance-store.ts';
import { Allowances, type RowView } from './allowances.ts';
import { failure, FakeCluster } from './testing/fake-cluster.ts';

const CORE = 1_000_000_000n;
const KEY = 'bigfleet-system/bigfleet-allowances';

function row(waiting: boolean): RowView {
  return {
    key: 'row', requests: () => [['cpu', 12n * CORE]], satisfied: () => true, onItsWay: () => false, matches: () => true,
    unplaced: waiting ? [{ requestKey: 'p', amounts: [['cpu', 3n * CORE]], message: 'no place' }] : [],
  };
}

describe('the allowances’ ConfigMap (D3)', () => {
  let cluster: FakeCluster;
  let clock: VirtualClock;
  let warnings: object[];
  let log: Log;

  beforeEach(() => {
    cluster = new FakeCluster();
    cluster.store<ConfigMap>(ConfigMapResource);
    clock = new VirtualClock();
    warnings = [];
    log = { ...silentLog, warn: (fields) => warnings.push(fields) };
  });

  /** A new process: nothing in memory. */
  function started(): { allowances: Allowances; store: AllowanceStore } {
    const allowances = new Allowances();
    return { allowances, store: new AllowanceStore({ client: cluster, namespace: 'bigfleet-system', allowances, clock, log, intervalMs: 1_000 }) };
  }

  async function loaded(): Promise<{ allowances: Allowances; store: AllowanceStore }> {
    const process = started();
    await process.store.load(new AbortController().signal);
    return process;
  }

  /** Runs the store for so long in virtual time. */
  async function ran(store: AllowanceStore, ms: number): Promise<void> {
    const stop = new AbortController();
    const running = store.run(stop.signal);
    await clock.advance(ms);
    stop.abort();
    await running;
  }

  const sigmaOf = (allowances: Allowances): unknown => allowances.step([row(false)], [], 9n).get('row');
  const written = (): string | undefined => cluster.now<ConfigMap>(ConfigMapResource, KEY)?.data?.['allowances.json'];
  const hold = (text: string): ConfigMap =>
    cluster.put<ConfigMap>(ConfigMapResource, { metadata: { namespace: 'bigfleet-system', name: 'bigfleet-allowances' }, data: { 'allowances.json': text } });

  it('holds what was found necessary, and gives it to the next process', async () => {
    const { allowances, store } = await loaded();
    allowances.step([row(true)], [], 1n);
    allowances.step([row(true)], [], 2n);
    await ran(store, 1_000);
    expect(written()).toBe('{"row":{"sigma":{"cpu":"3000000000"},"requests":{"cpu":"12000000000"}}}');

    const next = await loaded();
    await ran(next.store, 1_000);
    expect(cluster.writes.map((w) => w.verb)).toEqual(['patch', 'create']); // what it read is not written again
    expect(sigmaOf(next.allowances)).toEqual([['cpu', 3n * CORE]]);
    expect(warnings).toEqual([]);
  });

  it('is written when something changed, not before its time, and emptied when nothing is left', async () => {
    hold('{"row":{"sigma":{"cpu":"3000000000"},"requests":{"cpu":"12000000000"}}}');
    const { allowances, store } = await loaded();
    allowances.step([], [], 1n);
    await ran(store, 999);
    expect(cluster.writes).toEqual([]);
    await ran(store, 3_000);
    expect(cluster.writes.map((w) => w.verb)).toEqual(['patch']);
    expect(written()).toBe('{}');
  });

  it('is tried again when it could not be written', async () => {
    const { allowances, store } = await loaded();
    allowances.step([row(true)], [], 1n);
    allowances.step([row(true)], [], 2n);
    let refusals = 2;
    cluster.intercept = () => {
      if (refusals-- > 0) throw failure(500, 'InternalError', 'not now');
    };
    await ran(store, 2_000);
    expect([written(), warnings.length]).toEqual([undefined, 2]);
    await ran(store, 1_000);
    expect(written()).toContain('3000000000');
  });

  it.each(['null', '{"row":{}}', '{"row":null}', 'no JSON', '', '[]', '{"row":{"sigma":{"cpu":7},"requests":null}}'])(
    'counts as nothing if it holds %j; that is said once, and it is put in order', async (text) => {
      hold(text);
      const { allowances, store } = await loaded();
      expect(warnings).toMatchObject([{ configMap: KEY, count: 1 }]);
      expect(sigmaOf(allowances)).toBeUndefined();
      await ran(store, 5_000);
      expect(written()).toBe('{}');
      expect(warnings).toHaveLength(1);
    });

  it('loses its bad rows only, in one warning', async () => {
    hold(JSON.stringify({ a: null, b: {}, row: { sigma: { cpu: '5' }, requests: { cpu: '12000000000' } } }));
    const { allowances } = await loaded();
    expect(warnings).toMatchObject([{ count: 2 }]);
    expect(sigmaOf(allowances)).toEqual([['cpu', 5n]]);
  });

  it('may be unreadable or absent, but an API server that does not answer is no reason to start without it', async () => {
    expect(sigmaOf((await loaded()).allowances)).toBeUndefined();
    expect(warnings).toEqual([]);
    cluster.get = () => Promise.reject(failure(403, 'Forbidden', 'no'));
    await loaded();
    expect(warnings).toHaveLength(1);
    cluster.get = () => Promise.reject(failure(500, 'InternalError', 'not now'));
    await expect(loaded()).rejects.toThrow('not now');
  });
});
