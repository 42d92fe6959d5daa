/** The faults that are set, and the connections they act on. */
import type { Socket } from 'node:net';
import type { FaultMatch, FaultRule, Faults, StatusFault } from './faults.ts';
import { StatusError } from './status-error.ts';

export interface FaultTarget {
  readonly verb: string;
  readonly plural: string;
  readonly name: string;
}

/** What is to happen to one request. */
export interface Verdict {
  readonly delayMs: number;
  /** Answer instead of doing anything. */
  readonly error: StatusError | undefined;
  /** Whether `error` is to come as an event of a watch. */
  readonly asEvent: boolean;
  readonly drop: 'before' | 'after' | undefined;
}

/** A watch stream, as far as faults concern it. */
export interface OpenStream {
  readonly plural: string;
  end(): void;
}

type Action = { error: StatusError; asEvent?: boolean } | { delayMs: number } | { drop: 'before' | 'after' };

interface Rule {
  readonly match: FaultMatch;
  readonly action: Action;
  left: number;
}

export class FaultInjector implements Faults {
  readonly streams = new Set<OpenStream>();
  private readonly sockets = new Set<Socket>();
  private readonly frozen = new WeakSet<Socket>();
  private rules: Rule[] = [];
  private refusing = false;

  fail({ code, reason, message, retryAfterSeconds, ...rule }: StatusFault): void {
    const details = retryAfterSeconds === undefined ? undefined : { retryAfterSeconds };
    this.add(rule, { error: new StatusError(code, reason, message ?? `injected fault: ${reason}`, details) });
  }

  throttle(retryAfterSeconds: number, rule: FaultRule = {}): void {
    this.fail({ ...rule, code: 429, reason: 'TooManyRequests', message: 'too many requests, please try again later', retryAfterSeconds });
  }

  expireList(rule: Omit<FaultRule, 'verb'> = {}): void {
    this.fail({ ...rule, verb: 'list', code: 410, reason: 'Expired', message: 'The provided continue parameter is too old to display a consistent list result.' });
  }

  expireWatch(how: 'status' | 'event', rule: Omit<FaultRule, 'verb'> = {}): void {
    const error = new StatusError(410, 'Expired', 'too old resource version: injected fault');
    this.add({ ...rule, verb: 'watch' }, { error, asEvent: how === 'event' });
  }

  delay(delayMs: number, rule: FaultRule = {}): void {
    this.add(rule, { delayMs });
  }

  drop({ after, ...rule }: FaultRule & { readonly after?: boolean } = {}): void {
    this.add(rule, { drop: after ? 'after' : 'before' });
  }

  closeStreams(match: Omit<FaultMatch, 'verb' | 'name'> = {}): number {
    const hit = [...this.streams].filter((stream) => match.plural === undefined || stream.plural === match.plural);
    for (const stream of hit) stream.end();
    return hit.length;
  }

  resetConnections(): number {
    const hit = [...this.sockets];
    for (const socket of hit) socket.resetAndDestroy();
    return hit.length;
  }

  freezeConnections(): number {
    let count = 0;
    for (const socket of this.sockets) {
      if (this.frozen.has(socket)) continue;
      this.frozen.add(socket);
      socket.pause();
      count++;
    }
    return count;
  }

  refuseConnections(on: boolean): void {
    this.refusing = on;
    if (on) this.resetConnections();
  }

  clear(): void {
    this.rules = [];
    this.refusing = false;
    for (const socket of this.sockets) if (this.frozen.has(socket)) socket.destroy();
  }

  isFrozen(socket: Socket | null): boolean {
    return socket !== null && this.frozen.has(socket);
  }

  /** Takes note of a new connection; resets it while connections are refused. */
  accept(socket: Socket): void {
    if (this.refusing) {
      socket.resetAndDestroy();
      return;
    }
    this.sockets.add(socket);
    socket.once('close', () => this.sockets.delete(socket));
  }

  /** Uses up the rules that the request meets. */
  judge(request: FaultTarget): Verdict {
    let delayMs = 0;
    let error: StatusError | undefined;
    let asEvent = false;
    let drop: 'before' | 'after' | undefined;
    for (const rule of this.rules) {
      if (rule.left <= 0 || !meets(rule.match, request)) continue;
      const action = rule.action;
      if ('error' in action) {
        if (error) continue; // one answer per request: the next rule waits for the next request
        error = action.error;
        asEvent = action.asEvent === true;
      } else if ('delayMs' in action) delayMs += action.delayMs;
      else drop ??= action.drop;
      rule.left--;
    }
    if (this.rules.some((rule) => rule.left <= 0)) this.rules = this.rules.filter((rule) => rule.left > 0);
    return { delayMs, error, asEvent, drop };
  }

  private add({ times = 1, ...match }: FaultRule, action: Action): void {
    this.rules.push({ match, action, left: times });
  }
}

function meets(match: FaultMatch, request: FaultTarget): boolean {
  return (
    (match.verb === undefined || match.verb === request.verb) &&
    (match.plural === undefined || match.plural === request.plural) &&
    (match.name === undefined || match.name === request.name)
  );
}
