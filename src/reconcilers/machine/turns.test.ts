import { describe, expect, it } from 'vitest';
import type { MachineState } from '../../engine/types.ts';
import { ProviderError } from '../../provider/client.ts';
import type { MachineIntent } from '../../shard/record.ts';
import { bind, rejected, release, setUp, unavailable, unbind } from './testing/reconciler-setup.ts';

describe('leave to make a call (D16)', () => {
  const every = [['Speculative', bind, 'create'], ['Idle', bind, 'configure'], ['Configured', unbind, 'drain'], ['Idle', release, 'delete']] as const;

  it.each(every)('of a machine that is %s is asked for before it, and its limit goes with it', async (state, intent, call) => {
    const t = setUp();
    const asked = Promise.withResolvers<{ notAfterMonotonicMs: number }>();
    t.world.pass = () => asked.promise;
    t.have('m', state, intent);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    asked.resolve({ notAfterMonotonicMs: 4_711 });
    await t.settle();
    expect(t.provider.calls.map((c) => [c.kind, c.notAfterMonotonicMs])).toEqual([[call, 4_711]]);
  });

  it.each(every)('that is not given for a machine that is %s: nothing is called, and nobody is told', async (state, intent) => {
    const t = setUp();
    t.world.pass = () => Promise.reject(new Error('another process holds the Lease'));
    t.have('m', state, intent);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual([]);
    expect(t.world.log.filter((line) => line.startsWith('reclaim'))).toEqual([]);
  });

  it.each(every)('of a machine that is %s counts from the call on until its answer, whatever that is; without one it is never over', async (state, intent, call) => {
    const limits = [1, 2, 3];
    const t = setUp();
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limits.shift()! });
    const underWay: number[][] = [];
    for (const answer of [unavailable, rejected]) {
      t.provider.next(call, () => {
        underWay.push([...t.world.out]);
        return answer();
      });
    }
    t.have('m', state, intent);
    await t.settle();
    expect(underWay).toEqual([[1], [1, 2]]);
    expect(t.world.out).toEqual([1]);
    await t.clock.advance(60_000);
    t.have('m', state, intent);
    await t.clock.advance(60_000);
    expect([limits, t.world.out]).toEqual([[], [1]]);
  });

  it('takes time in which a decision may be withdrawn and the Lease lost', async () => {
    for (const change of ['withdrawn', 'lost'] as const) {
      const t = setUp();
      const asked = Promise.withResolvers<{ notAfterMonotonicMs: number }>();
      t.world.pass = () => asked.promise;
      t.have('m', 'Configured', unbind);
      await t.settle();
      if (change === 'withdrawn') t.inventory.setIntent('m', undefined);
      else t.world.leaseProven = false;
      asked.resolve({ notAfterMonotonicMs: 1 });
      await t.settle();
      expect([change, t.provider.made(), t.world.log]).toEqual([change, [], []]);
    }
  });

  it.each(every)('that was over when the call for a machine that is %s arrived: it is made anew a little later, with fresh leave', async (state, intent, call) => {
    const t = setUp();
    const limits = [10, 20];
    t.world.pass = () => Promise.resolve({ notAfterMonotonicMs: limits.shift()! });
    t.provider.next(call, () => new ProviderError('Late', 'too late'));
    t.have('m', state, intent);
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ busy: false, recheck: false, coolUntil: 0, intent: { kind: intent.kind } });
    if (call === 'configure') expect(t.inventory.get('m')?.intent).toMatchObject({ configureSent: false }); // it may be withdrawn
    await t.clock.advance(700);
    expect(t.provider.made()).toEqual([`${call} m`]);
    await t.clock.advance(300);
    expect(t.provider.calls.map((c) => c.notAfterMonotonicMs)).toEqual([10, 20]);
    expect([t.world.fenced, t.world.refused]).toEqual([[], []]);
    expect(t.world.outcomes.map((o) => o.split(' ')[1])).toEqual(['late', 'success']);
  });
});

