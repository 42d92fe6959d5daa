import type { KubeObject, ObjectKey, ObjectRef, Store } from '../types.ts';

export function objectKey(object: KubeObject): ObjectKey {
  const { namespace, name } = object.metadata;
  return namespace ? `${namespace}/${name}` : name;
}

export function parseKey(key: ObjectKey): ObjectRef {
  const slash = key.indexOf('/');
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}

type IndexFunctions<T> = Readonly<Record<string, (object: T) => readonly string[]>>;

interface Entry<T> {
  readonly object: T;
  /** The index values at the time of insertion: what must be undone, whatever an index function says later. */
  readonly values: ReadonlyMap<string, readonly string[]>;
}

interface Bucket<T> {
  readonly members: Map<ObjectKey, T>;
  /** Built when asked for, dropped when a member changes: readers of a quiet bucket share one array. */
  list: readonly T[] | undefined;
}

/** The writable side of a Store. An index function that throws leaves the store as it was. */
export class IndexedStore<T> implements Store<T> {
  private readonly entries = new Map<ObjectKey, Entry<T>>();
  private readonly indexFunctions: ReadonlyMap<string, (object: T) => readonly string[]>;
  private readonly buckets = new Map<string, Map<string, Bucket<T>>>();

  constructor(indexes: IndexFunctions<T> = {}) {
    this.indexFunctions = new Map(Object.entries(indexes));
    for (const name of this.indexFunctions.keys()) this.buckets.set(name, new Map());
  }

  get size(): number {
    return this.entries.size;
  }

  get(key: ObjectKey): T | undefined {
    return this.entries.get(key)?.object;
  }

  *values(): Iterable<T> {
    for (const entry of this.entries.values()) yield entry.object;
  }

  keys(): Iterable<ObjectKey> {
    return this.entries.keys();
  }

  byIndex(index: string, value: string): readonly T[] {
    const buckets = this.buckets.get(index);
    if (!buckets) throw new Error(`no index "${index}": declare it in the informer's indexes (${[...this.buckets.keys()].join(', ') || 'none'})`);
    const bucket = buckets.get(value);
    if (!bucket) return [];
    return (bucket.list ??= Object.freeze([...bucket.members.values()]));
  }

  set(key: ObjectKey, object: T): void {
    const values = new Map<string, readonly string[]>();
    for (const [name, valuesOf] of this.indexFunctions) values.set(name, valuesOf(object));
    const old = this.entries.get(key);
    if (old) this.unindex(key, old);
    this.entries.set(key, { object, values });
    for (const [name, indexValues] of values) {
      for (const value of indexValues) this.bucket(name, value).members.set(key, object);
    }
  }

  delete(key: ObjectKey): void {
    const old = this.entries.get(key);
    if (!old) return;
    this.unindex(key, old);
    this.entries.delete(key);
  }

  private bucket(name: string, value: string): Bucket<T> {
    const buckets = this.buckets.get(name)!;
    let bucket = buckets.get(value);
    if (!bucket) buckets.set(value, (bucket = { members: new Map(), list: undefined }));
    bucket.list = undefined;
    return bucket;
  }

  private unindex(key: ObjectKey, entry: Entry<T>): void {
    for (const [name, values] of entry.values) {
      const buckets = this.buckets.get(name)!;
      for (const value of values) {
        const bucket = buckets.get(value);
        if (!bucket) continue;
        bucket.members.delete(key);
        bucket.list = undefined;
        if (bucket.members.size === 0) buckets.delete(value);
      }
    }
  }
}
