/**
 * The vocabulary of the controller runtime. Objects are raw JSON as the API server sent them: unknown fields survive,
 * timestamps stay strings, resourceVersions are opaque.
 */
export interface ResourceType {
  readonly group: string; // '' for the core group
  readonly version: string;
  readonly plural: string;
  readonly kind: string;
  readonly namespaced: boolean;
}

export interface OwnerReference {
  apiVersion: string;
  kind: string;
  name: string;
  uid: string;
  controller?: boolean;
  blockOwnerDeletion?: boolean;
}

export interface ObjectMeta {
  name: string;
  namespace?: string;
  generateName?: string;
  uid?: string;
  resourceVersion?: string;
  generation?: number;
  creationTimestamp?: string;
  deletionTimestamp?: string;
  deletionGracePeriodSeconds?: number;
  labels?: Record<string, string>;
  annotations?: Record<string, string>;
  ownerReferences?: OwnerReference[];
  finalizers?: string[];
}

export interface KubeObject {
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
}

export interface ObjectRef {
  readonly namespace?: string;
  readonly name: string;
}

/** `namespace/name`, or `name` for cluster-scoped objects: the key of stores and work queues. */
export type ObjectKey = string;

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Bounds the whole call, retries included; waiting for the client's own rate limit is not counted. */
  readonly timeoutMs?: number;
  /** Skips the client's own rate limit. For Lease renewals, which must not queue behind ordinary traffic. */
  readonly unthrottled?: boolean;
  /** How often to try in all; 1 turns retries off. Default 5. */
  readonly maxAttempts?: number;
}

export interface WriteOptions extends CallOptions {
  /** The server checks the write and answers as if it were done, and does not do it. */
  readonly dryRun?: boolean;
}

export interface ListOptions extends CallOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly pageSize?: number; // default 500
}

export type PatchKind = 'merge' | 'apply' | 'json';

export interface PatchOptions extends WriteOptions {
  readonly kind?: PatchKind; // default 'merge'
  readonly subresource?: 'status';
  readonly fieldManager?: string;
  readonly force?: boolean;
}

export interface DeleteOptions extends WriteOptions {
  readonly gracePeriodSeconds?: number;
  readonly propagationPolicy?: 'Foreground' | 'Background' | 'Orphan';
  readonly preconditions?: { uid?: string; resourceVersion?: string };
}

/**
 * Every failure that the API server answered is an ApiError (see client/api-error.ts); failures of the transport are
 * TransportError. Reads of an absent object resolve to undefined; deleting an absent object resolves to false.
 */
export interface KubeClient {
  readonly server: string;
  get<T extends KubeObject>(type: ResourceType, ref: ObjectRef, options?: CallOptions): Promise<T | undefined>;
  /** Pages through the collection; restarts from the beginning if a continue token expires (items may then repeat). */
  list<T extends KubeObject>(type: ResourceType, options?: ListOptions): AsyncIterable<T>;
  create<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions): Promise<T>;
  /** Full replacement; fails with reason Conflict when metadata.resourceVersion is set and stale. */
  update<T extends KubeObject>(type: ResourceType, object: T, options?: WriteOptions & { subresource?: 'status' }): Promise<T>;
  patch<T extends KubeObject>(type: ResourceType, ref: ObjectRef, body: object, options?: PatchOptions): Promise<T>;
  delete(type: ResourceType, ref: ObjectRef, options?: DeleteOptions): Promise<boolean>;
  /** POST to a named subresource such as `eviction` or `binding`. */
  post(type: ResourceType, ref: ObjectRef, subresource: string, body: object, options?: WriteOptions): Promise<unknown>;
}

export interface ListPageOptions extends ListOptions {
  /** '0' = any state the server has cached, '' = the most recent. Ignored with a continue token. */
  readonly resourceVersion?: string;
  readonly continueToken?: string;
}

export interface ListPage<T> {
  readonly items: readonly T[];
  /** The collection's resourceVersion: where a watch takes over from this list. */
  readonly resourceVersion: string;
  readonly continueToken: string;
}

export interface WatchOptions {
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  readonly resourceVersion: string;
  /** Begin with the whole collection, at least as new as the resourceVersion ('' = the most recent), then a marked bookmark. */
  readonly sendInitialEvents?: boolean;
  readonly timeoutSeconds: number;
  /** Aborting closes the stream, also while it is being read. */
  readonly signal: AbortSignal;
}

