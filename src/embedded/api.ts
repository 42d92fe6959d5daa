/**
 * The surface of the embedded control plane: what the demonstration, the world simulator and tests program against.
 * `startEmbeddedControlPlane` in control-plane.ts builds it. spec: design 6.
 */
import type { Clock } from '../lib/clock.ts';
import type { AccessRequest, DeleteOptions, KubeObject, ObjectRef, ResourceType, StoreEvent } from '../runtime/types.ts';
import type { Faults } from './faults.ts';

export interface EmbeddedControlPlaneOptions {
  /** Shows up in the kubeconfig, in errors and in logs. */
  readonly name: string;
  /** Loopback port; 0 (the default) takes a free one. */
  readonly port?: number;
  /** Keeps the state across restarts and kills. Without it everything is in memory. */
  readonly dataDir?: string;
  /** Paths of CustomResourceDefinition YAML files, installed (or updated) before the server listens. */
  readonly crds: readonly string[];
  readonly clock: Clock;
  /** One line per noteworthy incident; nothing is logged in ordinary operation. */
  readonly log?: (message: string) => void;
  /** Sources of uids and of generateName suffixes (5 characters); random by default. */
  readonly ids?: { uid(): string; suffix(): string };
  readonly tuning?: Partial<Tuning>;
  /** Refuses requests over HTTP, as RBAC would. Nobody is asked who he is, so the bearer token is all there is to tell callers apart. */
  readonly authorize?: (request: AccessRequest, token: string | undefined) => boolean;
}

export interface Tuning {
  /** Events kept for watches that resume and for pages of old lists. Default 20,000. */
  readonly historyEvents: number;
  /** Their total JSON size in bytes. Default 64 MiB. */
  readonly historyBytes: number;
  /** Unsent bytes after which a slow watch is closed. Default 8 MiB. */
  readonly watchBufferBytes: number;
  /** Time between bookmarks of a watch that asked for them. Default 30 s. */
  readonly bookmarkMs: number;
  /** Log size at which the data directory is compacted (at least; it also has to outgrow the state). Default 16 MiB. */
  readonly compactBytes: number;
}

export interface EmbeddedControlPlane {
  readonly name: string;
  /** `http://127.0.0.1:<port>` */
  readonly url: string;
  readonly port: number;
  readonly store: EmbeddedStore;
  readonly faults: Faults;
  /** Writes a kubeconfig (mode 0600) that kubectl can use with `--kubeconfig`; it looks into the namespace unless told otherwise. */
  writeKubeconfig(path: string, namespace?: string): Promise<void>;
  /** Ends all connections and releases the port and the data directory. */
  close(): Promise<void>;
}

/**
 * In-process access with the same validation, admission, log and watch path as HTTP. Everything is synchronous; failures
 * are StatusErrors (status-error.ts) with the code and reason the HTTP answer would carry. Objects that come out are
 * shared with everybody else and must not be changed.
 */
export interface EmbeddedStore {
  /** The number of the last write. */
  readonly resourceVersion: string;
  get<T extends KubeObject = KubeObject>(type: ResourceType, ref: ObjectRef): T | undefined;
  list<T extends KubeObject = KubeObject>(type: ResourceType, options?: { namespace?: string }): T[];
  create<T extends KubeObject>(type: ResourceType, object: T): T;
  /**
   * Replaces the object by what `fn` makes of a private copy of the present one (change it and return it). NotFound if
   * it does not exist. With subresource status only the status is taken over, otherwise everything but the status.
   */
  mutate<T extends KubeObject = KubeObject>(
    type: ResourceType,
    ref: ObjectRef,
    fn: (draft: T) => T,
    options?: { subresource?: 'status' },
  ): T;
  /** Binds a Pod to a Node, as the binding subresource does. Conflict if it is bound or being deleted. */
  bindPod(ref: ObjectRef, nodeName: string): void;
  /** False if there was nothing to delete. Objects with finalizers, and bound Pods, only get a deletionTimestamp. */
  delete(
    type: ResourceType,
    ref: ObjectRef,
    options?: Pick<DeleteOptions, 'gracePeriodSeconds' | 'propagationPolicy' | 'preconditions'>,
  ): boolean;
  /**
   * Calls `handler` with the present objects as `added` and from then on with every change, in order, before the call
   * that made the change returns. (A change made inside a handler is delivered when that handler has returned.)
   * Returns the function that ends it.
   */
  watch<T extends KubeObject = KubeObject>(type: ResourceType, handler: (event: StoreEvent<T>) => void): () => void;
}
