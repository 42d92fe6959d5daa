import type { KubeObject, ObjectKey, Store } from '../runtime/types.ts';

interface Overlay<T> {
  /** Absent = we deleted it. */
  readonly object: T | undefined;
  /** Revisions older than ours, '' for absence: while the cache shows one of them, it has not caught up with us. */
  readonly superseded: ReadonlySet<string>;
}

/**
 * Reads our own writes: between a write and its arrival in the cache, `get` answers with what the API server returned.
 * Without it every reconcile that follows closely on a write would repeat the write.
 */
export class WriteThrough<T extends KubeObject> {
  private readonly store: Pick<Store<T>, 'get'>;
  private readonly overlays = new Map<ObjectKey, Overlay<T>>();

  constructor(store: Pick<Store<T>, 'get'>) {
    this.store = store;
  }

  get(key: ObjectKey): T | undefined {
    const cached = this.store.get(key);
    const overlay = this.overlays.get(key);
    if (!overlay) return cached;
    if (overlay.superseded.has(revision(cached))) return overlay.object;
    this.overlays.delete(key);
    return cached;
  }

  /** Records the answer to a create, update or patch. */
  wrote(key: ObjectKey, object: T): void {
    this.put(key, object);
  }

  deleted(key: ObjectKey): void {
    this.put(key, undefined);
  }

  /** The cache has news of the object that make what we wrote history, such as its deletion. */
  forget(key: ObjectKey): void {
    this.overlays.delete(key);
  }

  private put(key: ObjectKey, object: T | undefined): void {
    const seen = this.get(key);
    const superseded = new Set(this.overlays.get(key)?.superseded);
    superseded.add(revision(seen)).add(revision(this.store.get(key)));
    superseded.delete(revision(object)); // a write that changed nothing
    if (object && revision(this.store.get(key)) === revision(object)) this.overlays.delete(key);
    else this.overlays.set(key, { object, superseded });
  }
}

function revision(object: KubeObject | undefined): string {
  return object?.metadata.resourceVersion ?? '';
}
