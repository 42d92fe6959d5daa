import { parseDurationMs } from '../lib/duration.ts';
import { UsageError } from '../lib/usage-error.ts';

/** Parsers of flag values: each throws a UsageError that names the flag and shows what would work. */

/** `500ms`, `3s`, `1m30s`, `0.25s`; a bare number is seconds. At least `minMs` (0). */
export function durationMs(flag: string, text: string, minMs = 0): number {
  const ms = parseDurationMs(text);
  if (ms === undefined) throw new UsageError(`${flag}: "${text}" is not a duration; write for instance 500ms, 10s or 1m30s`);
  if (ms < minMs) throw new UsageError(`${flag}: "${text}" is too short; at least ${minMs}ms`);
  return ms;
}

/** How a leader holds its Lease: the values of --lease-duration, --lease-renew and --lease-retry, in milliseconds. */
export function leaseDurations(duration: string, renew: string, retry: string): { leaseMs: number; renewDeadlineMs: number; retryMs: number } {
  const leaseMs = durationMs('--lease-duration', duration, 1_000);
  const renewDeadlineMs = durationMs('--lease-renew', renew);
  const retryMs = durationMs('--lease-retry', retry, 1);
  if (leaseMs % 1_000 !== 0) throw new UsageError(`--lease-duration: "${duration}" must be whole seconds, as a Lease stores them`);
  if (renewDeadlineMs >= leaseMs) throw new UsageError(`--lease-renew: "${renew}" must be shorter than --lease-duration (${duration})`);
  if (retryMs >= renewDeadlineMs) throw new UsageError(`--lease-retry: "${retry}" must be shorter than --lease-renew (${renew})`);
  return { leaseMs, renewDeadlineMs, retryMs };
}

/** Preemption graces for four gaps between the priorities, largest gap first; in seconds, rounded up (spec: engine 8.6). */
export function fourGraces(flag: string, text: string): [number, number, number, number] {
  const [a, b, c, d, ...more] = text.split(',').map((grace) => Math.ceil(durationMs(flag, grace) / 1000));
  if (a === undefined || b === undefined || c === undefined || d === undefined || more.length > 0) {
    throw new UsageError(`${flag}: "${text}" must be four durations, the one for the largest gap of priorities first; write for instance 10s,30s,2m,10m`);
  }
  return [a, b, c, d];
}

export function integer(flag: string, text: string, range: { min: number; max?: number }): number {
  const value = Number(text);
  const { min, max = Number.MAX_SAFE_INTEGER } = range;
  if (!/^-?\d+$/.test(text) || value < min || value > max) {
    throw new UsageError(`${flag}: "${text}" must be a whole number ${max === Number.MAX_SAFE_INTEGER ? `of at least ${min}` : `from ${min} to ${max}`}`);
  }
  return value;
}

const UNIT_BYTES: Readonly<Record<string, number>> = { '': 1, Ki: 2 ** 10, Mi: 2 ** 20, Gi: 2 ** 30 };

/** `64Ki`, `100Mi`, `2Gi`; a bare number is bytes. */
export function byteSize(flag: string, text: string): number {
  const [, amount, unit] = /^(\d+)(Ki|Mi|Gi)?$/.exec(text) ?? [];
  const bytes = Number(amount) * UNIT_BYTES[unit ?? '']!;
  if (amount === undefined || !Number.isSafeInteger(bytes)) throw new UsageError(`${flag}: "${text}" is not a size; write for instance 64Ki, 100Mi or 2Gi`);
  return bytes;
}

/** `host:port`, or `:port` for every interface. */
export function listenAddress(flag: string, text: string): string {
  const port = /^[^:]*:(\d+)$|^\[[0-9a-fA-F:.]+\]:(\d+)$/.exec(text);
  if (!port || Number(port[1] ?? port[2]) > 65_535) throw new UsageError(`${flag}: "${text}" is not an address; write host:port or :port`);
  return text;
}
