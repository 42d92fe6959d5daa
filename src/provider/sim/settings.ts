/** A mistake on the command line; the message names the flag and the fix. */
export class UsageError extends Error {
  constructor(message: string) {
    super(message);
    this.name = 'UsageError';
  }
}

/** An inclusive range of milliseconds; both ends equal = always the same. */
export interface Span {
  readonly fromMs: number;
  readonly toMs: number;
}

export interface FailureRates {
  readonly create: number;
  readonly configure: number;
  readonly drain: number;
  readonly delete: number;
}

/** `500` or `400-1500`, in milliseconds. */
export function parseSpan(flag: string, text: string): Span {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  const fromMs = Number(match?.[1]);
  const toMs = Number(match?.[2] ?? match?.[1]);
  if (!match || toMs < fromMs) throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a duration; give milliseconds such as 500, or a range such as 400-1500`);
  return { fromMs, toMs };
}

/** `create=0.1,configure=0.05`: the share of operations that fail, per kind; what is not named never fails. */
export function parseFailureRates(flag: string, text: string): FailureRates {
  const rates = { create: 0, configure: 0, drain: 0, delete: 0 };
  for (const part of text.split(',').filter((p) => p.trim() !== '')) {
    const [kind = '', share = ''] = part.trim().split('=');
    const rate = Number(share);
    if (!Object.hasOwn(rates, kind) || share === '' || !(rate >= 0 && rate <= 1)) {
      throw new UsageError(`${flag}: ${JSON.stringify(part)} is not KIND=SHARE; kinds are ${Object.keys(rates).join(', ')}, the share lies between 0 and 1, for example create=0.1`);
    }
    rates[kind as keyof FailureRates] = rate;
  }
  return rates;
}

export function parseNumber(flag: string, text: string, min: number, max = Number.MAX_SAFE_INTEGER): number {
  const value = Number(text);
  if (text.trim() === '' || !(value >= min && value <= max)) {
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is not a number ${max === Number.MAX_SAFE_INTEGER ? `of ${min} or more` : `between ${min} and ${max}`}`);
  }
  return value;
}

/** host:port, where port may be 0. */
export function parseAddress(flag: string, text: string): { readonly host: string; readonly port: number } {
  const at = text.lastIndexOf(':');
  const host = text.slice(0, at).replace(/^\[(.*)\]$/, '$1');
  const port = Number(text.slice(at + 1));
  if (at < 1 || text.length === at + 1 || !Number.isInteger(port) || port < 0 || port > 65_535) {
    throw new UsageError(`${flag}: ${JSON.stringify(text)} is not HOST:PORT; for example 127.0.0.1:9090, or port 0 for a free one`);
  }
  return { host, port };
}
