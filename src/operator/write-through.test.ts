import { beforeEach, describe, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { IndexedStore } from '../runtime/cache/store.ts';
import type { KubeObject } from '../runtime/types.ts';
import { WriteThrough } from './write-through.ts';

const at = (resourceVersion: string): KubeObject => ({ metadata: { name: 'x', resourceVersion } });

describe('reading our own writes', () => {
  let store: IndexedStore<KubeObject>;
  let reads: WriteThrough<KubeObject>;
  let clock: VirtualClock;

  const seen = (): string | undefined => reads.get('x')?.metadata.resourceVersion;

  beforeEach(() => {
    store = new IndexedStore();
    clock = new VirtualClock();
    reads = new WriteThrough(store, clock);
    store.set('x', at('1'));
  });

  function arrives(resourceVersion: string): void {
    store.set('x', at(resourceVersion));
    reads.observe({ type: 'updated', key: 'x', object: at(resourceVersion), old: at('?') });
  }

  function goes(): void {
    store.delete('x');
    reads.observe({ type: 'deleted', key: 'x', old: at('?') });
  }

  it('shows a write before the cache does, and the cache once it has caught up', async () => {
    await reads.write('x', () => Promise.resolve(at('2')));
    expect(seen()).toBe('2');
    arrives('2');
    expect(seen()).toBe('2');
    arrives('3');
    expect(seen()).toBe('3');
  });

  it('does not fall back to an earlier write of ours', async () => {
    await reads.write('x', () => Promise.resolve(at('2')));
    await reads.write('x', () => Promise.resolve(at('3')));
    arrives('2');
    expect(seen()).toBe('3');
    arrives('3');
    arrives('2-by-somebody');
    expect(seen()).toBe('2-by-somebody');
  });

  it('gives way to somebody else’s write', async () => {
    await reads.write('x', () => Promise.resolve(at('2')));
    arrives('7');
    expect(seen()).toBe('7');
  });

  it('knows what it created and deleted', async () => {
    await reads.delete('x', () => Promise.resolve(true));
    expect(seen()).toBeUndefined();
    goes();
    expect(seen()).toBeUndefined();
    await reads.write('x', () => Promise.resolve(at('9')));
    expect(seen()).toBe('9');
    arrives('9');
    goes();
    expect(seen()).toBeUndefined();
  });

  it('keeps what it created after a deletion whose news come late', async () => {
    await reads.delete('x', () => Promise.resolve(true));
    await reads.write('x', () => Promise.resolve(at('5')));
    goes();
    expect(seen()).toBe('5');
    arrives('5');
    goes();
    expect(seen()).toBeUndefined();
  });

  it('believes the cache in the end', async () => {
    await reads.write('x', () => Promise.resolve(at('2')));
    await clock.advance(29_999);
    expect(seen()).toBe('2');
    await clock.advance(1);
    expect(seen()).toBe('1');
  });

  it('believes a cache that overtook the answer', async () => {
    await reads.write('x', () => {
      arrives('2');
      arrives('3-by-somebody');
      return Promise.resolve(at('2'));
    });
    expect(seen()).toBe('3-by-somebody');
  });

  it('survives a write that changed nothing', async () => {
    await reads.write('x', () => Promise.resolve(at('1')));
    expect(seen()).toBe('1');
    arrives('2');
    expect(seen()).toBe('2');
  });
});
