import { sleep } from '../../lib/clock.ts';
import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { createBackoff } from '../backoff.ts';
import type { BackoffRange } from '../backoff.ts';
import { isApiError, isGone } from '../client/api-error.ts';
import type { KubeObject, ListPage, ListWatchClient, Log, ObjectKey, ResourceType } from '../types.ts';
import { InitialEvents, InitialEventsError } from './initial-events.ts';
import { objectKey } from './store.ts';
import { createTurn } from './turn.ts';
import { createWatchDecoder } from './watch-decoder.ts';
import type { WatchEvent } from './watch-decoder.ts';
import { classifyEnding, retryAfterMs, troubleOf, WatchErrorEvent } from './watch-ending.ts';
import type { Ending } from './watch-ending.ts';
import { startWatchdog } from './watchdog.ts';

const WATCH_MIN_SECONDS = 300;
const WATCH_SPREAD_SECONDS = 300;
const OVERTIME_MS = 5_000;
const SUSPECT_LIMIT = 3;
/** So many watches in a row that did not tell the whole collection, for whatever reason, and it is listed this time. */
const UNTOLD_LIMIT = 2;
const MAX_RETRY_AFTER_MS = 120_000;
/** For the whole collection to arrive in a watch. A server that has no such watches may stream changes for ever. */
const INITIAL_EVENTS_MS = 60_000;

/** Where the reflector puts what it learns. All calls are synchronous and must not throw. */
export interface ReflectorSink<T extends KubeObject> {
  upsert(object: T): void;
  remove(object: T): void;
  /** A list is complete: forget every object whose key is not in it. */
  listed(keys: ReadonlySet<ObjectKey>): void;
}

export interface ReflectorOptions<T extends KubeObject> {
  readonly client: ListWatchClient;
  readonly type: ResourceType;
  readonly selection: { readonly namespace?: string; readonly labelSelector?: string; readonly fieldSelector?: string };
  readonly sink: ReflectorSink<T>;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly backoff: BackoffRange;
  readonly idleMs: number;
  /** resourceVersion of the first list: '' = the latest, '0' = whatever the server has cached. */
  readonly firstList: '' | '0';
  /** Let watches begin with the whole collection; lists page by page where the server does not serve that, or fails to twice in a row. */
  readonly watchList: boolean;
  readonly onList?: () => void;
  readonly onWatchEnd?: (ending: Ending) => void;
}

/** Mirrors one collection into a sink until the signal aborts. No ending of a list or a watch ends it. */
export async function runReflector<T extends KubeObject>(options: ReflectorOptions<T>, signal: AbortSignal): Promise<void> {
  const reflector = new Reflector(options, signal);
  while (!signal.aborted) {
    const pauseMs = await reflector.step();
    await sleep(options.clock, pauseMs, signal).catch(() => {});
  }
}

class Reflector<T extends KubeObject> {
  private readonly options: ReflectorOptions<T>;
  private readonly signal: AbortSignal;
  private readonly backoff;
  private readonly turn;
  /** Where the next watch goes on; undefined = list first. */
  private resourceVersion: string | undefined;
  /** Only the first list may ask for '0': later ones must not go back in time. */
  private listFrom: '' | '0';
  /** False once the server has shown that it does not serve them. */
  private watchList: boolean;
  /** Watches in a row that were to begin with the whole collection and did not get that far. */
  private untold = 0;
  /** What the present watch has told of the whole collection; undefined if it does not begin with that, or has told all. */
  private initialEvents: InitialEvents | undefined;
  private progressed = false;
  private suspects = 0;
  private lastComplaint = '';

  constructor(options: ReflectorOptions<T>, signal: AbortSignal) {
    this.options = options;
    this.signal = signal;
    this.backoff = createBackoff(options.backoff, options.random);
    this.turn = createTurn(options.clock);
    this.listFrom = options.firstList;
    this.watchList = options.watchList;
  }

  /** Lists if need be, then watches until the watch ends. Returns how long to pause before the next step. */
  async step(): Promise<number> {
    const { clock, backoff: range, random, onWatchEnd } = this.options;
    const startedAt = clock.monotonic();
    this.progressed = false;
    this.initialEvents = undefined;
    try {
      if (this.resourceVersion === undefined && (!this.watchList || this.untold >= UNTOLD_LIMIT)) this.resourceVersion = await this.list();
      await this.watch();
      onWatchEnd?.('closed');
      const livedMs = clock.monotonic() - startedAt;
      // A watch that ended in order is taken up at once, unless it was so short that this would be a hot loop.
      if (livedMs >= range.minMs) return random() * Math.min(100, range.minMs);
      return this.progressed ? range.minMs - livedMs : this.backoff.next();
    } catch (error) {
      if (this.signal.aborted) return 0;
      if (this.initialEvents && isRefusal(error)) {
        this.watchList = false;
        this.options.log.debug({ kind: this.options.type.kind, error: error instanceof Error ? error.message : String(error) }, 'the server does not begin a watch with the whole collection: listing it page by page');
        return await this.step();
      }
      if (this.initialEvents) this.untold++;
      const ending = classifyEnding(error);
      onWatchEnd?.(ending);
      this.afterFailure(ending);
      const pauseMs = Math.max(this.backoff.next(), Math.min(retryAfterMs(error), MAX_RETRY_AFTER_MS));
      this.complain(error, ending, pauseMs);
      return pauseMs;
    }
  }

  private afterFailure(ending: Ending): void {
    this.suspects = ending === 'suspect' ? this.suspects + 1 : 0;
    if (ending !== 'expired' && this.suspects < SUSPECT_LIMIT) return;
    this.resourceVersion = undefined;
    this.listFrom = '';
    this.suspects = 0;
  }

