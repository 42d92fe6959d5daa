import type { Clock } from '../lib/clock.ts';
import type { KubeObject, ObjectKey, Store, StoreEvent } from '../runtime/types.ts';

interface Overlay<T> {
  /** Absent = we deleted it. */
  readonly object: T | undefined;
  /** Revisions older than ours, '' for absence: while the cache shows one of them, it has not caught up with us. */
  readonly superseded: ReadonlySet<string>;
  readonly writtenAt: number;
}

/** A cache that has not shown our write by then never will: the object came and went while no watch was open. */
const TRUST_MS = 30_000;

/**
 * Reads our own writes: between a write and its arrival in the cache, `get` answers with what the API server returned.
 * Without it every reconcile that follows closely on a write would repeat the write.
 */
export class WriteThrough<T extends KubeObject> {
  private readonly store: Pick<Store<T>, 'get'>;
  private readonly clock: Clock;
  private readonly overlays = new Map<ObjectKey, Overlay<T>>();

  constructor(store: Pick<Store<T>, 'get'>, clock: Clock) {
    this.store = store;
    this.clock = clock;
  }

  /** Feed it every event of the cache, before anybody reads: what has arrived needs no help any more. */
  observe(event: StoreEvent<T>): void {
    const overlay = this.overlays.get(event.key);
    if (!overlay) return;
    const seen = event.type === 'deleted' ? '' : revision(event.object);
    if (seen === revision(overlay.object) || !overlay.superseded.has(seen)) this.overlays.delete(event.key);
  }

  get(key: ObjectKey): T | undefined {
    const cached = this.store.get(key);
    const overlay = this.overlays.get(key);
    if (!overlay) return cached;
    if (overlay.superseded.has(revision(cached)) && this.clock.monotonic() - overlay.writtenAt < TRUST_MS) return overlay.object;
    this.overlays.delete(key);
    return cached;
  }

  /**
   * Makes a write and records its answer: the object as written, or undefined for a deletion. If the cache has moved on to
   * something we do not know while the call was under way, that may be newer than the answer and is believed.
   */
  async write<R extends T | undefined>(key: ObjectKey, call: () => Promise<R>): Promise<R> {
    const superseded = new Set(this.overlays.get(key)?.superseded).add(revision(this.get(key))).add(revision(this.store.get(key)));
    const object = await call();
    superseded.delete(revision(object)); // a write that changed nothing
    if (superseded.has(revision(this.store.get(key)))) this.overlays.set(key, { object, superseded, writtenAt: this.clock.monotonic() });
    else this.overlays.delete(key);
    return object;
  }

  /** Deletes through `call`. */
  async delete(key: ObjectKey, call: () => Promise<unknown>): Promise<void> {
    await this.write(key, () => call().then(() => undefined as T | undefined));
  }
}

function revision(object: KubeObject | undefined): string {
  return object?.metadata.resourceVersion ?? '';
}
