import { afterEach, describe, expect, it } from 'vitest';
import { createProviderClient } from '../client.ts';
import { failureClass } from '../failure-class.ts';
import { serveScripted, type KitHarness } from '../testing/kit-harness.ts';
import { ScriptedBackend } from '../testing/scripted-backend.ts';
import { BackendError, InvalidError, OutOfStockError, QuotaError, ThrottledError } from './backend-error.ts';

let h: KitHarness;
let backend: ScriptedBackend;
afterEach(() => h.close());

async function serve(): Promise<void> {
  backend = new ScriptedBackend();
  h = await serveScripted(backend, { timeouts: { createMs: 10_000 } });
}

describe('what a backend throws', () => {
  it.each<[Error, string, string]>([
    [new OutOfStockError('no c8 in zone-a'), 'OutOfStock', 'Create failed: [OutOfStock] no c8 in zone-a'],
    [new QuotaError('512 of 512 cpus'), 'Quota', 'Create failed: [Quota] 512 of 512 cpus'],
    [new ThrottledError('slow down'), 'Throttled', 'Create failed: [Throttled] slow down'],
    [new InvalidError('user data above 16 KiB'), 'Invalid', 'Create failed: [Invalid] user data above 16 KiB'],
    [new BackendError('Unknown', 'the disk is broken'), 'Unknown', 'Create failed: the disk is broken'],
    [new Error('the disk is broken'), 'Unknown', 'Create failed: the disk is broken'],
    // What stands in brackets already is not said twice; what the substrate says of something else does not count.
    [new QuotaError('[Quota] 512 of 512 cpus'), 'Quota', 'Create failed: [Quota] 512 of 512 cpus'],
    [new OutOfStockError('after [Throttled] there was none left'), 'OutOfStock', 'Create failed: [OutOfStock] after [Throttled] there was none left'],
  ])('is classed by a shard as it was meant, over the wire: %o', async (error, kind, words) => {
    await serve();
    const client = createProviderClient({ address: () => `127.0.0.1:${h.provider.port}`, shardId: 'shard-0', epoch: () => 1n, clock: h.clock });
    try {
      await client.create('m-1');
      await h.settle();
      backend.last('create').fail(error);
      await h.settle();
      const answer = await client.get('m-1');
      expect(answer).toMatchObject({ machine: { state: 'Failed', lastError: words } });
      expect('machine' in answer && failureClass(answer.machine.lastError)).toBe(kind);
    } finally {
      client.close();
    }
  });
});

describe('a backend that is throttled, and says for how long', () => {
  it('is asked again then, under the same operation id, as long as the time limit allows', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    const first = backend.last('create');
    first.fail(new ThrottledError('slow down', { retryAfterMs: 4_000 }));
    await h.clock.advance(3_999);
    expect([backend.calls.length, await h.look('m-1')]).toEqual([1, ['CREATING', '']]);
    await h.clock.advance(1);
    expect([backend.calls.length, backend.last('create').operationId]).toEqual([2, first.operationId]);
    backend.last('create').succeed({ host: { provider: 'test', ref: 'h' } });
    expect(await h.look('m-1')).toEqual(['IDLE', '']);
  });

  it('while it waits for a Node does not configure the machine again', async () => {
    backend = new ScriptedBackend({ confirms: true });
    h = await serveScripted(backend, {});
    await h.toIdle('m-1');
    await h.rpc.configure('m-1');
    await h.settle();
    backend.last('configure').succeed();
    await h.settle();
    backend.last('ready').fail(new ThrottledError('slow down', { retryAfterMs: 100 }));
    await h.clock.advance(100);
    expect(backend.calls.map(({ what }) => what)).toEqual(['create', 'configure', 'ready', 'ready']);
    backend.last('ready').succeed();
    expect(await h.look('m-1')).toEqual(['CONFIGURED', '']);
  });

  it('and is still throttled at the time limit, is FAILED as such, and not asked any more', async () => {
    await serve();
    await h.rpc.create('m-1');
    await h.settle();
    backend.last('create').fail(new ThrottledError('slow down', { retryAfterMs: 60_000 }));
    await h.clock.advance(10_000);
    const [state, words] = await h.look('m-1');
    expect([state, failureClass(words), words]).toEqual(['FAILED', 'Throttled', 'Create timed out after 10 s: [Throttled] slow down']);
    await h.clock.advance(600_000);
    expect(backend.calls).toHaveLength(1);
  });
});
