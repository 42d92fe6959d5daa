import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, stateName } from '../testing/rpc.ts';
import { startSim, type SimHarness } from '../testing/sim-harness.ts';

describe('the life of a machine', () => {
  let h: SimHarness;
  beforeEach(async () => void (h = await startSim()));
  afterEach(() => h.close());

  it('comes back clean from four bindings in a row', async () => {
    const id = h.fresh();
    await h.toIdle(id);
    for (let round = 0; round < 4; round++) {
      await h.rpc.configure(id, { cluster: 'conf', metadata: { cycle: String(round), k: 'v' } });
      await h.clock.advance(100);
      expect((await h.rpc.get(id)).shardMetadata.get('cycle')).toBe(String(round));
      await h.rpc.drain(id, 5);
      await h.clock.advance(200);
      const machine = await h.rpc.get(id);
      expect([stateName(machine), machine.cluster, machine.shardMetadata.size, machine.lastError]).toEqual(['IDLE', '', 0, '']);
    }
  });

  it('passes through the transitional state only, and the binding shows from its start to its end', async () => {
    const id = h.fresh();
    expect(stateName((await h.rpc.create(id)).machine)).toBe('CREATING');
    await h.clock.advance(99);
    expect(await h.state(id)).toBe('CREATING');
    await h.clock.advance(1);
    expect(await h.state(id)).toBe('IDLE');

    const ack = await h.rpc.configure(id, { cluster: 'conf', metadata: { k: 'v' } });
    expect([stateName(ack.machine), ack.machine?.cluster]).toEqual(['CONFIGURING', 'conf']);
    const during = await h.rpc.get(id);
    expect([stateName(during), during.cluster, during.shardMetadata.get('k')]).toEqual(['CONFIGURING', 'conf', 'v']);
    await h.clock.advance(100);
    expect(await h.state(id)).toBe('CONFIGURED');

    await h.rpc.drain(id);
    const draining = await h.rpc.get(id);
    expect([stateName(draining), draining.cluster]).toEqual(['DRAINING', 'conf']);
    await h.clock.advance(200);
    expect((await h.rpc.get(id)).cluster).toBe('');

    expect(stateName((await h.rpc.delete(id)).machine)).toBe('DELETING');
    await h.clock.advance(50);
    const gone = await h.rpc.get(id);
    expect([stateName(gone), gone.host]).toEqual(['SPECULATIVE', undefined]);
  });

  it('has a host exactly while it exists', async () => {
    const id = h.fresh();
    expect((await h.rpc.get(id)).host).toBeUndefined();
    await h.toIdle(id);
    const host = (await h.rpc.get(id)).host;
    expect(host?.provider).toBe('sim');
    await h.rpc.configure(id);
    await h.clock.advance(100);
    expect((await h.rpc.get(id)).host).toEqual(host);
    await h.rpc.drain(id);
    await h.clock.advance(200);
    expect((await h.rpc.get(id)).host).toEqual(host);
  });

  it('rests where it is: no spontaneous change at CONFIGURED or IDLE', async () => {
    const [a, b] = [h.fresh(), h.fresh()];
    await h.toConfigured(a);
    await h.toIdle(b);
    const { revision } = await h.rpc.list();
    await h.clock.advance(3_600_000);
    expect((await h.rpc.list({ sinceRevision: revision })).machines).toEqual([]);
  });

  it('gives every operation an id of its own and every repeat the same one', async () => {
    const id = h.fresh();
    const ids: string[] = [];
    const twice = async (call: () => Promise<{ operationId: string }>, ms: number): Promise<void> => {
      const first = await call();
      expect((await call()).operationId).toBe(first.operationId); // while under way
      await h.clock.advance(ms);
      expect((await call()).operationId).toBe(first.operationId); // at the target
      ids.push(first.operationId);
    };
    await twice(() => h.rpc.create(id), 100);
    await twice(() => h.rpc.configure(id), 100);
    await twice(() => h.rpc.drain(id), 200);
    await twice(() => h.rpc.configure(id, { cluster: 'other' }), 100);
    await twice(() => h.rpc.drain(id), 200);
    await twice(() => h.rpc.delete(id), 50);
    expect(new Set(ids).size).toBe(6);
    expect(ids).not.toContain('');
  });

  it('answers a repeat at the target with the settled machine and starts nothing', async () => {
    const id = h.fresh();
    await h.toConfigured(id, { cluster: 'conf', metadata: { k: 'v' } });
    const again = await h.rpc.configure(id, { cluster: 'conf', metadata: { k: 'v' } });
    expect(stateName(again.machine)).toBe('CONFIGURED');
    expect(await h.state(id)).toBe('CONFIGURED');
  });

  it('answers a Configure for another cluster as a repeat with the true binding, and says so', async () => {
    const id = h.fresh();
    await h.toConfigured(id, { cluster: 'mine' });
    expect((await h.rpc.configure(id, { cluster: 'theirs' })).machine?.cluster).toBe('mine');
    expect(h.warnings.join()).toMatch(/"theirs".*bound to "mine"/);
  });
});

