/**
 * Kubernetes quantities, exactly. A value is an integer number of billionths, so nothing is lost between parsing and
 * printing; the engine computes with plain integers in a base unit per dimension (spec: engine 1.6).
 */

/** How a quantity was written decides how it, and a sum that starts with it, is printed. */
export type QuantityFormat = 'DecimalSI' | 'BinarySI' | 'DecimalExponent';

export interface Quantity {
  readonly nanos: bigint;
  readonly format: QuantityFormat;
}

export class QuantityError extends Error {
  override readonly name = 'QuantityError';
}

const NANO = 1_000_000_000n;
const SYNTAX = /^([+-]?)(\d+\.?\d*|\.\d+)(?:(Ki|Mi|Gi|Ti|Pi|Ei|[numkMGTPE])|[eE]([+-]?\d+))?$/;
const DECIMAL_EXPONENT: Readonly<Record<string, number>> = { n: -9, u: -6, m: -3, k: 3, M: 6, G: 9, T: 12, P: 15, E: 18 };
const DECIMAL_SUFFIX: readonly string[] = ['n', 'u', 'm', '', 'k', 'M', 'G', 'T', 'P', 'E'];
const BINARY_SUFFIX: readonly string[] = ['', 'Ki', 'Mi', 'Gi', 'Ti', 'Pi', 'Ei'];
// Longer texts carry no amount of anything; without bounds "1e999999999" would occupy the process for minutes.
const MAX_LENGTH = 128;
const MAX_EXPONENT = 64;

/**
 * Parses `1`, `500m`, `1.5Gi`, `12e6`, …; more than nine decimals round away from zero, as in Kubernetes. Unlike there,
 * values above 2^63−1 are kept, not capped. Throws QuantityError.
 */
export function parseQuantity(text: string | number): Quantity {
  const source = typeof text === 'number' ? numberText(text) : text;
  const match = source.length <= MAX_LENGTH ? SYNTAX.exec(source) : null;
  if (!match) throw malformed(source);
  const [, sign, digits = '', suffix, exponentText] = match;
  const [whole = '', fraction = ''] = digits.split('.');
  const mantissa = BigInt(whole + fraction);
  let format: QuantityFormat = 'DecimalSI';
  let scale = 9 - fraction.length;
  let factor = 1n;
  if (exponentText !== undefined) {
    format = 'DecimalExponent';
    const exponent = Number(exponentText);
    if (exponent > MAX_EXPONENT && mantissa !== 0n) throw malformed(source);
    // Anything this small becomes one nano, whatever its exponent.
    scale += mantissa === 0n ? 0 : Math.max(exponent, -MAX_LENGTH - MAX_EXPONENT);
  } else if (suffix?.endsWith('i')) {
    format = 'BinarySI';
    factor = 1024n ** BigInt(BINARY_SUFFIX.indexOf(suffix));
  } else if (suffix) {
    scale += DECIMAL_EXPONENT[suffix] ?? 0;
  }
  const magnitude = scaleUp(mantissa * factor, scale);
  // Below one there is no binary suffix to print it with.
  if (format === 'BinarySI' && magnitude > 0n && magnitude < NANO) format = 'DecimalSI';
  return { nanos: sign === '-' ? -magnitude : magnitude, format };
}

/** Prints the canonical form, as Kubernetes does: 1000m is `1`, 1024Ki is `1Mi`, 8000 is `8k`, 1.5Gi is `1536Mi`. */
export function formatQuantity({ nanos, format }: Quantity): string {
  if (nanos === 0n) return '0';
  const sign = nanos < 0n ? '-' : '';
  const magnitude = nanos < 0n ? -nanos : nanos;
  if (format === 'BinarySI' && magnitude >= 1024n * NANO && magnitude % NANO === 0n) {
    const [number, times] = strip(magnitude / NANO, 1024n, BINARY_SUFFIX.length - 1);
    return `${sign}${String(number)}${BINARY_SUFFIX[times] ?? ''}`;
  }
  const thousands = format === 'DecimalExponent' ? Number.MAX_SAFE_INTEGER : DECIMAL_SUFFIX.length - 1;
  const [number, times] = strip(magnitude, 1000n, thousands);
  const exponent = 3 * times - 9;
  if (format === 'DecimalExponent') return `${sign}${String(number)}${exponent === 0 ? '' : `e${String(exponent)}`}`;
  return `${sign}${String(number)}${DECIMAL_SUFFIX[times] ?? ''}`;
}

/** `text` in canonical form. Throws QuantityError. */
export function canonicalQuantity(text: string | number): string {
  return formatQuantity(parseQuantity(text));
}

/** The sum, in the format of `a`; of `b` if `a` is zero. */
export function addQuantities(a: Quantity, b: Quantity): Quantity {
  return { nanos: a.nanos + b.nanos, format: a.nanos === 0n ? b.format : a.format };
}

