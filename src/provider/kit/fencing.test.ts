import { Metadata } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { seededRandom } from '../../lib/random.ts';
import { codeOf, stateName, unfenced, type Token } from '../testing/rpc.ts';
import { startSim, type SimHarness } from '../testing/sim-harness.ts';

const FENCED = 'FAILED_PRECONDITION';
const MAX = 2n ** 63n - 1n;
const MIN = -(2n ** 63n);

describe('fencing', () => {
  let h: SimHarness;
  beforeEach(async () => void (h = await startSim()));
  afterEach(() => h.close());

  const create = (id: string, token: Token): Promise<string> => codeOf(h.rpc.create(id, token));

  it('keeps marks for machines nobody knows, and checks them before looking the machine up', async () => {
    expect(await create('ghost', ['s', 5, 5])).toBe('NOT_FOUND');
    expect(await create('ghost', ['s', 1, 1])).toBe(FENCED);
    expect(await codeOf(h.rpc.configure('ghost', {}, ['s', 1, 1]))).toBe(FENCED);
    expect(await codeOf(h.rpc.drain('ghost', 0, ['s', 1, 1]))).toBe(FENCED);
    expect(await codeOf(h.rpc.delete('ghost', ['s', 1, 1]))).toBe(FENCED);
    expect(await create('ghost', ['s', 9, 9])).toBe('NOT_FOUND');
  });

  it('accepts strictly greater tokens only, epochs before sequences', async () => {
    const id = h.fresh();
    const table: [number, number, boolean][] = [
      [2, 5, true], [2, 5, false], [2, 4, false], [1, 999, false], [2, 6, true], [2, 6, false], [3, 0, true], [3, 0, false],
      [2, 999, false], [3, 1, true], [10, 7, true], [9, 999, false], [10, 8, true], [10, 7, false], [11, -1, true], [11, 0, true],
    ];
    for (const [epoch, sequence, accepted] of table) {
      expect([epoch, sequence, (await create(id, ['s', epoch, sequence])) !== FENCED]).toEqual([epoch, sequence, accepted]);
    }
  });

  it('treats the ends of int64 as plain numbers', async () => {
    const [a, b] = [h.fresh(), h.fresh()];
    expect(await create(a, ['s', MAX, MAX])).toBe('OK');
    expect(await create(a, ['s', MAX, MAX])).toBe(FENCED);
    expect(await create(a, ['s', MAX - 1n, MAX])).toBe(FENCED);
    expect(await create(b, ['s', MIN, MIN])).toBe('OK');
    expect(await create(b, ['s', -7, -3])).toBe('OK');
    expect(await create(b, ['s', -7, -4])).toBe(FENCED);
    expect(await create(b, ['s', -1, 1])).toBe('OK');
    expect(await create(b, ['s', 0, 0])).toBe('OK');
  });

  it('keeps one mark per shard and machine', async () => {
    const [a, b, c] = [h.fresh(), h.fresh(), h.fresh()];
    expect([await create(a, ['A', 9, 9]), await create(b, ['B', 7, 3]), await create(c, ['C', 1, 1])]).toEqual(['OK', 'OK', 'OK']);
    expect([await create(a, ['A', 9, 9]), await create(b, ['B', 7, 3]), await create(c, ['C', 1, 1])]).toEqual([FENCED, FENCED, FENCED]);
    expect(await create(b, ['B', 7, 4])).toBe('OK');
    expect(await create(a, ['D', 5, 30])).toBe('OK');
    expect(await create(b, ['D', 5, 7])).toBe('OK');
    expect(await create(b, ['D', 4, 999])).toBe(FENCED);
  });

  it('lets a call without any token through, and fences one with any part of it', async () => {
    const id = h.fresh();
    expect(await create(id, unfenced)).toBe('OK');
    expect(await create(id, unfenced)).toBe('OK');
    expect(await create(id, ['s', 0, 0])).toBe('OK');
    expect(await create(id, ['s', 0, 0])).toBe(FENCED);
    expect(await create(id, ['', 1, 0])).toBe('OK');
    expect(await create(id, ['', 1, 0])).toBe(FENCED);
    expect(await create(id, unfenced)).toBe('OK');
  });

  it('advances the mark even when the call fails for another reason', async () => {
    const id = h.fresh();
    expect(await codeOf(h.rpc.drain(id, 0, ['s', 5, 5]))).toBe('INTERNAL');
    expect(await create(id, ['s', 5, 4])).toBe(FENCED);
    expect(await create(id, ['s', 5, 6])).toBe('OK');
  });

  it('checks the fence before the repeat', async () => {
    const id = h.fresh();
    await h.toIdle(id);
    const { operationId } = await h.rpc.configure(id, {}, ['s', 5, 5]);
    await h.clock.advance(100);
    expect(await codeOf(h.rpc.configure(id, {}, ['s', 5, 5]))).toBe(FENCED);
    expect((await h.rpc.configure(id, {}, ['s', 5, 6])).operationId).toBe(operationId);
  });

  it('does not touch reads', async () => {
    const id = h.fresh();
    await h.toConfigured(id);
    await create(id, ['z', 9, 9]);
    for (const call of [create(id, ['z', 1, 1]), codeOf(h.rpc.drain(id, 0, ['z', 1, 1])), codeOf(h.rpc.delete(id, ['z', 1, 1]))]) {
      expect(await call).toBe(FENCED);
      expect(stateName(await h.rpc.get(id))).toBe('CONFIGURED');
    }
    expect((await h.rpc.list()).machines.length).toBe(40);
  });

  it('agrees with a running maximum over 200 random tokens', async () => {
    const random = seededRandom(7);
    const id = h.fresh();
    const mark = { epoch: -Infinity, sequence: -Infinity };
    let passed = 0;
    for (let i = 0; i < 200; i++) {
      const epoch = Math.floor(random() * 8) - 1;
      const sequence = Math.floor(random() * 20) - 2;
      const above = epoch > mark.epoch || (epoch === mark.epoch && sequence > mark.sequence);
      if (above) {
        Object.assign(mark, { epoch, sequence });
        passed += 1;
      }
      expect([epoch, sequence, (await create(id, ['s', epoch, sequence])) !== FENCED]).toEqual([epoch, sequence, above]);
    }
    expect(passed).toBeGreaterThan(3);
  });

  it('refuses what comes after bigfleet-not-after, without any effect', async () => {
    const id = h.fresh();
    const notAfter = (ms: number | string): Metadata => {
      const metadata = new Metadata();
      metadata.set('bigfleet-not-after', String(ms));
      return metadata;
    };
    expect(await codeOf(h.rpc.create(id, ['s', 5, 5], notAfter(h.clock.now() - 1)))).toBe(FENCED);
    expect(await codeOf(h.rpc.create(id, ['s', 5, 5], notAfter('soon')))).toBe('INVALID_ARGUMENT');
    expect(await h.state(id)).toBe('SPECULATIVE');
    expect(await codeOf(h.rpc.create(id, ['s', 5, 5], notAfter(h.clock.now())))).toBe('OK');
  });
});

