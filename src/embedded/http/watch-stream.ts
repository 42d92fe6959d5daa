/**
 * One watch over HTTP. Events of one turn of the event loop leave in one write; a reader that is too slow is cut off and
 * may come back with the last version it has seen.
 */
import type { ServerResponse } from 'node:http';
import type { Clock } from '../../lib/clock.ts';
import type { Change, Database, EventType, Revision } from '../database.ts';
import { encodeLine, eventLine, withVersion } from '../database.ts';
import type { OpenStream } from '../fault-injector.ts';
import type { ResourceKind } from '../resource-kind.ts';
import type { StatusError } from '../status-error.ts';
import type { Filter } from './filter.ts';
import { metadataOf, tableOf } from './representation.ts';
import type { Form, IncludeObject } from './representation.ts';

export interface WatchOptions {
  readonly kind: ResourceKind;
  readonly filter: Filter;
  readonly form: Form;
  readonly include: IncludeObject;
  /** Events after this version; undefined starts with the present objects. */
  readonly since: number | undefined;
  /** Ends the initial events with a marked bookmark. */
  readonly initialEventsEnd: boolean;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
  readonly bookmarkMs: number;
  readonly bufferBytes: number;
}

export interface WatchHost {
  readonly database: Database;
  readonly clock: Clock;
  readonly streams: Set<OpenStream>;
  /** Runs the task once, after the present turn. */
  flushSoon(stream: WatchStream): void;
  isFrozen(response: ServerResponse): boolean;
  log(message: string): void;
}

export class WatchStream implements OpenStream {
  readonly plural: string;
  private readonly response: ServerResponse;
  private readonly options: WatchOptions;
  private readonly host: WatchHost;
  private readonly cleanups: (() => void)[] = [];
  private pending: Buffer[] = [];
  private pendingBytes = 0;
  private sent = 0;
  private headerSent = false;
  private closed = false;
  /** Unsent bytes that end the stream; the backlog it started with does not count. */
  private limit = Infinity;

  constructor(host: WatchHost, response: ServerResponse, options: WatchOptions) {
    this.host = host;
    this.response = response;
    this.options = options;
    this.plural = options.kind.type.plural;
  }

  start(): void {
    const { kind, since, bookmarks, timeoutMs } = this.options;
    const { database, clock, streams } = this.host;
    this.response.writeHead(200, { 'content-type': 'application/json' });
    this.response.flushHeaders();
    if (since === undefined) {
      for (const revision of database.sorted(kind, this.options.filter.namespace)) {
        if (this.options.filter.matches(revision)) this.pushRevision(revision);
      }
      this.sent = database.version;
      if (this.options.initialEventsEnd) this.bookmark({ annotations: { 'k8s.io/initial-events-end': 'true' } });
    } else {
      this.sent = since;
      for (const change of database.changesAfter(kind, since)) this.deliver(change, encodeLine);
    }
    this.limit = this.options.bufferBytes + this.pendingBytes;
    this.cleanups.push(database.listen(kind.type, (change) => this.deliver(change, eventLine)));
    streams.add(this);
    this.cleanups.push(() => streams.delete(this));
    this.cleanups.push(clock.after(timeoutMs, () => this.end()));
    if (bookmarks) this.scheduleBookmark();
    this.response.once('close', () => this.cleanUp());
  }

  /** Ends the stream in order, with a last bookmark if the client wants them. */
  end(): void {
    if (this.closed) return;
    if (this.options.bookmarks) this.bookmark({});
    this.cleanUp();
    if (this.host.isFrozen(this.response)) return;
    this.flush();
    this.response.end();
  }

  flush(): void {
    if (this.pending.length === 0 || this.host.isFrozen(this.response) || this.response.destroyed) return;
    const bytes = this.pending.length === 1 ? this.pending[0]! : Buffer.concat(this.pending, this.pendingBytes);
    this.pending = [];
    this.pendingBytes = 0;
    this.response.write(bytes);
  }

  private deliver(change: Change, encode: (change: Change, type: EventType) => Buffer): void {
    if (change.version <= this.sent) return;
    const { filter } = this.options;
    const is = change.type !== 'DELETED' && filter.matches(change.after);
    const was = change.before !== undefined && filter.matches(change.before);
    this.sent = change.version;
    if (!is && !was) return;
    const type: EventType = is ? (was ? 'MODIFIED' : 'ADDED') : 'DELETED';
    if (this.options.form === 'object') this.push(encode(change, type));
    else {
      const left = type === 'DELETED' && change.type === 'MODIFIED';
      this.pushObject(type, left ? withVersion(change.before!.object, change.version) : change.after.object);
    }
  }

  private pushRevision(revision: Revision): void {
    if (this.options.form === 'object') this.push(Buffer.from(`{"type":"ADDED","object":${revision.json}}\n`));
    else this.pushObject('ADDED', revision.object);
  }

  private pushObject(type: EventType, object: Revision['object']): void {
    const { kind, form, include } = this.options;
    const version = { resourceVersion: object.metadata.resourceVersion };
    const shown = form === 'metadata' ? metadataOf(object) : tableOf(kind, [object], this.host.clock.now(), include, version, !this.headerSent);
    this.headerSent = true;
    this.push(Buffer.from(`${JSON.stringify({ type, object: shown })}\n`));
  }

  private bookmark(extra: object): void {
    const { kind, form } = this.options;
    const metadata = { resourceVersion: String(this.host.database.deliveredVersion), creationTimestamp: null, ...extra };
    const object =
      form === 'table'
        ? { kind: 'Table', apiVersion: 'meta.k8s.io/v1', metadata, columnDefinitions: [], rows: [] }
        : { kind: form === 'metadata' ? 'PartialObjectMetadata' : kind.type.kind, apiVersion: form === 'metadata' ? 'meta.k8s.io/v1' : kind.apiVersion, metadata };
    this.push(Buffer.from(`${JSON.stringify({ type: 'BOOKMARK', object })}\n`));
  }

  private scheduleBookmark(): void {
    let cancel = (): void => undefined;
    const next = (): void => {
      cancel = this.host.clock.after(this.options.bookmarkMs, () => {
        this.bookmark({});
        if (!this.closed) next();
      });
    };
    next();
    this.cleanups.push(() => cancel());
  }

  private push(line: Buffer): void {
    if (this.closed) return;
    this.pending.push(line);
    this.pendingBytes += line.length;
    this.host.flushSoon(this);
    if (this.pendingBytes + this.response.writableLength <= this.limit) return;
    this.host.log(`watch of ${this.plural} fell ${this.options.bufferBytes} bytes behind and was closed`);
    this.cleanUp();
    this.response.destroy();
  }

  private cleanUp(): void {
    if (this.closed) return;
    this.closed = true;
    for (const cleanup of this.cleanups.splice(0)) cleanup();
  }
}

/** A watch that consists of one ERROR event. */
export function endWithError(response: ServerResponse, error: StatusError): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(`${JSON.stringify({ type: 'ERROR', object: error.toStatus() })}\n`);
}
