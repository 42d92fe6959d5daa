import { describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import { toEast } from '../../shard/testing/machines.ts';
import type { Blob } from './reconciler.ts';
import { bind, BLOB, setUp } from './testing/reconciler-setup.ts';
import type { Setup } from './testing/reconciler-setup.ts';

describe('A-65: an operator that cannot make a blob', () => {
  it('is asked later and later, for all of its machines together, and no machine fails', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('first', 'Idle', bind);
    await t.settle();
    for (let i = 0; i < 20; i++) t.have(`m${i}`, 'Idle', bind);
    await t.settle();
    expect(t.world.log).toHaveLength(1);
    await t.clock.advance(31_000); // after 1, 3, 7, 15 and 31 s all are asked for at once; what was under way counts once
    const asked = t.world.log.length;
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThanOrEqual(1 + 5 * 21);
    expect([...t.inventory.all()].map((m) => m.seen.state)).toEqual(Array.from({ length: 21 }, () => 'Idle'));
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(40_000);
    expect(t.provider.made('configure')).toHaveLength(21);
  });

  it.each([
    ['runs out', (_t: Setup) => undefined],
    ['is called off by a machine that joins', (t: Setup) => t.setbacks.clusters.succeeded('east')],
  ])('is asked again though the rest %s while the object is still being written', async (_how, during) => {
    const t = setUp();
    t.world.random = 0; // the rest is shorter than the wait for the object
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.world.written = (_id, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(signal.reason as Error)));
    t.have('m', 'Idle', bind);
    await t.clock.advance(500);
    during(t);
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(10_000);
    expect(t.provider.made()).toEqual(['configure m']);
  });

  it('does not hold up the machines of another cluster', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    t.have('n', 'Idle', { ...bind, to: { ...toEast, cluster: 'west' } });
    await t.settle();
    expect(t.provider.made()).toEqual(['configure n']);
  });
});

describe('the bootstrap blob', () => {
  it('that the operator cannot make leaves the machine Idle and is asked for again, later and later', async () => {
    const t = setUp();
    t.world.blob = () => Promise.reject(new Error('no credentials'));
    t.have('m', 'Idle', bind);
    await t.clock.advance(60_000);
    const asked = t.world.log.length;
    expect(asked).toBeGreaterThan(3);
    expect(asked).toBeLessThan(15);
    expect(t.provider.made()).toEqual([]);
    expect(t.inventory.get('m')).toMatchObject({ seen: { state: 'Idle' }, intent: bind, obstacle: 'no credentials' });
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    await t.clock.advance(30_000);
    expect(t.provider.made()).toEqual(['configure m']);
    expect(t.inventory.get('m')?.obstacle).toBe('');
  });

  it('that the operator cannot make for one reason after another is asked for no sooner', async () => {
    const t = setUp();
    const failures = Array.from({ length: 50 }, (_, i) => `failure ${i}`);
    t.world.blob = () => {
      const failure = failures.shift();
      return failure === undefined ? Promise.resolve({ userData: BLOB, expiresAt: undefined }) : Promise.reject(new Error(failure));
    };
    t.have('m', 'Idle', bind);
    await t.clock.advance(60_000);
    expect(t.world.log.length).toBeLessThan(15);
    expect(t.provider.made()).toEqual([]);
  });

  it('that comes to nothing after the decision was withdrawn is no obstacle', async () => {
    const t = setUp();
    const asked = Promise.withResolvers<Blob>();
    t.world.blob = () => asked.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    t.inventory.setIntent('m', undefined);
    asked.reject(new Error('no credentials'));
    await t.settle();
    expect(t.inventory.get('m')?.obstacle).toBe('');
  });

  it('is waited for at most 30 s', async () => {
    const t = setUp();
    let gaveUpAt = 0;
    t.world.blob = (signal) => new Promise((_, reject) => signal.addEventListener('abort', () => {
      gaveUpAt ||= t.clock.monotonic();
      reject(new GrpcError(GrpcCode.DEADLINE_EXCEEDED, 'late'));
    }));
    t.have('m', 'Idle', bind);
    await t.clock.advance(30_000);
    expect(gaveUpAt).toBe(30_000);
    expect(t.provider.made()).toEqual([]);
  });

  it('that is lost with its session is asked for again after the reconnect', async () => {
    const t = setUp();
    let lose = (): void => undefined;
    t.world.blob = () => new Promise((_, reject) => (lose = () => reject(new GrpcError(GrpcCode.UNAVAILABLE, 'session ended'))));
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.connected = false;
    lose();
    await t.clock.advance(120_000);
    expect(t.world.log).toHaveLength(1);
    // What the lost session said of itself is nothing that the next one is to be told.
    expect(t.inventory.get('m')).toMatchObject({ obstacle: '', standstill: 'cluster east is not connected' });
    t.world.connected = true;
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: undefined });
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toEqual(['configure m']);
  });

  it.each([
    ['withdrawn', undefined],
    ['changed to another cluster', { ...bind, to: { ...toEast, cluster: 'west' } }],
  ] as const)('is not used for a binding that was %s while the operator was thinking', async (_name, intent) => {
    const t = setUp();
    const thinking = Promise.withResolvers<Blob>();
    t.world.blob = () => thinking.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    t.world.blob = () => new Promise(() => undefined);
    t.inventory.setIntent('m', intent);
    thinking.resolve({ userData: BLOB, expiresAt: undefined });
    await t.settle();
    expect(t.provider.made()).toEqual([]);
  });

  it('is not used for a machine that failed while the operator was thinking', async () => {
    const t = setUp();
    const thinking = Promise.withResolvers<Blob>();
    t.world.blob = () => thinking.promise;
    t.have('m', 'Idle', bind);
    await t.settle();
    await t.moves('m', 'Failed');
    thinking.resolve({ userData: BLOB, expiresAt: undefined });
    await t.settle();
    expect(t.provider.made()).toEqual([]);
  });

  it('that has expired is not used: a fresh one is asked for', async () => {
    const t = setUp();
    const expiries = [t.clock.monotonic(), t.clock.monotonic() + 3_600_000];
    t.world.blob = () => Promise.resolve({ userData: BLOB, expiresAt: expiries.shift() });
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    expect(t.inventory.get('m')?.intent).toEqual(bind); // still to be withdrawn, if need be
    await t.clock.advance(100);
    expect(t.provider.made()).toEqual(['configure m']);
    expect(t.world.log).toHaveLength(2);
  });
});
