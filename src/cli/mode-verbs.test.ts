import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { NamespaceResource, ShardResource } from '../api/resources.ts';
import type { Shard } from '../api/types.ts';
import { startEmbeddedControlPlane } from '../embedded/index.ts';
import type { EmbeddedControlPlane } from '../embedded/index.ts';
import { systemClock } from '../lib/clock.ts';
import { UsageError } from '../lib/usage-error.ts';
import { createKubeClient } from '../runtime/index.ts';
import type { KubeClient, KubeClientHandle } from '../runtime/index.ts';
import { setMode } from './mode-verbs.ts';

const crd = fileURLToPath(new URL('../../config/crd/bases/control.bigfleet.lucy.sh_shards.yaml', import.meta.url));
const theOnlyOne = { name: undefined };

let hub: EmbeddedControlPlane;
let client: KubeClientHandle;

beforeAll(async () => {
  hub = await startEmbeddedControlPlane({ name: 'hub', crds: [crd], clock: systemClock });
  client = createKubeClient({ config: { server: hub.url }, clock: systemClock, random: Math.random, fieldManager: 'test', userAgent: 'test' });
  for (const name of ['fleet', 'single', 'empty']) hub.store.create(NamespaceResource, { metadata: { name } });
});
afterAll(async () => {
  await client.close();
  await hub.close();
});

const shard = (namespace: string, name: string): Shard => hub.store.get<Shard>(ShardResource, { namespace, name })!;
beforeEach(() => {
  for (const [namespace, name] of [['fleet', 'a'], ['fleet', 'b'], ['single', 'only']] as const) {
    hub.store.delete(ShardResource, { namespace, name });
    hub.store.create<Shard>(ShardResource, { metadata: { namespace, name }, spec: { cycleSeconds: 7 } });
  }
});

describe('the mode of a shard', () => {
  it('is written to its object, which keeps everything else', async () => {
    expect(await setMode('Paused', { name: 'b' }, 'fleet', client)).toEqual([{ shard: 'b', was: 'Active', mode: 'Paused' }]);
    expect([shard('fleet', 'b').spec, shard('fleet', 'a').spec.mode]).toMatchObject([{ cycleSeconds: 7, mode: 'Paused' }, 'Active']);
    expect(await setMode('DryRun', { name: 'b' }, 'fleet', client)).toEqual([{ shard: 'b', was: 'Paused', mode: 'DryRun' }]);
    expect(await setMode('Active', { name: 'b' }, 'fleet', client)).toEqual([{ shard: 'b', was: 'DryRun', mode: 'Active' }]);
    expect(shard('fleet', 'b').spec.mode).toBe('Active');
  });

  it('needs no name where there is only one', async () => {
    expect(await setMode('Paused', theOnlyOne, 'single', client)).toEqual([{ shard: 'only', was: 'Active', mode: 'Paused' }]);
  });

  it('is nobody’s where it is not clear whose is meant: the error names them', async () => {
    const unclear = await setMode('Paused', theOnlyOne, 'fleet', client).catch((error: unknown) => error);
    expect(unclear).toBeInstanceOf(UsageError);
    expect(String(unclear)).toMatch(/--shard: there are 2 shards .* \(a, b\); name one, or say --all/);
    expect([shard('fleet', 'a').spec.mode, shard('fleet', 'b').spec.mode]).toEqual(['Active', 'Active']);
  });

  it('can be every shard’s', async () => {
    expect((await setMode('Paused', 'every one', 'fleet', client)).map((c) => c.shard).sort()).toEqual(['a', 'b']);
    expect([shard('fleet', 'a').spec.mode, shard('fleet', 'b').spec.mode]).toEqual(['Paused', 'Paused']);
  });

  it('is written to every other shard where one refuses it, and the error says which have it', async () => {
    const deaf: KubeClient = {
      ...client, server: client.server,
      patch: (type, ref, ...rest) => (ref.name === 'a' ? Promise.reject(new Error('the hub says no')) : client.patch(type, ref, ...rest)),
    };
    await expect(setMode('Paused', 'every one', 'fleet', deaf)).rejects.toThrow('shard a is not known to be Paused: the hub says no\nshard b: Paused (was Active)');
    expect([shard('fleet', 'a').spec.mode, shard('fleet', 'b').spec.mode]).toEqual(['Active', 'Paused']);
  });

  it('is an error for a shard that is not there', async () => {
    await expect(setMode('Paused', { name: 'c' }, 'fleet', client)).rejects.toThrow(/no Shard c in namespace fleet .*; there are: a, b/);
    await expect(setMode('Paused', theOnlyOne, 'empty', client)).rejects.toThrow(/no Shard in namespace empty/);
  });
});
