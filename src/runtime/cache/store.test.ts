import { describe, expect, test } from 'vitest';
import type { KubeObject } from '../types.ts';
import { IndexedStore, objectKey, parseKey } from './store.ts';

function pod(name: string, node: string, ...labels: string[]): KubeObject & { node: string } {
  return { metadata: { name, namespace: 'ns', labels: Object.fromEntries(labels.map((l) => [l, ''])) }, node };
}

function newStore() {
  return new IndexedStore<ReturnType<typeof pod>>({
    node: (object) => (object.node ? [object.node] : []),
    label: (object) => Object.keys(object.metadata.labels ?? {}),
  });
}

describe('keys', () => {
  test.each([
    [{ name: 'a' }, 'a'],
    [{ name: 'a', namespace: 'ns' }, 'ns/a'],
  ])('%o ↔ %s', (metadata, key) => {
    expect(objectKey({ metadata })).toBe(key);
    expect(parseKey(key)).toEqual(metadata);
  });
});

describe('indexed store', () => {
  test('objects are found by key and by every value of every index', () => {
    const store = newStore();
    const a = pod('a', 'n1', 'x', 'y');
    const b = pod('b', 'n1', 'y');
    store.set('ns/a', a);
    store.set('ns/b', b);
    expect(store.size).toBe(2);
    expect(store.get('ns/a')).toBe(a);
    expect(store.byIndex('node', 'n1')).toEqual([a, b]);
    expect(store.byIndex('label', 'x')).toEqual([a]);
    expect(store.byIndex('label', 'y')).toEqual([a, b]);
    expect(store.byIndex('label', 'z')).toEqual([]);
    expect([...store.values()]).toEqual([a, b]);
  });

  test('a change moves the object between values', () => {
    const store = newStore();
    store.set('ns/a', pod('a', 'n1', 'x'));
    expect(store.byIndex('node', 'n1')).toHaveLength(1);
    const moved = pod('a', 'n2');
    store.set('ns/a', moved);
    expect(store.byIndex('node', 'n1')).toEqual([]);
    expect(store.byIndex('node', 'n2')).toEqual([moved]);
    expect(store.byIndex('label', 'x')).toEqual([]);
    store.delete('ns/a');
    expect(store.byIndex('node', 'n2')).toEqual([]);
    expect(store.size).toBe(0);
  });

  test('an array handed out stays as it was', () => {
    const store = newStore();
    store.set('ns/a', pod('a', 'n1'));
    const before = store.byIndex('node', 'n1');
    expect(store.byIndex('node', 'n1')).toBe(before);
    store.set('ns/b', pod('b', 'n1'));
    expect(before).toHaveLength(1);
    expect(store.byIndex('node', 'n1')).toHaveLength(2);
  });

  test('an index function that throws leaves the store as it was', () => {
    const store = new IndexedStore<KubeObject>({
      name: ({ metadata }) => [metadata.name],
      picky: ({ metadata }) => {
        if (metadata.name === 'bad') throw new Error('a bug');
        return [];
      },
    });
    expect(() => store.set('bad', { metadata: { name: 'bad' } })).toThrow('a bug');
    expect(store.size).toBe(0);
    expect(store.byIndex('name', 'bad')).toEqual([]);
  });

  test('an index that was not declared is named in the error', () => {
    expect(() => newStore().byIndex('nodes', 'n1')).toThrow('no index "nodes": declare it in the informer\'s indexes (node, label)');
  });
});
