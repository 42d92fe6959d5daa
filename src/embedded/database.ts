/**
 * Objects by kind and namespace, one number for every write, a window of past changes, and delivery of changes in order.
 * Knows nothing of the meaning of objects. A revision is encoded once; everybody shares the text.
 */
import type { Stored } from './json.ts';
import type { ResourceKind } from './resource-kind.ts';
import { kindId } from './resource-kind.ts';

/** One revision of one object. Immutable. */
export interface Revision {
  readonly kind: ResourceKind;
  readonly namespace: string;
  readonly name: string;
  readonly key: string;
  readonly object: Stored;
  readonly version: number;
  readonly json: string;
}

export type EventType = 'ADDED' | 'MODIFIED' | 'DELETED';

/** One write. `before` is absent for a creation; after a deletion `after` holds the last state with the new version. */
export interface Change {
  readonly type: EventType;
  readonly kind: ResourceKind;
  readonly version: number;
  readonly before: Revision | undefined;
  readonly after: Revision;
  /** Encoded watch events, made on demand and shared by all watches while the change is being delivered. */
  lines: Partial<Record<EventType, Buffer>> | undefined;
}

/** Persists changes before they take effect; throws if it cannot. */
export interface ChangeLog {
  put(kindId: string, json: string): void;
  remove(kindId: string, key: string, version: number): void;
}

export type ChangeListener = (change: Change) => void;

class Bucket {
  readonly items = new Map<string, Revision>();
  private order: string[] | undefined = [];

  set(revision: Revision): void {
    if (!this.items.has(revision.name)) this.order = undefined;
    this.items.set(revision.name, revision);
  }

  delete(name: string): void {
    this.items.delete(name);
    this.order = undefined;
  }

  sorted(): readonly string[] {
    return (this.order ??= [...this.items.keys()].sort());
  }
}

interface Collection {
  readonly buckets: Map<string, Bucket>;
  readonly listeners: Set<ChangeListener>;
  size: number;
}

export class Database {
  private readonly collections = new Map<string, Collection>();
  private readonly listeners = new Set<ChangeListener>();
  private readonly history: Change[] = [];
  private historyStart = 0;
  private historyBytes = 0;
  private readonly undelivered: Change[] = [];
  private delivering = false;
  private counter = 0;
  private delivered = 0;
  private floor = 0;
  private readonly limits: { events: number; bytes: number };
  private readonly log: ChangeLog | undefined;
  private readonly onListenerError: (error: unknown) => void;

  /** A listener that throws does not keep others from hearing of a change that has happened; it is reported instead. */
  constructor(limits: { events: number; bytes: number }, onListenerError: (error: unknown) => void, log?: ChangeLog) {
    this.limits = limits;
    this.onListenerError = onListenerError;
    this.log = log;
  }

  /** Number of the last write. */
  get version(): number {
    return this.counter;
  }

  /** Number of the last write that all listeners have heard of. */
  get deliveredVersion(): number {
    return this.delivered;
  }

  /** Changes after this version are still known; a watch or a page from before it is too old. */
  get oldestVersion(): number {
    return this.floor;
  }

  get(kind: { readonly id: string }, namespace: string, name: string): Revision | undefined {
    return this.collections.get(kind.id)?.buckets.get(namespace)?.items.get(name);
  }

  count(kind: { readonly id: string }, namespace?: string): number {
    const collection = this.collections.get(kind.id);
    return (namespace === undefined ? collection?.size : collection?.buckets.get(namespace)?.items.size) ?? 0;
  }

  /** Present objects in no particular order. Not to be held across a write. */
  *values(kind: { readonly id: string }, namespace?: string): Generator<Revision, void, undefined> {
    const buckets = this.collections.get(kind.id)?.buckets;
    if (!buckets) return;
    if (namespace !== undefined) yield* buckets.get(namespace)?.items.values() ?? [];
    else for (const bucket of buckets.values()) yield* bucket.items.values();
  }

  /** Present objects sorted by namespace, then name: a copy. */
  sorted(kind: { readonly id: string }, namespace?: string): Revision[] {
    const buckets = this.collections.get(kind.id)?.buckets;
    const result: Revision[] = [];
    if (!buckets) return result;
    const wanted = namespace === undefined ? [...buckets.keys()].sort() : buckets.has(namespace) ? [namespace] : [];
    for (const name of wanted) {
      const bucket = buckets.get(name)!;
      for (const item of bucket.sorted()) result.push(bucket.items.get(item)!);
    }
    return result;
  }

  /** Objects as they were at `version`, sorted; undefined if that is too old to tell. */
  sortedAt(kind: { readonly id: string }, namespace: string | undefined, version: number): Revision[] | undefined {
    if (version >= this.counter) return this.sorted(kind, namespace);
    if (version < this.floor) return undefined;
    const past = new Map<string, Revision>();
    for (const revision of this.values(kind, namespace)) past.set(revision.key, revision);
    for (let i = this.history.length - 1; i >= this.historyStart; i--) {
      const change = this.history[i]!;
      if (change.version <= version) break;
      if (change.kind.id !== kind.id || (namespace !== undefined && change.after.namespace !== namespace)) continue;
      if (change.before) past.set(change.after.key, change.before);
      else past.delete(change.after.key);
    }
    return [...past.values()].sort((a, b) => order(a.namespace, b.namespace) || order(a.name, b.name));
  }

