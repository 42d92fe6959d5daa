import { ApiError } from '../../runtime/client/api-error.ts';
import { IndexedStore, objectKey } from '../../runtime/cache/store.ts';
import type { CallOptions, DeleteOptions, KubeClient, KubeObject, ObjectRef, PatchOptions, ResourceType, StoreEvent } from '../../runtime/types.ts';

export interface Write {
  readonly verb: 'create' | 'update' | 'patch' | 'delete' | 'post';
  readonly kind: string;
  readonly name: string;
  readonly subresource?: string;
  readonly body?: object;
}

type Indexes = Readonly<Record<string, (object: never) => readonly string[]>>;

interface Collection {
  readonly truth: Map<string, KubeObject>;
  readonly cache: IndexedStore<KubeObject>;
  readonly handlers: ((event: StoreEvent<KubeObject>) => void)[];
  readonly lagging: (() => void)[];
}

/**
 * An API server reduced to what reconcilers need, with caches that can be held back: `lag()` keeps writes out of the
 * stores until `catchUp()`, as a slow watch does. Every write is recorded, so that tests can count them.
 */
export class FakeCluster implements KubeClient {
  readonly server = 'fake';
  readonly writes: Write[] = [];
  /** Called before a write takes effect; throw to refuse it. */
  intercept: (write: Write) => void | Promise<void> = () => {};
  private readonly collections = new Map<string, Collection>();
  private lags = false;
  private revision = 0;

  store<T extends KubeObject>(type: ResourceType, indexes: Record<string, (object: T) => readonly string[]> = {}): IndexedStore<T> {
    const collection: Collection = { truth: new Map(), cache: new IndexedStore<KubeObject>(indexes as unknown as Indexes as never), handlers: [], lagging: [] };
    this.collections.set(type.plural, collection);
    return collection.cache as unknown as IndexedStore<T>;
  }

  subscribe<T extends KubeObject>(type: ResourceType, handler: (event: StoreEvent<T>) => void): void {
    this.collection(type).handlers.push(handler as (event: StoreEvent<KubeObject>) => void);
  }

  lag(): void {
    this.lags = true;
  }

  catchUp(): void {
    this.lags = false;
    for (const { lagging } of this.collections.values()) for (const apply of lagging.splice(0)) apply();
  }

  /** Somebody else's write: into truth and cache, not recorded. */
  put<T extends KubeObject>(type: ResourceType, object: T): T {
    return this.apply(type, object) as T;
  }

  remove(type: ResourceType, ref: ObjectRef): void {
    this.drop(type, objectKey({ metadata: ref }));
  }

  now<T extends KubeObject>(type: ResourceType, key: string): T | undefined {
    return this.collection(type).truth.get(key) as T | undefined;
  }

  all<T extends KubeObject>(type: ResourceType): T[] {
    return [...this.collection(type).truth.values()] as T[];
  }

  count(verb: Write['verb'], kind: string, subresource?: string): number {
    return this.writes.filter((w) => w.verb === verb && w.kind === kind && w.subresource === subresource).length;
  }

  get<T extends KubeObject>(type: ResourceType, ref: ObjectRef): Promise<T | undefined> {
    return Promise.resolve(this.now<T>(type, objectKey({ metadata: ref })));
  }

  async *list<T extends KubeObject>(type: ResourceType): AsyncIterable<T> {
    yield* this.all<T>(type);
    await Promise.resolve();
  }

  async create<T extends KubeObject>(type: ResourceType, object: T): Promise<T> {
    await this.record({ verb: 'create', kind: type.kind, name: object.metadata.name, body: object });
    const key = objectKey(object);
    if (this.collection(type).truth.has(key)) throw failure(409, 'AlreadyExists', key);
    const { status: _, ...rest } = object as T & { status?: unknown };
    return this.apply(type, { ...rest, metadata: { ...object.metadata, uid: `uid-${key}-${this.revision + 1}`, generation: 1 } } as unknown as T) as T;
  }

  update<T extends KubeObject>(): Promise<T> {
    return Promise.reject(new Error('not needed'));
  }