describe('a cluster that is left alone for a moment', () => {
  it('while a machine waits for its turn: it is made ready when that is over', async () => {
    const t = setUp();
    t.world.written = () => {
      t.setbacks.clusters.failed('east');
      t.world.written = () => Promise.resolve();
      return Promise.resolve();
    };
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual(['configure m']);
  });
});

describe('write-ahead', () => {
  it('waits for the object, and not longer than a second when the API server is away', async () => {
    for (const [state, intent, call] of [
      ['Speculative', bind, 'create m'], ['Idle', bind, 'configure m'], ['Configured', unbind, 'drain m'], ['Idle', release, 'delete m'],
    ] as const) {
      const t = setUp();
      t.world.written = (_id, signal) => new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('not written'))));
      t.have('m', state, intent);
      await t.clock.advance(999);
      expect(t.provider.made()).toEqual([]);
      await t.clock.advance(1);
      expect(t.provider.made()).toEqual([call]);
    }
  });

  it('goes on at once when the object is written', async () => {
    const t = setUp();
    const written = Promise.withResolvers<void>();
    t.world.written = () => written.promise;
    t.have('m', 'Speculative', bind);
    await t.settle();
    expect(t.provider.made()).toEqual([]);
    written.resolve();
    await t.settle();
    expect(t.provider.made()).toEqual(['create m']);
  });

  it('asks for the blob meanwhile', async () => {
    const t = setUp();
    t.world.written = () => new Promise(() => undefined);
    t.have('m', 'Idle', bind);
    await t.settle();
    expect(t.world.log).toHaveLength(1);
  });

  it('gives way to a decision that changes during the wait', async () => {
    const t = setUp();
    const written = Promise.withResolvers<void>();
    t.world.written = () => written.promise;
    t.have('m', 'Speculative', bind);
    await t.settle();
    t.inventory.setIntent('m', undefined);
    written.resolve();
    await t.clock.advance(10_000);
    expect(t.provider.made()).toEqual([]);
  });
});

describe('calls at a time', () => {
  it('are never more than the limit', async () => {
    const t = setUp({ concurrency: 2 });
    const pending: PromiseWithResolvers<Error>[] = [];
    for (let i = 0; i < 5; i++) {
      t.provider.next('create', () => {
        const call = Promise.withResolvers<Error>();
        pending.push(call);
        return call.promise;
      });
    }
    for (let i = 0; i < 5; i++) t.have(`m${i}`, 'Speculative', bind);
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create m1']);
    pending[0]!.resolve(rejected());
    await t.settle();
    expect(t.provider.made('create')).toEqual(['create m0', 'create m1', 'create m2']);
  });

  /** One call holds the only place; what waits behind it is the test's subject. */
  async function waiting(state: MachineState, intent: MachineIntent) {
    const t = setUp({ concurrency: 1 });
    const first = Promise.withResolvers<Error>();
    t.provider.next('create', () => first.promise);
    t.have('first', 'Speculative', bind);
    await t.settle();
    t.have('m', state, intent);
    await t.settle();
    expect(t.provider.made()).toEqual(['create first']);
    return { ...t, go: async () => (first.resolve(rejected()), t.settle()) };
  }

  it('what waited is not done any more when the decision was withdrawn', async () => {
    const t = await waiting('Speculative', bind);
    t.inventory.setIntent('m', undefined);
    await t.go();
    expect(t.provider.made()).not.toContain('create m');
  });

  it('nothing is taken away when the Lease was lost in the queue; what the plan wanted is dropped (D16)', async () => {
    for (const [state, intent, call] of [['Configured', unbind, 'drain m'], ['Idle', release, 'delete m']] as const) {
      const t = await waiting(state, intent);
      t.world.leaseProven = false;
      await t.go();
      expect(t.inventory.get('m')?.intent).toBeUndefined();
      t.world.leaseProven = true;
      await t.clock.advance(10_000);
      expect(t.provider.made()).not.toContain(call);
    }
  });

  it('nothing that a person wants gone is taken away when the Lease was lost in the queue, until it is proven again (D16)', async () => {
    for (const [state, intent, call] of [['Configured', unbind, 'drain m'], ['Idle', release, 'delete m']] as const) {
      const t = await waiting(state, { ...intent, byPerson: true });
      t.world.leaseProven = false;
      await t.go();
      await t.clock.advance(10_000);
      expect(t.provider.made()).not.toContain(call);
      expect(t.world.log).toEqual([]);
      t.world.leaseProven = true;
      await t.clock.advance(1_000);
      expect(t.provider.made()).toContain(call);
    }
  });

  it('nothing is done when the shard was paused meanwhile', async () => {
    const t = await waiting('Idle', bind);
    t.world.active = false;
    await t.go();
    await t.clock.advance(60_000);
    expect(t.provider.made()).not.toContain('configure m');
    t.world.active = true;
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toContain('configure m');
  });

  it('a binding in the queue may still be withdrawn: Configure was not sent', async () => {
    const t = await waiting('Idle', bind);
    expect(t.inventory.get('m')?.intent).toMatchObject({ configureSent: false });
  });
});

