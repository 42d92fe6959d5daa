import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { createTokenBucket } from '../token-bucket.ts';
import { silentLog } from '../types.ts';
import type {
  CallOptions,
  DeleteOptions,
  KubeClient,
  KubeObject,
  ListOptions,
  ListPage,
  ListPageOptions,
  ListWatchClient,
  Log,
  ObjectRef,
  PatchKind,
  PatchOptions,
  ResourceType,
  WriteOptions,
} from '../types.ts';
import { isGone, isNotFound } from './api-error.ts';
import { createCaller } from './caller.ts';
import type { ClusterConfig } from './kubeconfig.ts';
import { apiVersionOf, collectionPath, creationPath, objectPath, queryString } from './resource-path.ts';
import { createTransport } from './transport.ts';
import type { Transport } from './transport.ts';

const PAGE_SIZE = 500;
const LIST_TIMEOUT_MS = 60_000;
const MAX_LIST_RESTARTS = 5;
const JSON_TYPE = 'application/json';
const PATCH_TYPE: Readonly<Record<PatchKind, string>> = {
  merge: 'application/merge-patch+json',
  apply: 'application/apply-patch+yaml', // JSON is YAML
  json: 'application/json-patch+json',
};

export interface KubeClientOptions {
  readonly config: ClusterConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly qps?: number; // default 50
  readonly burst?: number; // default 100
  readonly fieldManager: string;
  readonly userAgent: string;
  readonly log?: Log;
  /** Called once per HTTP answer or transport failure (code 0). */
  readonly onRequest?: (method: string, code: number) => void;
  /** Instead of connections to the server. */
  readonly transport?: Transport;
}

export interface KubeClientHandle extends KubeClient, ListWatchClient {
  /** Closes all connections; calls in flight fail. */
  close(): Promise<void>;
}

interface ListBody<T> {
  items?: T[] | null;
  metadata?: { resourceVersion?: string; continue?: string };
}

/**
 * A Kubernetes client over pooled keep-alive connections: raw JSON in and out, one shared rate limit, retries only
 * where repeating is harmless. Opening a watch is neither limited nor repeated here: its reflector paces it.
 */