describe('what is refused', () => {
  let h: SimHarness;
  beforeEach(async () => void (h = await startSim()));
  afterEach(() => h.close());

  it('illegal source states are INTERNAL, never FAILED_PRECONDITION, and change nothing', async () => {
    const [speculative, idle, configured] = [h.fresh(), h.fresh(), h.fresh()];
    await h.toIdle(idle);
    await h.toConfigured(configured, { cluster: 'conf' });
    const { revision } = await h.rpc.list();
    expect(await codeOf(h.rpc.create(configured))).toBe('INTERNAL');
    expect(await codeOf(h.rpc.configure(speculative, { metadata: { leak: 'x' } }))).toBe('INTERNAL');
    expect(await codeOf(h.rpc.drain(speculative))).toBe('INTERNAL');
    expect(await codeOf(h.rpc.drain(idle))).toBe('INTERNAL');
    expect(await codeOf(h.rpc.delete(configured))).toBe('INTERNAL');
    expect(await codeOf(h.rpc.delete(speculative))).toBe('INTERNAL');
    expect((await h.rpc.list({ sinceRevision: revision })).machines).toEqual([]);
  });

  it('unknown machines are NOT_FOUND and do not come into being', async () => {
    for (const call of [h.rpc.create('ghost'), h.rpc.configure('ghost'), h.rpc.drain('ghost'), h.rpc.delete('ghost'), h.rpc.get('ghost')]) {
      expect(await codeOf(call)).toBe('NOT_FOUND');
    }
    expect((await h.rpc.list()).machines.some((m) => m.id === 'ghost')).toBe(false);
  });

  it('an empty id is INVALID_ARGUMENT on every RPC that has one', async () => {
    for (const call of [h.rpc.create(''), h.rpc.configure(''), h.rpc.drain(''), h.rpc.delete(''), h.rpc.get('')]) {
      expect(await codeOf(call)).toBe('INVALID_ARGUMENT');
    }
  });

  it('a negative grace and an empty cluster are INVALID_ARGUMENT, and the machine stays as it was', async () => {
    const id = h.fresh();
    await h.toIdle(id);
    expect(await codeOf(h.rpc.configure(id, { cluster: '' }))).toBe('INVALID_ARGUMENT');
    expect(await h.state(id)).toBe('IDLE');
    await h.rpc.configure(id);
    await h.clock.advance(100);
    expect(await codeOf(h.rpc.drain(id, -5))).toBe('INVALID_ARGUMENT');
    expect(await h.state(id)).toBe('CONFIGURED');
  });

  it('takes a 3 MiB blob and half a MiB of metadata whole', async () => {
    const id = h.fresh();
    const metadata = Object.fromEntries(Array.from({ length: 512 }, (_, i) => [`key-${i}`, 'x'.repeat(1024)]));
    await h.toConfigured(id, { blob: Buffer.alloc(3 * 1024 * 1024, 7), metadata });
    const machine = await h.rpc.get(id);
    expect(stateName(machine)).toBe('CONFIGURED');
    expect(Object.fromEntries(machine.shardMetadata)).toEqual(metadata);
  });
});

describe('metadata', () => {
  it('returns keys and values byte for byte, and none of a former binding', async () => {
    const h = await startSim();
    const odd = new Map([
      ['bigfleet.lucy.sh/assigned-group', 'topology.bigfleet/rack\0gang-7'],
      ['nul\0key', 'nul\0value'], ['c1\u0085', '\u0001\u001f\u009f'], ['emoji 🛰️', '🐘'], ['empty', ''],
      ['trailing  ', ' spaces  '], ['__proto__', 'data'], ['constructor', 'data'], ['', 'empty key'],
    ]);
    const id = h.fresh();
    await h.toConfigured(id, { metadata: odd });
    const listed = (await h.rpc.list({ states: [5] })).machines.find((m) => m.id === id);
    expect(new Map([...listed!.shardMetadata].sort())).toEqual(new Map([...odd].sort()));
    expect((await h.rpc.get(id)).shardMetadata).toEqual(odd);
    await h.rpc.drain(id);
    await h.clock.advance(200);
    await h.rpc.configure(id, { metadata: { other: 'one' } });
    expect([...(await h.rpc.get(id)).shardMetadata]).toEqual([['other', 'one']]);
    await h.close();
  });
});
