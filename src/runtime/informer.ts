import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import { abortable } from './abortable.ts';
import type { BackoffRange } from './backoff.ts';
import { runReflector } from './cache/reflector.ts';
import type { ReflectorSink } from './cache/reflector.ts';
import { IndexedStore, objectKey } from './cache/store.ts';
import type { Informer, InformerOptions, KubeObject, ListWatchClient, Log, ObjectKey, StoreEvent } from './types.ts';

const BACKOFF: BackoffRange = { minMs: 1_000, maxMs: 30_000 };
const IDLE_MS = 90_000;

export interface InformerMetrics {
  /** A handler, projection or index function threw. */
  handlerError(kind: string): void;
  list(kind: string): void;
  watchEnded(kind: string, ending: string): void;
}

export interface InformerDeps {
  readonly client: ListWatchClient;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly metrics?: InformerMetrics;
  /** Pause between failing lists or watches. Default 1 s to 30 s; demos may be quicker. */
  readonly backoff?: BackoffRange;
  /** A watch that brings no byte for this long is dead and opened anew. Default 90 s: API servers send bookmarks each minute. */
  readonly idleMs?: number;
}

type Handler<T> = (event: StoreEvent<T>) => void;

/** An indexed mirror of one collection that tells its subscribers what changed. */
export function createInformer<T extends KubeObject>(options: InformerDeps & InformerOptions<T>): Informer<T> {
  const { client, clock, random, log, metrics, type, namespace, labelSelector, fieldSelector, project } = options;
  const store = new IndexedStore<T>(options.indexes);
  const handlers = new Set<Handler<T>>();
  const synced = Promise.withResolvers<void>();
  let hasSynced = false;
  let isRunning = false;

  const complain = (error: unknown, key: ObjectKey, what: string): void => {
    metrics?.handlerError(type.kind);
    log.error({ kind: type.kind, key, err: error }, `${what} threw; fix it, the informer goes on`);
  };
  const tell = (handler: Handler<T>, event: StoreEvent<T>): void => {
    try {
      handler(event);
    } catch (error) {
      complain(error, event.key, 'an informer handler');
    }
  };
  const emit = (event: StoreEvent<T>): void => {
    for (const handler of handlers) tell(handler, event);
  };
  const added = (key: ObjectKey, object: T): StoreEvent<T> =>
    hasSynced ? { type: 'added', key, object } : { type: 'added', key, object, initial: true };
  const drop = (key: ObjectKey, old: T): void => {
    store.delete(key);
    emit({ type: 'deleted', key, old });
  };

  const sink: ReflectorSink<T> = {
    upsert(received) {
      const key = objectKey(received);
      const old = store.get(key);
      const isSame = old !== undefined && old.metadata.uid === received.metadata.uid;
      const revision = received.metadata.resourceVersion;
      if (isSame && revision !== undefined && old.metadata.resourceVersion === revision) return;
      let object: T;
      try {
        object = project ? project(received) : received;
        // Another uid under a known name: the old object died while nobody watched.
        if (old !== undefined && !isSame) drop(key, old);
        store.set(key, object);
      } catch (error) {
        return complain(error, key, 'a projection or index function');
      }
      emit(isSame ? { type: 'updated', key, object, old } : added(key, object));
    },
    remove(received) {
      const key = objectKey(received);
      const old = store.get(key);
      if (old !== undefined) drop(key, old);
    },
    listed(keys) {
      const gone = [...store.keys()].filter((key) => !keys.has(key));
      for (const key of gone) drop(key, store.get(key)!);
      hasSynced = true;
      synced.resolve();
    },
  };

  return {
    store,
    get hasSynced() {
      return hasSynced;
    },
    async waitForSync(signal) {
      await abortable(synced.promise, signal);
    },
    subscribe(handler) {
      // A wrapper of its own: the same function may subscribe twice and leave once.
      const own: Handler<T> = (event) => handler(event);
      for (const key of [...store.keys()]) tell(own, added(key, store.get(key)!));
      handlers.add(own);
      return () => handlers.delete(own);
    },
    async run(signal) {
      if (isRunning) throw new Error(`the ${type.kind} informer runs already`);
      isRunning = true;
      await runReflector(
        {
          client,
          type,
          selection: { ...(namespace && { namespace }), ...(labelSelector && { labelSelector }), ...(fieldSelector && { fieldSelector }) },
          sink,
          clock,
          random,
          log,
          backoff: options.backoff ?? BACKOFF,
          idleMs: options.idleMs ?? IDLE_MS,
          watchList: options.watchList ?? true,
          firstList: options.firstList === 'cached' ? '0' : '',
          onList: () => metrics?.list(type.kind),
          onWatchEnd: (ending) => metrics?.watchEnded(type.kind, ending),
        },
        signal,
      );
    },
  };
}
