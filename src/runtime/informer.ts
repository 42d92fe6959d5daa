import type { Clock } from '../lib/clock.ts';
import type { Random } from '../lib/random.ts';
import type { Informer, InformerOptions, KubeObject, ListWatchClient, Log } from './types.ts';

export interface InformerMetrics {
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
  readonly backoff?: { readonly minMs: number; readonly maxMs: number };
  /** A watch that brings no byte for this long is dead and opened anew. Default 90 s: API servers send bookmarks each minute. */
  readonly idleMs?: number;
}

export function createInformer<T extends KubeObject>(_options: InformerDeps & InformerOptions<T>): Informer<T> {
  throw new Error('not implemented yet');
}