  async patch<T extends KubeObject>(type: ResourceType, ref: ObjectRef, body: object, options: PatchOptions = {}): Promise<T> {
    const { subresource } = options;
    await this.record({ verb: 'patch', kind: type.kind, name: ref.name, body, ...(subresource ? { subresource } : {}) });
    const key = objectKey({ metadata: ref });
    const current = this.collection(type).truth.get(key) as (KubeObject & { spec?: unknown; status?: unknown }) | undefined;
    if (!current) throw failure(404, 'NotFound', key);
    const wanted = (body as { metadata?: { resourceVersion?: string } }).metadata?.resourceVersion;
    if (wanted !== undefined && wanted !== current.metadata.resourceVersion) throw failure(409, 'Conflict', key);
    const merged = (Array.isArray(body) ? replaced(current, body) : merge(current, body)) as typeof current;
    const next = subresource === 'status' ? { ...current, status: merged.status } : { ...merged, status: current.status };
    if (JSON.stringify(next) === JSON.stringify(current)) return current as T;
    if (JSON.stringify(next.spec) !== JSON.stringify(current.spec)) next.metadata = { ...next.metadata, generation: (current.metadata.generation ?? 0) + 1 };
    return this.apply(type, next) as unknown as T;
  }

  async delete(type: ResourceType, ref: ObjectRef, options: DeleteOptions = {}): Promise<boolean> {
    await this.record({ verb: 'delete', kind: type.kind, name: ref.name });
    const key = objectKey({ metadata: ref });
    const current = this.collection(type).truth.get(key);
    if (!current) return false;
    if (options.preconditions?.uid && options.preconditions.uid !== current.metadata.uid) throw failure(409, 'Conflict', key);
    this.drop(type, key);
    return true;
  }

  async post(type: ResourceType, ref: ObjectRef, subresource: string, body: object, _options?: CallOptions): Promise<unknown> {
    await this.record({ verb: 'post', kind: type.kind, name: ref.name, subresource, body });
    const key = objectKey({ metadata: ref });
    const current = this.collection(type).truth.get(key);
    if (!current) throw failure(404, 'NotFound', key);
    const wanted = (body as { deleteOptions?: { preconditions?: { uid?: string } } }).deleteOptions?.preconditions?.uid;
    if (wanted !== undefined && wanted !== current.metadata.uid) throw failure(409, 'Conflict', key);
    if (subresource === 'eviction') this.drop(type, key);
    return {};
  }

  private async record(write: Write): Promise<void> {
    await this.intercept(write);
    this.writes.push(write);
  }

  private apply(type: ResourceType, object: KubeObject): KubeObject {
    const collection = this.collection(type);
    const key = objectKey(object);
    const known = collection.truth.get(key);
    const stored = { ...object, metadata: { ...object.metadata, uid: object.metadata.uid ?? known?.metadata.uid ?? `uid-${key}`, resourceVersion: String(++this.revision) } };
    collection.truth.set(key, stored);
    this.deliver(collection, () => {
      const old = collection.cache.get(key);
      collection.cache.set(key, stored);
      const event: StoreEvent<KubeObject> = old ? { type: 'updated', key, object: stored, old } : { type: 'added', key, object: stored };
      for (const handler of collection.handlers) handler(event);
    });
    return stored;
  }

  private drop(type: ResourceType, key: string): void {
    const collection = this.collection(type);
    if (!collection.truth.delete(key)) return;
    this.deliver(collection, () => {
      const old = collection.cache.get(key);
      collection.cache.delete(key);
      if (old) for (const handler of collection.handlers) handler({ type: 'deleted', key, old });
    });
  }

  private deliver(collection: Collection, apply: () => void): void {
    if (this.lags) collection.lagging.push(apply);
    else apply();
  }

  private collection(type: ResourceType): Collection {
    const found = this.collections.get(type.plural);
    if (!found) throw new Error(`declare store(${type.kind}) first`);
    return found;
  }
}

export function failure(status: number, reason: string, message: string): ApiError {
  return new ApiError('fake', status, { reason, message });
}

/** The one JSON patch operation in use: replace of a top-level field. */
function replaced(target: object, operations: readonly { path: string; value: unknown }[]): object {
  return { ...target, ...Object.fromEntries(operations.map(({ path, value }) => [path.slice(1), value])) };
}

function merge(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const result: Record<string, unknown> = typeof target === 'object' && target !== null && !Array.isArray(target) ? { ...target } : {};
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete result[key];
    else result[key] = merge(result[key], value);
  }
  return result;
}
