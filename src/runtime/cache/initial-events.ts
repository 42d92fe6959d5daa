import type { KubeObject, ObjectKey } from '../types.ts';
import { objectKey } from './store.ts';
import type { WatchEvent } from './watch-decoder.ts';

const INITIAL_EVENTS_END = 'k8s.io/initial-events-end';

/** A watch that was to begin with the whole collection did not get that far. */
export class InitialEventsError extends Error {
  override readonly name = 'InitialEventsError';
  /** The server has shown that it does not serve such watches; asking it again is of no use. */
  readonly isHopeless: boolean;

  constructor(message: string, isHopeless: boolean) {
    super(message);
    this.isHopeless = isHopeless;
  }
}

/** The events with which a server tells the whole collection before it goes on to what changes. */
export class InitialEvents {
  /** Of the objects told so far. */
  readonly keys = new Set<ObjectKey>();

  /** Takes in the next event; true if it is the bookmark that ends them. */
  take(event: WatchEvent): boolean {
    if (event.type === 'ERROR') return false;
    if (event.type === 'BOOKMARK') {
      const { annotations, resourceVersion } = event.object.metadata;
      if (annotations?.[INITIAL_EVENTS_END] !== 'true') return false;
      if (!resourceVersion) throw new InitialEventsError('the bookmark that ends the initial events has no resourceVersion', true);
      return true;
    }
    const key = objectKey(event.object as KubeObject);
    if (event.type === 'DELETED') this.keys.delete(key);
    else this.keys.add(key);
    return false;
  }
}