export function createKubeClient(options: KubeClientOptions): KubeClientHandle {
  const { config, clock, random, fieldManager, userAgent, onRequest, log = silentLog } = options;
  const transport = options.transport ?? createTransport({ config, clock, userAgent, onRequest });
  const bucket = createTokenBucket({ clock, perSecond: options.qps ?? 50, burst: options.burst ?? 100 });
  const call = createCaller({ transport, bucket, clock, random, log });
  const dry = (dryRun: boolean | undefined): { dryRun?: string } => (dryRun ? { dryRun: 'All' } : {});

  const client: KubeClientHandle = {
    server: config.server,

    async get<T extends KubeObject>(type: ResourceType, ref: ObjectRef, opts?: CallOptions) {
      try {
        return (await call({ ...opts, method: 'GET', path: objectPath(type, ref) })) as T;
      } catch (error) {
        if (isNotFound(error)) return undefined;
        throw error;
      }
    },

    async listPage<T extends KubeObject>(type: ResourceType, opts: ListPageOptions = {}): Promise<ListPage<T>> {
      const { namespace, labelSelector, fieldSelector, pageSize = PAGE_SIZE, resourceVersion, continueToken, ...callOptions } = opts;
      const position = continueToken ? { continue: continueToken } : { resourceVersion };
      const path = collectionPath(type, namespace) + queryString({ limit: pageSize, labelSelector, fieldSelector, ...position });
      const body = (await call({ timeoutMs: LIST_TIMEOUT_MS, ...callOptions, method: 'GET', path })) as ListBody<T>;
      return {
        items: body.items ?? [],
        resourceVersion: body.metadata?.resourceVersion ?? '',
        continueToken: body.metadata?.continue ?? '',
      };
    },

    list: <T extends KubeObject>(type: ResourceType, opts: ListOptions = {}) => listAll<T>(client, type, opts),

    async create<T extends KubeObject>(type: ResourceType, object: T, { dryRun, ...callOptions }: WriteOptions = {}) {
      const path = creationPath(type, object.metadata.namespace) + queryString({ fieldManager, ...dry(dryRun) });
      return (await call({ ...callOptions, method: 'POST', path, body: encode(type, object), contentType: JSON_TYPE })) as T;
    },

    async update<T extends KubeObject>(type: ResourceType, object: T, opts: WriteOptions & { subresource?: 'status' } = {}) {
      const { subresource, dryRun, ...callOptions } = opts;
      const path = objectPath(type, object.metadata, subresource) + queryString({ fieldManager, ...dry(dryRun) });
      return (await call({ ...callOptions, method: 'PUT', path, body: encode(type, object), contentType: JSON_TYPE })) as T;
    },

    async patch<T extends KubeObject>(type: ResourceType, ref: ObjectRef, body: object, opts: PatchOptions = {}) {
      const { kind = 'merge', subresource, fieldManager: manager = fieldManager, force, dryRun, ...callOptions } = opts;
      const path = objectPath(type, ref, subresource) + queryString({ fieldManager: manager, force: kind === 'apply' ? force : undefined, ...dry(dryRun) });
      const content = kind === 'apply' ? encode(type, body as KubeObject) : JSON.stringify(body);
      return (await call({ ...callOptions, method: 'PATCH', path, body: content, contentType: PATCH_TYPE[kind] })) as T;
    },

    async delete(type, ref, opts: DeleteOptions = {}) {
      const { gracePeriodSeconds, propagationPolicy, preconditions, dryRun, ...callOptions } = opts;
      const body = JSON.stringify({ kind: 'DeleteOptions', apiVersion: 'v1', gracePeriodSeconds, propagationPolicy, preconditions });
      try {
        await call({ ...callOptions, method: 'DELETE', path: objectPath(type, ref) + queryString(dry(dryRun)), body, contentType: JSON_TYPE });
        return true;
      } catch (error) {
        if (isNotFound(error)) return false;
        throw error;
      }
    },

    post: (type, ref, subresource, body, { dryRun, ...callOptions }: WriteOptions = {}) =>
      call({ ...callOptions, method: 'POST', path: objectPath(type, ref, subresource) + queryString(dry(dryRun)), body: JSON.stringify(body), contentType: JSON_TYPE }),

    watch(type, { namespace, labelSelector, fieldSelector, resourceVersion, sendInitialEvents, timeoutSeconds, signal }) {
      const initial = sendInitialEvents ? { sendInitialEvents, resourceVersionMatch: 'NotOlderThan' } : {};
      const query = queryString({ watch: true, allowWatchBookmarks: true, resourceVersion, ...initial, timeoutSeconds, labelSelector, fieldSelector });
      return transport.stream(collectionPath(type, namespace) + query, signal);
    },

    close: () => transport.close(),
  };
  return client;
}

/** All pages. An expired continue token starts the list over, so items may repeat; endless expiry ends in the error. */
async function* listAll<T extends KubeObject>(client: ListWatchClient, type: ResourceType, options: ListOptions): AsyncGenerator<T> {
  let continueToken = '';
  let restarts = 0;
  for (;;) {
    let page: ListPage<T>;
    try {
      page = await client.listPage<T>(type, { ...options, continueToken });
    } catch (error) {
      if (!isGone(error) || continueToken === '' || ++restarts > MAX_LIST_RESTARTS) throw error;
      continueToken = '';
      continue;
    }
    yield* page.items;
    continueToken = page.continueToken;
    if (continueToken === '') return;
  }
}

function encode(type: ResourceType, object: KubeObject): string {
  return JSON.stringify({ apiVersion: apiVersionOf(type), kind: type.kind, ...object });
}