/** Negative, zero or positive, as `a` is below, equal to or above `b`. */
export function compareQuantities(a: Quantity, b: Quantity): number {
  return a.nanos === b.nanos ? 0 : a.nanos < b.nanos ? -1 : 1;
}

/** The nearest floating-point number: for dollars, not for capacity. */
export function quantityToNumber(quantity: Quantity): number {
  // Reading decimal text rounds once; dividing by 1e9 would round the dividend first.
  return Number(`${String(quantity.nanos)}e-9`);
}

/** Dimensions counted in bytes; all others are counted in thousandths (spec: engine 1.6). */
export function isByteDimension(dimension: string): boolean {
  return dimension === 'memory' || dimension === 'ephemeral-storage' || dimension === 'storage' || dimension.startsWith('hugepages-');
}

/**
 * An amount in the integer base unit of its dimension: bytes where isByteDimension, else milli. Demand rounds `up`,
 * capacity rounds `down`, so that rounding never promises what is not there. Throws QuantityError, naming the dimension,
 * for text that is no quantity and for amounts beyond 2^53−1.
 */
export function toBaseUnits(dimension: string, quantity: string | number | Quantity, rounding: 'up' | 'down'): number {
  const bytes = isByteDimension(dimension);
  if (typeof quantity === 'string') {
    const quick = plainAmount(quantity, bytes ? 1 : 1000);
    if (quick !== undefined) return quick;
  }
  let parsed: Quantity;
  try {
    parsed = typeof quantity === 'object' ? quantity : parseQuantity(quantity);
  } catch (error) {
    throw new QuantityError(`${dimension}: ${error instanceof Error ? error.message : String(error)}`);
  }
  const unit = bytes ? NANO : 1_000_000n;
  const floor = floorDiv(parsed.nanos, unit);
  const units = rounding === 'up' && floor * unit !== parsed.nanos ? floor + 1n : floor;
  const amount = Number(units);
  if (!Number.isSafeInteger(amount)) {
    throw new QuantityError(`${dimension}: ${formatQuantity(parsed)} is too large to count exactly; stay below ${bytes ? '8Pi' : '9T'}`);
  }
  return amount;
}

/** The canonical quantity of `amount` base units of `dimension`; a sum may be larger than what is counted exactly. Throws QuantityError unless it is a whole number. */
export function fromBaseUnits(dimension: string, amount: number): string {
  if (!Number.isInteger(amount)) throw new QuantityError(`${dimension}: ${String(amount)} is not a whole number of base units`);
  return isByteDimension(dimension)
    ? formatQuantity({ nanos: BigInt(amount) * NANO, format: 'BinarySI' })
    : formatQuantity({ nanos: BigInt(amount) * 1_000_000n, format: 'DecimalSI' });
}

const PLAIN = /^(\d{1,9})(m|Ki|Mi|Gi|)$/;
const PLAIN_FACTOR: Readonly<Record<string, number>> = { Ki: 1024, Mi: 1024 ** 2, Gi: 1024 ** 3 };

/** The common spellings without a detour over bigint; a List of a large fleet holds millions of them. */
function plainAmount(text: string, unitsPerOne: number): number | undefined {
  const match = PLAIN.exec(text);
  if (!match) return undefined;
  const [, digits, suffix = ''] = match;
  if (suffix === 'm') return unitsPerOne === 1000 ? Number(digits) : undefined;
  const amount = Number(digits) * (PLAIN_FACTOR[suffix] ?? 1) * unitsPerOne;
  return Number.isSafeInteger(amount) ? amount : undefined;
}

/** `value` × 10^exponent, rounded away from zero. `value` is not negative. */
function scaleUp(value: bigint, exponent: number): bigint {
  if (exponent >= 0) return value * 10n ** BigInt(exponent);
  const divisor = 10n ** BigInt(-exponent);
  return (value + divisor - 1n) / divisor;
}

/** Divides out `factor` while that is exact, at most `limit` times. */
function strip(value: bigint, factor: bigint, limit: number): [number: bigint, times: number] {
  let times = 0;
  while (times < limit && value % factor === 0n) {
    value /= factor;
    times++;
  }
  return [value, times];
}

function floorDiv(value: bigint, divisor: bigint): bigint {
  const quotient = value / divisor;
  return value < 0n && quotient * divisor !== value ? quotient - 1n : quotient;
}

function numberText(value: number): string {
  if (!Number.isFinite(value)) throw malformed(String(value));
  return String(value);
}

function malformed(text: string): QuantityError {
  const shown = text.length > 40 ? `${text.slice(0, 40)}…` : text;
  return new QuantityError(`${JSON.stringify(shown)} is not a quantity; write for example "500m", "2" or "1.5Gi"`);
}
