import type { Reply } from './caller.ts';
import type { Exchange } from './exchange.ts';

/** The provider did not behave as promised. */
export class Violation extends Error {
  override readonly name = 'Violation';
  readonly expected: string;
  readonly got: string;
  /** The call that showed it; absent when it took several. */
  readonly exchange: Exchange | undefined;

  constructor(expected: string, got: string, exchange?: Exchange) {
    super(`expected ${expected}; got ${got}`);
    this.expected = expected;
    this.got = got;
    this.exchange = exchange;
  }
}

/** The provider offers nothing to try this on. That is no pass. */
export class NotTestable extends Error {
  override readonly name = 'NotTestable';
}

/** The answer of a call that had to succeed. `because`: why it had to. */
export function accepted<T>(reply: Reply<T>, because: string): T {
  if (reply.value === undefined) throw new Violation(`OK: ${because}`, reply.exchange.got, reply.exchange);
  return reply.value;
}

/** Fenced: FAILED_PRECONDITION and nothing else. */
export function fenced(reply: Reply<unknown>, because: string): void {
  if (reply.code !== 'FAILED_PRECONDITION') throw new Violation(`FAILED_PRECONDITION: ${because}`, reply.exchange.got, reply.exchange);
}

/** As `fenced`, for a Delete, which a provider of fixed capacity answers with UNIMPLEMENTED before it looks at the fence. */
export function fencedDelete(reply: Reply<unknown>, because: string): void {
  if (reply.code !== 'UNIMPLEMENTED') fenced(reply, because);
}

/** Refused for another reason than the fence; with `codes`: for one of these. */
export function refused(reply: Reply<unknown>, because: string, codes: readonly string[] = []): void {
  const isFine = codes.length > 0 ? codes.includes(reply.code) : reply.code !== 'OK' && reply.code !== 'FAILED_PRECONDITION' && !isBroken(reply.code);
  if (isFine) return;
  const wanted = codes.length > 0 ? codes.join(' or ') : 'an error other than FAILED_PRECONDITION';
  throw new Violation(`${wanted}: ${because}`, reply.exchange.got, reply.exchange);
}

/** Anything but fenced. */
export function notFenced(reply: Reply<unknown>, because: string): void {
  if (reply.code === 'FAILED_PRECONDITION' || isBroken(reply.code)) {
    throw new Violation(`anything but FAILED_PRECONDITION, which means fenced: ${because}`, reply.exchange.got, reply.exchange);
  }
}

export function check(holds: boolean, expected: string, got: string, exchange?: Exchange): void {
  if (!holds) throw new Violation(expected, got, exchange);
}

/** No answer of the provider at all: the process is gone or hangs. Never what a rule asks for. */
function isBroken(code: string): boolean {
  return code === 'UNAVAILABLE' || code === 'DEADLINE_EXCEEDED' || code === 'CANCELLED';
}