it('a binding cannot be withdrawn any more once Configure is on its way', async () => {
  const t = setUp();
  t.provider.next('configure', () => new Promise(() => undefined));
  t.have('m', 'Idle', bind);
  await t.settle();
  expect(t.inventory.get('m')).toMatchObject({ busy: true, intent: { configureSent: true } });
});

describe('what waits', () => {
  it('for the Lease asks again every second', async () => {
    const t = setUp();
    t.world.leaseProven = false;
    t.have('m', 'Configured', { ...unbind, byPerson: true });
    await t.clock.advance(5_000);
    expect(t.provider.made()).toEqual([]);
    t.world.leaseProven = true;
    await t.clock.advance(1_000);
    expect(t.provider.made()).toEqual(['drain m']);
  });

  it('is not a machine that the plan takes away: when the Lease, the mode or a hold is in the way, it serves on and the next plan decides', async () => {
    for (const inTheWay of ['lease', 'mode', 'hold'] as const) {
      const t = setUp();
      if (inTheWay === 'lease') t.world.leaseProven = false;
      if (inTheWay === 'mode') t.world.active = false;
      t.have('m', 'Configured', unbind);
      if (inTheWay === 'hold') t.inventory.update('m', { hold: true });
      await t.settle();
      expect([inTheWay, t.provider.made(), t.inventory.get('m')?.intent]).toEqual([inTheWay, [], undefined]);
      Object.assign(t.world, { leaseProven: true, active: true });
      t.inventory.update('m', { hold: false });
      t.wake('m');
      await t.clock.advance(60_000);
      expect([inTheWay, t.provider.made()]).toEqual([inTheWay, []]);
    }
  });

  it('is not a machine whose drain was refused and that a person holds for a moment: Pods may have come, and it counts', async () => {
    const t = setUp();
    t.provider.next('drain', rejected);
    t.have('m', 'Configured', unbind);
    await t.settle();
    expect(t.provider.made('drain')).toHaveLength(1);
    expect(t.inventory.get('m')?.coolUntil).toBeGreaterThan(0);
    t.inventory.update('m', { hold: true });
    t.wake('m');
    await t.settle();
    expect(t.inventory.get('m')).toMatchObject({ intent: undefined, coolUntil: 0 });
    t.inventory.update('m', { hold: false });
    t.wake('m');
    await t.clock.advance(60_000);
    expect(t.provider.made('drain')).toHaveLength(1);
  });

  it('a machine that is gone is nobody', async () => {
    const t = setUp();
    t.wake('nobody');
    await t.settle();
    expect(t.provider.calls).toEqual([]);
  });

  it('a restart with a binding on record acts only after its cluster has reported', async () => {
    const t = setUp();
    t.world.reported = false;
    t.have('m', 'Speculative', bind);
    await t.clock.advance(60_000);
    expect(t.provider.made()).toEqual([]);
    t.world.reported = true;
    t.wake('m');
    await t.settle();
    expect(t.provider.made()).toEqual(['create m']);
  });
});