  private complain(error: unknown, ending: Ending, pauseMs: number): void {
    const { log, type } = this.options;
    const text = error instanceof Error ? error.message : String(error);
    const fields = { kind: type.kind, ending, pauseMs, error: text };
    const complaint = troubleOf(error);
    if (complaint === this.lastComplaint) log.debug(fields, 'informer still interrupted');
    else if (ending === 'expired') log.debug(fields, 'informer lists anew');
    else log.warn(fields, 'informer interrupted');
    this.lastComplaint = complaint;
  }

  private recovered(): void {
    if (this.lastComplaint) this.options.log.info({ kind: this.options.type.kind }, 'informer goes on');
    this.lastComplaint = '';
  }

  private async list(isRestart = false): Promise<string> {
    const { client, type, selection, sink, onList } = this.options;
    onList?.();
    const keys = new Set<ObjectKey>();
    let resourceVersion = '';
    let continueToken = '';
    do {
      const position = continueToken ? { continueToken } : { resourceVersion: this.listFrom };
      let page: ListPage<T>;
      try {
        page = await client.listPage<T>(type, { ...selection, ...position, signal: this.signal });
      } catch (error) {
        if (isGone(error)) this.listFrom = '';
        // An expired token: start over at once, but only once; then the backoff paces it.
        if (!isGone(error) || !continueToken || isRestart) throw error;
        return await this.list(true);
      }
      // The watch takes over where the list began: what changed between the pages comes again rather than never.
      resourceVersion ||= page.resourceVersion;
      this.turn.restart();
      for (const item of page.items) {
        keys.add(objectKey(item));
        sink.upsert(item);
        if (this.turn.isOver()) await this.turn.yield();
      }
      continueToken = page.continueToken;
    } while (continueToken);
    this.signal.throwIfAborted();
    sink.listed(keys);
    this.untold = 0;
    this.recovered();
    return resourceVersion;
  }

  /** Goes on from the known resourceVersion; without one, the watch is to begin with the whole collection. */
  private async watch(): Promise<void> {
    const { client, type, selection, clock, random, idleMs, onList } = this.options;
    const { resourceVersion } = this;
    this.initialEvents = resourceVersion === undefined ? new InitialEvents() : undefined;
    if (this.initialEvents) onList?.();
    const abort = new AbortController();
    const onAbort = (): void => abort.abort(this.signal.reason);
    this.signal.addEventListener('abort', onAbort, { once: true });
    if (this.signal.aborted) onAbort(); // as the list ended
    const timeoutSeconds = WATCH_MIN_SECONDS + Math.floor(random() * WATCH_SPREAD_SECONDS);
    let silent = false;
    // The far end may be gone without a word: no bookmark for this long means so. A new watch tells for sure.
    const watchdog = startWatchdog(clock, { idleMs, deadlineMs: timeoutSeconds * 1000 + OVERTIME_MS }, () => {
      silent = true;
      abort.abort(new Error('the watch fell silent'));
    });
    let isAnswered = false;
    let late: InitialEventsError | undefined;
    const cancelDeadline = this.initialEvents && clock.after(INITIAL_EVENTS_MS, () => {
      if (!this.initialEvents) return;
      late = new InitialEventsError(`the server did not tell the whole collection within ${INITIAL_EVENTS_MS / 1000} s`, isAnswered);
      abort.abort(late);
    });
    try {
      const position = resourceVersion === undefined ? { resourceVersion: this.listFrom, sendInitialEvents: true } : { resourceVersion };
      const stream = await client.watch(type, { ...selection, ...position, timeoutSeconds, signal: abort.signal });
      isAnswered = true;
      await this.read(stream, () => watchdog.alive());
      if (this.initialEvents && !this.signal.aborted) throw new InitialEventsError('the watch ended before the server had told the whole collection', false);
    } catch (error) {
      if (late) throw late;
      if (!silent) throw error;
      if (this.initialEvents) throw new InitialEventsError('the watch fell silent before the server had told the whole collection', false);
    } finally {
      cancelDeadline?.();
      watchdog.stop();
      this.signal.removeEventListener('abort', onAbort);
      abort.abort();
    }
  }

  private async read(stream: AsyncIterable<Uint8Array>, alive: () => void): Promise<void> {
    const decoder = createWatchDecoder();
    for await (const chunk of stream) {
      alive();
      this.turn.restart();
      for (const event of decoder.feed(chunk)) {
        if (this.signal.aborted) return;
        this.handle(event);
        if (this.turn.isOver()) await this.turn.yield();
      }
    }
    decoder.end();
  }

  private handle(event: WatchEvent): void {
    if (event.type === 'ERROR') throw new WatchErrorEvent(event.object);
    const { sink } = this.options;
    if (event.type === 'DELETED') sink.remove(event.object as T);
    else if (event.type !== 'BOOKMARK') sink.upsert(event.object as T);
    if (this.initialEvents) {
      // Until all is told, a resourceVersion among it is no place to go on from.
      if (!this.initialEvents.take(event)) return;
      sink.listed(this.initialEvents.keys);
      this.initialEvents = undefined;
      this.untold = 0;
    }
    this.resourceVersion = event.object.metadata.resourceVersion ?? this.resourceVersion;
    if (this.progressed) return;
    this.progressed = true;
    this.recovered();
    this.suspects = 0;
    this.backoff.reset();
  }
}

/** The answer of a server that does not know such watches, or has them switched off. */
function isRefusal(error: unknown): boolean {
  if (error instanceof InitialEventsError) return error.isHopeless;
  return isApiError(error) && (error.status === 400 || error.status === 415 || error.status === 422);
}