describe('concurrency', () => {
  let h: SimHarness;
  beforeEach(async () => void (h = await startSim()));
  afterEach(() => h.close());

  it('collapses sixteen parallel calls of each kind into one operation', async () => {
    const id = h.fresh();
    const burst = async (call: () => Promise<{ operationId: string }>, ms: number, state: number): Promise<void> => {
      const acks = await Promise.all(Array.from({ length: 16 }, call));
      expect(new Set(acks.map((a) => a.operationId)).size).toBe(1);
      await h.clock.advance(ms);
      expect((await h.rpc.list({ states: [state as 1] })).machines.filter((m) => m.id === id)).toHaveLength(1);
    };
    // Unfenced: parallel calls of one shard may overtake each other on the way.
    await burst(() => h.rpc.create(id, unfenced), 100, 3);
    await burst(() => h.rpc.configure(id, { cluster: 'conf' }, unfenced), 100, 5);
    await burst(() => h.rpc.drain(id, 0, unfenced), 200, 3);
    await burst(() => h.rpc.delete(id, unfenced), 50, 1);
  });

  it('lets one of a Configure and a Drain that race win', async () => {
    const id = h.fresh();
    await h.toIdle(id);
    const codes = await Promise.all([codeOf(h.rpc.configure(id, { cluster: 'conf' }, unfenced)), codeOf(h.rpc.drain(id, 0, unfenced))]);
    expect(codes).not.toContain(FENCED);
    await h.clock.advance(500);
    const machine = await h.rpc.get(id);
    expect([['IDLE', ''], ['CONFIGURED', 'conf']]).toContainEqual([stateName(machine), machine.cluster]);
  });

  it('shuts out a zombie of an older epoch whatever the interleaving', async () => {
    const id = h.fresh();
    await create(['s', 1, 1000]);
    const zombies = Array.from({ length: 12 }, (_, i) => create(['s', 1, i]));
    const live = Array.from({ length: 12 }, (_, i) => create(['s', 2, 100 + i]));
    expect(new Set(await Promise.all(zombies))).toEqual(new Set([FENCED]));
    const answers = await Promise.all(live);
    expect(answers).toContain('OK');
    expect(answers.every((code) => code === 'OK' || code === FENCED)).toBe(true);
    expect([await create(['s', 1, 9]), await create(['s', 2, 9999])]).toEqual([FENCED, 'OK']);

    function create(token: Token): Promise<string> {
      return codeOf(h.rpc.create(id, token));
    }
  });

  it('keeps eight machines apart', async () => {
    const ids = Array.from({ length: 8 }, () => h.fresh());
    const acks = await Promise.all(ids.map((id) => h.rpc.create(id)));
    expect(new Set(acks.map((a) => a.operationId)).size).toBe(8);
    expect(acks.map((a) => a.machine?.id)).toEqual(ids);
  });
});
