import type { Machine } from '../../api/types.ts';
import { ApiError, TransportError } from '../../runtime/client/api-error.ts';
import type { CallOptions, KubeClient, KubeObject, ObjectRef, PatchOptions, ResourceType, Store, StoreEvent } from '../../runtime/types.ts';

type Json = Record<string, unknown>;

/** RFC 7386. */
function merge(target: unknown, patch: unknown): unknown {
  if (patch === null || typeof patch !== 'object' || Array.isArray(patch)) return patch;
  const merged: Json = { ...(target !== null && typeof target === 'object' && !Array.isArray(target) ? (target as Json) : {}) };
  for (const [key, value] of Object.entries(patch)) {
    if (value === null) delete merged[key];
    else merged[key] = merge(merged[key], value);
  }
  return merged;
}

/**
 * An API server for Machine objects, in memory: status subresource, finalizers, resource versions. What it holds reaches
 * `store`, the informer's view, only when the test says `deliver`. Requests can be made to fail, hang or vanish.
 */
export class FakeKube implements KubeClient {
  readonly server = 'http://test';
  readonly objects = new Map<string, Machine>();
  readonly requests: string[] = [];
  /** While set, nothing is answered. */
  away = false;
  private readonly cached = new Map<string, Machine>();
  private readonly events: StoreEvent<Machine>[] = [];
  private readonly failures: (Error | (() => Promise<void>))[] = [];
  private version = 0;
  private uids = 0;

  readonly store: Store<Machine> = (() => {
    const { cached } = this;
    return {
      get size() {
        return cached.size;
      },
      get: (key: string) => cached.get(key),
      values: () => cached.values(),
      keys: () => cached.keys(),
      byIndex: () => [],
    };
  })();

  /** The next request fails so, or waits for the promise first. */
  fails(error: Error | (() => Promise<void>)): void {
    this.failures.push(error);
  }

  /** Requests since the last call of this. */
  taken(): string[] {
    return this.requests.splice(0);
  }

  /** Brings the informer up to date, or forward by `count` changes; the handler hears of every one. */
  deliver(handler: (event: StoreEvent<Machine>) => void, count = Infinity): void {
    for (const event of this.events.splice(0, count)) {
      if (event.type === 'deleted') this.cached.delete(event.key);
      else this.cached.set(event.key, event.object);
      handler(event);
    }
  }

  /** What a person does with kubectl: not counted among the requests. */
  edit(name: string, patch: object): void {
    this.put({ ...(merge(this.objects.get(name), patch) as Machine) });
  }

  remove(name: string): boolean {
    const object = this.objects.get(name);
    if (!object) return false;
    if (object.metadata.finalizers?.length) {
      if (!object.metadata.deletionTimestamp) this.put({ ...object, metadata: { ...object.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
      return true;
    }
    this.objects.delete(name);
    this.events.push({ type: 'deleted', key: `${object.metadata.namespace}/${name}`, old: object });
    return true;
  }

  async get<T extends KubeObject>(_type: ResourceType, ref: ObjectRef, options?: CallOptions): Promise<T | undefined> {
    await this.request(`get ${ref.name}`, options);
    return this.objects.get(ref.name) as T | undefined;
  }

  async create<T extends KubeObject>(_type: ResourceType, object: T, options?: CallOptions): Promise<T> {
    const { name } = object.metadata;
    await this.request(`create ${name}`, options);
    if (this.objects.has(name)) throw new ApiError('create', 409, { reason: 'AlreadyExists', message: name });
    const { status: _status, ...rest } = object as unknown as Machine; // as a status subresource does
    return this.put({ ...(rest as Machine), metadata: { ...rest.metadata, uid: `uid-${++this.uids}` } }) as unknown as T;
  }

  async patch<T extends KubeObject>(_type: ResourceType, ref: ObjectRef, body: object, options?: PatchOptions): Promise<T> {
    await this.request(`patch ${ref.name}${options?.subresource ? `/${options.subresource}` : ''}`, options);
    const object = this.objects.get(ref.name);
    if (!object) throw new ApiError('patch', 404, { reason: 'NotFound', message: ref.name });
    const patched = merge(object, body) as Machine;
    const result = options?.subresource === 'status'
      ? { ...object, ...(patched.status && { status: patched.status }) }
      : { ...patched, ...(object.status && { status: object.status }) };
    if (JSON.stringify(result) === JSON.stringify(object)) return object as unknown as T;
    if (result.metadata.deletionTimestamp && !result.metadata.finalizers?.length) {
      this.objects.delete(ref.name);
      this.events.push({ type: 'deleted', key: `${ref.namespace}/${ref.name}`, old: object });
      return result as unknown as T;
    }
    return this.put(result) as unknown as T;
  }

  async delete(_type: ResourceType, ref: ObjectRef, options?: CallOptions): Promise<boolean> {
    await this.request(`delete ${ref.name}`, options);
    return this.remove(ref.name);
  }

  // eslint-disable-next-line require-yield
  async *list<T extends KubeObject>(): AsyncIterable<T> {
    await Promise.reject(new Error('the writer never lists'));
  }

  update<T extends KubeObject>(): Promise<T> {
    return Promise.reject(new Error('the writer never replaces'));
  }

  post(): Promise<unknown> {
    return Promise.reject(new Error('machines have no such subresource'));
  }

  private async request(text: string, options: CallOptions | undefined): Promise<void> {
    this.requests.push(text);
    const failure = this.failures.shift();
    if (failure instanceof Error) throw failure;
    await failure?.();
    options?.signal?.throwIfAborted();
    if (this.away) throw new TransportError(text, 'ECONNREFUSED', 'connection refused', { sent: false });
  }

  private put(object: Machine): Machine {
    const { name, namespace } = object.metadata;
    const stored = { ...object, metadata: { ...object.metadata, resourceVersion: String(++this.version) } };
    const old = this.objects.get(name);
    this.objects.set(name, stored);
    const key = `${namespace}/${name}`;
    this.events.push(old ? { type: 'updated', key, object: stored, old } : { type: 'added', key, object: stored });
    return stored;
  }
}