  /** Known changes of the kind after `version`, oldest first. */
  *changesAfter(kind: { readonly id: string }, version: number): Generator<Change, void, undefined> {
    let low = this.historyStart;
    let high = this.history.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.history[middle]!.version > version) high = middle;
      else low = middle + 1;
    }
    for (let i = low; i < this.history.length; i++) {
      if (this.history[i]!.kind.id === kind.id) yield this.history[i]!;
    }
  }

  /** Stores a new or changed object. `object.metadata` must be a private copy: it receives the resourceVersion. */
  put(kind: ResourceKind, object: Stored): Revision {
    const version = this.counter + 1;
    const after = revisionOf(kind, object, version);
    this.log?.put(kind.id, after.json);
    this.counter = version;
    const before = this.store(after);
    this.publish({ type: before ? 'MODIFIED' : 'ADDED', kind, version, before, after, lines: undefined });
    return after;
  }

  /** Removes an object; `last` is its final state, whose metadata must be a private copy. */
  remove(kind: ResourceKind, last: Stored): Revision | undefined {
    const namespace = last.metadata.namespace ?? '';
    const before = this.get(kind, namespace, last.metadata.name);
    if (!before) return undefined;
    const version = this.counter + 1;
    this.log?.remove(kind.id, before.key, version);
    this.counter = version;
    const after = revisionOf(kind, last, version);
    const collection = this.collection(kind.id);
    collection.buckets.get(namespace)!.delete(before.name);
    collection.size--;
    this.publish({ type: 'DELETED', kind, version, before, after, lines: undefined });
    return after;
  }

  /** Puts back what a log holds, without history or delivery. */
  restore(kind: ResourceKind, object: Stored, json: string): void {
    const version = Number(object.metadata.resourceVersion);
    const { namespace = '', name } = object.metadata;
    this.store({ kind, namespace, name, key: keyOf(namespace, name), object, version, json });
  }

  /** Continues counting from `version`; nothing before it is known as history. */
  resumeAt(version: number): void {
    this.counter = version;
    this.delivered = version;
    this.floor = version;
  }

  /** Forgets history, so that every watch that wants to resume is too old. */
  forgetHistory(): void {
    this.history.length = 0;
    this.historyStart = 0;
    this.historyBytes = 0;
    this.floor = this.counter;
  }

  /** Calls `listener` after each change of the kind (of all kinds without one), in order. */
  listen(kind: { readonly group: string; readonly plural: string } | undefined, listener: ChangeListener): () => void {
    const set = kind ? this.collection(kindId(kind)).listeners : this.listeners;
    set.add(listener);
    return () => set.delete(listener);
  }

  /** All objects of all kinds, as they are now. */
  *everything(): Generator<Revision, void, undefined> {
    for (const collection of this.collections.values()) {
      for (const bucket of collection.buckets.values()) yield* bucket.items.values();
    }
  }

  private store(revision: Revision): Revision | undefined {
    const collection = this.collection(revision.kind.id);
    let bucket = collection.buckets.get(revision.namespace);
    if (!bucket) collection.buckets.set(revision.namespace, (bucket = new Bucket()));
    const before = bucket.items.get(revision.name);
    bucket.set(revision);
    if (!before) collection.size++;
    return before;
  }

  private collection(id: string): Collection {
    let found = this.collections.get(id);
    if (!found) this.collections.set(id, (found = { buckets: new Map(), listeners: new Set(), size: 0 }));
    return found;
  }

  private publish(change: Change): void {
    this.history.push(change);
    this.historyBytes += change.after.json.length;
    while (this.history.length - this.historyStart > this.limits.events || this.historyBytes > this.limits.bytes) {
      const dropped = this.history[this.historyStart++]!;
      this.historyBytes -= dropped.after.json.length;
      this.floor = dropped.version;
    }
    if (this.historyStart > 1024 && this.historyStart * 2 > this.history.length) {
      this.history.splice(0, this.historyStart);
      this.historyStart = 0;
    }
    this.undelivered.push(change);
    this.holdDelivery(() => undefined);
  }

  /** Runs `fn`; changes that it makes are delivered when it (and a delivery around it) has ended. */
  holdDelivery(fn: () => void): void {
    if (this.delivering) return fn();
    this.delivering = true;
    try {
      fn();
      for (let next = this.undelivered.shift(); next; next = this.undelivered.shift()) this.deliver(next);
    } finally {
      this.delivering = false;
    }
  }

  private deliver(change: Change): void {
    const tell = (listener: ChangeListener): void => {
      try {
        listener(change);
      } catch (error) {
        this.onListenerError(error);
      }
    };
    this.collection(change.kind.id).listeners.forEach(tell);
    this.listeners.forEach(tell);
    this.delivered = change.version;
    change.lines = undefined; // not worth keeping for the history
  }
}

/** The watch event in one line, encoded once for all watches that hear of the change as it happens. */
export function eventLine(change: Change, type: EventType): Buffer {
  const lines = (change.lines ??= {});
  return (lines[type] ??= encodeLine(change, type));
}

/** The same for a change of the past. */
export function encodeLine(change: Change, type: EventType): Buffer {
  // An object that left a selector is reported as deleted with its last matching state and the new version.
  const json =
    type === 'DELETED' && change.type === 'MODIFIED'
      ? JSON.stringify(withVersion(change.before!.object, change.version))
      : change.after.json;
  return Buffer.from(`{"type":"${type}","object":${json}}\n`);
}

export function withVersion(object: Stored, version: number): Stored {
  return { ...object, metadata: { ...object.metadata, resourceVersion: String(version) } };
}

export function keyOf(namespace: string, name: string): string {
  return namespace === '' ? name : `${namespace}/${name}`;
}

function revisionOf(kind: ResourceKind, object: Stored, version: number): Revision {
  object.metadata.resourceVersion = String(version);
  const { namespace = '', name } = object.metadata;
  return { kind, namespace, name, key: keyOf(namespace, name), object, version, json: JSON.stringify(object) };
}

function order(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