/** What an informer needs of a client. `watch` resolves when the server has answered 200; chunks split anywhere. */
export interface ListWatchClient {
  listPage<T extends KubeObject>(type: ResourceType, options?: ListPageOptions): Promise<ListPage<T>>;
  watch(type: ResourceType, options: WatchOptions): Promise<AsyncIterable<Uint8Array>>;
}

/** Structured logging, fields first; a pino logger fits as it is. */
export interface Log {
  debug(fields: object, message: string): void;
  info(fields: object, message: string): void;
  warn(fields: object, message: string): void;
  error(fields: object, message: string): void;
}

export const silentLog: Log = Object.freeze({ debug() {}, info() {}, warn() {}, error() {} });

export type StoreEvent<T> =
  /** `initial` marks what the first list brought: enqueue it in the low lane so that news overtakes a start-up. */
  | { readonly type: 'added'; readonly key: ObjectKey; readonly object: T; readonly initial?: true }
  | { readonly type: 'updated'; readonly key: ObjectKey; readonly object: T; readonly old: T }
  | { readonly type: 'deleted'; readonly key: ObjectKey; readonly old: T };

/** Read side of an informer: the last known objects, by key and by declared index. Objects must not be mutated. */
export interface Store<T> {
  readonly size: number;
  get(key: ObjectKey): T | undefined;
  values(): Iterable<T>;
  keys(): Iterable<ObjectKey>;
  byIndex(index: string, value: string): readonly T[];
}

export interface InformerOptions<T extends KubeObject> {
  readonly type: ResourceType;
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
  /** Reduces an object on ingest; runs once per received revision. Must keep metadata.{name,namespace,uid,resourceVersion}. */
  readonly project?: (object: T) => T;
  /**
   * 'latest' (default) reads page by page. 'cached' spares etcd on old API servers, but they then ignore the page size and
   * answer everything at once: for small collections only.
   */
  readonly firstList?: 'latest' | 'cached';
  /**
   * Whether a watch that starts anew begins with the whole collection, which spares the server and us the pages of a list
   * (default true). A server that refuses, or does not tell it within a minute, is asked for lists from then on.
   */
  readonly watchList?: boolean;
  readonly indexes?: Readonly<Record<string, (object: T) => readonly string[]>>;
}

export interface Informer<T extends KubeObject> {
  readonly store: Store<T>;
  readonly hasSynced: boolean;
  /** Resolves after the initial list has been delivered to all handlers. */
  waitForSync(signal?: AbortSignal): Promise<void>;
  /**
   * Handlers run synchronously, in order, and should only enqueue keys; a throw is logged and counted, never fatal.
   * A handler that comes late is told of every object already known, as 'added', before subscribe returns.
   */
  subscribe(handler: (event: StoreEvent<T>) => void): () => void;
  /** Lists and watches until `signal` aborts; survives every ending of a watch. Resolves after the abort. */
  run(signal: AbortSignal): Promise<void>;
}

export interface ReconcileContext {
  readonly signal: AbortSignal;
  readonly reconcileId: string;
}

/** `done`, or look again after a delay; an error thrown means: retry with backoff. */
export type Result = { readonly requeueAfterMs?: number };

export const done: Result = Object.freeze({});
export function after(ms: number): Result {
  return { requeueAfterMs: ms };
}

/** Level-based: gets the name of a thing, never an event. One key is never reconciled twice at the same time. */
export interface Reconciler {
  readonly name: string;
  reconcile(key: string, ctx: ReconcileContext): Promise<Result>;
}

/** Something with a life: the manager starts runnables in order and stops them in reverse. */
export interface Runnable {
  readonly name: string;
  /** Resolves when stopped by the signal; a rejection stops the manager with that error. */
  run(signal: AbortSignal): Promise<void>;
}

/** What a request to an API server would do, as its authorizer is asked. Empty: the core group, the object itself, all namespaces or none, no single object. */
export interface AccessRequest {
  readonly verb: string;
  readonly group: string;
  readonly plural: string;
  readonly subresource: string;
  readonly namespace: string;
  readonly name: string;
}
