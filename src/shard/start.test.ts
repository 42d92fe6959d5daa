import { once } from 'node:events';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer } from 'node:net';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { CapacityProvider } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { silentLog } from '../runtime/types.ts';
import type { Informer } from '../runtime/types.ts';
import { checkStart, waitForProviders } from './start.ts';

describe('what would fail later fails at once', () => {
  let dir: string;
  beforeEach(() => {
    dir = mkdtempSync(join(tmpdir(), 'start-'));
  });
  afterEach(() => rmSync(dir, { recursive: true }));

  it('a port in use, naming the flag', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const taken = `127.0.0.1:${(other.address() as AddressInfo).port}`;
    await expect(checkStart({ dataDir: dir, listen: taken, metricsAddress: '0' })).rejects.toThrow(`--listen ${taken}: cannot listen`);
    await expect(checkStart({ dataDir: dir, listen: '127.0.0.1:0', metricsAddress: taken })).rejects.toThrow(`--metrics-addr ${taken}: cannot listen`);
    other.close();
    await once(other, 'close');
    await expect(checkStart({ dataDir: dir, listen: taken, metricsAddress: taken })).resolves.toBeUndefined();
  });

  it('an epoch that is none, naming the file', async () => {
    writeFileSync(join(dir, 'epoch'), 'seven');
    await expect(checkStart({ dataDir: dir, listen: '127.0.0.1:0', metricsAddress: '0' })).rejects.toThrow(join(dir, 'epoch'));
    rmSync(join(dir, 'epoch'));
    mkdirSync(join(dir, 'epoch'));
    await expect(checkStart({ dataDir: dir, listen: '127.0.0.1:0', metricsAddress: '0' })).rejects.toThrow(`${join(dir, 'epoch')} cannot be read`);
  });

  it('an epoch that could not be written once this process leads, leaving nothing behind', async () => {
    const check = (): Promise<void> => checkStart({ dataDir: dir, listen: '127.0.0.1:0', metricsAddress: '0' });
    writeFileSync(join(dir, 'epoch'), '7\n');
    await check();
    expect([readdirSync(dir), readFileSync(join(dir, 'epoch'), 'utf8')]).toEqual([['epoch'], '7\n']);
    mkdirSync(join(dir, `epoch.trial-${process.pid}`)); // whoever runs the tests may write to a folder that forbids it
    await expect(check()).rejects.toThrow(`${join(dir, 'epoch')} cannot be written`);
  });
});

describe('the providers', () => {
  const provider = (name: string, shardRef: string): CapacityProvider => ({ metadata: { name }, spec: { address: 'a:1', shardRef } });

  function informer(objects: Map<string, CapacityProvider>): Informer<CapacityProvider> {
    const store = { get size() { return objects.size; }, get: (key: string) => objects.get(key), values: () => objects.values(), keys: () => objects.keys(), byIndex: () => [] };
    return { store, hasSynced: true, waitForSync: () => Promise.resolve(), subscribe: () => () => undefined, run: () => Promise.resolve() };
  }

  it('are those that name the shard; the wait ends when it appears, and says meanwhile what it waits for', async () => {
    const clock = new VirtualClock();
    const objects = new Map([['other', provider('other', 'shard-9')]]);
    const said: string[] = [];
    const found = waitForProviders(informer(objects), 'shard-0', { clock, log: { ...silentLog, warn: (_fields, message) => said.push(message) }, signal: new AbortController().signal });
    await clock.advance(10_000);
    expect(said).toHaveLength(1);
    objects.set('ours', provider('ours', 'shard-0'));
    await clock.advance(500);
    expect((await found).map((p) => p.metadata.name)).toEqual(['ours']);
  });

  it('come by name', async () => {
    const objects = new Map([['b', provider('b', 'shard-0')], ['c', provider('c', 'shard-1')], ['a', provider('a', 'shard-0')]]);
    const found = await waitForProviders(informer(objects), 'shard-0', { clock: new VirtualClock(), log: silentLog, signal: new AbortController().signal });
    expect(found.map((p) => p.metadata.name)).toEqual(['a', 'b']);
  });

  it('are waited for no longer when the process is told to stop', async () => {
    const clock = new VirtualClock();
    const stop = new AbortController();
    const waiting = waitForProviders(informer(new Map()), 'shard-0', { clock, log: silentLog, signal: stop.signal });
    await clock.advance(100);
    stop.abort(new Error('told to stop'));
    await expect(waiting).rejects.toThrow('told to stop');
  });
});
