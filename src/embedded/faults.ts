/** Faults on request: what a test wants the server to do wrong next. */

/** Which requests a fault applies to; what is absent matches everything. */
export interface FaultMatch {
  readonly verb?: 'get' | 'list' | 'watch' | 'create' | 'update' | 'patch' | 'delete';
  readonly plural?: string;
  readonly name?: string;
}

export interface FaultRule extends FaultMatch {
  /** How many requests are hit; default 1. Infinity until cleared. */
  readonly times?: number;
}

export interface StatusFault extends FaultRule {
  readonly code: number;
  readonly reason: string;
  readonly message?: string;
  readonly retryAfterSeconds?: number;
}

export interface Faults {
  /** Answers with this Status instead of doing anything. */
  fail(fault: StatusFault): void;
  /** 429 TooManyRequests with Retry-After. */
  throttle(retryAfterSeconds: number, rule?: FaultRule): void;
  /** The next list answers 410 Expired (also one with a continue token). */
  expireList(rule?: Omit<FaultRule, 'verb'>): void;
  /** The next watch answers 410: as HTTP status, or as ERROR event in a stream that then ends. */
  expireWatch(how: 'status' | 'event', rule?: Omit<FaultRule, 'verb'>): void;
  /** Waits before the request is looked at. */
  delay(ms: number, rule?: FaultRule): void;
  /** Reads the request and closes the connection: for writes the change is made first when `after` is set. */
  drop(rule?: FaultRule & { readonly after?: boolean }): void;
  /** Ends open watch streams in order, as a restarting server does. Returns how many. */
  closeStreams(match?: Omit<FaultMatch, 'verb' | 'name'>): number;
  /** Resets every open connection. */
  resetConnections(): number;
  /** Every connection that is open now goes silent: nothing is read or answered any more, and nothing is closed. */
  freezeConnections(): number;
  /** New connections are reset at once while on, open ones too. */
  refuseConnections(on: boolean): void;
  /** Forgets every rule, and closes the frozen connections. */
  clear(): void;
}
