/** Arithmetic of amounts by dimension, in billionths. */

/** Less demand needs less correction; rounding goes down, so that it ends at nothing. */
export function inProportion(sigma: ReadonlyMap<string, bigint>, before: ReadonlyMap<string, bigint>, now: ReadonlyMap<string, bigint>): Map<string, bigint> {
  const next = new Map<string, bigint>();
  for (const [dimension, nanos] of sigma) {
    const was = before.get(dimension) ?? 0n;
    const is = now.get(dimension) ?? 0n;
    const kept = is < was ? (nanos * is) / was : nanos;
    if (kept > 0n) next.set(dimension, kept);
  }
  return next;
}

export function minus(sigma: ReadonlyMap<string, bigint>, less: ReadonlyMap<string, bigint>): Map<string, bigint> {
  const next = new Map<string, bigint>();
  for (const [dimension, nanos] of sigma) {
    const rest = nanos - (less.get(dimension) ?? 0n);
    if (rest > 0n) next.set(dimension, rest);
  }
  return next;
}

export function plus(sigma: ReadonlyMap<string, bigint>, more: ReadonlyMap<string, bigint>): Map<string, bigint> {
  const next = new Map(sigma);
  for (const [dimension, nanos] of more) next.set(dimension, (next.get(dimension) ?? 0n) + nanos);
  return next;
}

export function equal(a: ReadonlyMap<string, bigint>, b: ReadonlyMap<string, bigint>): boolean {
  return a.size === b.size && [...a].every(([dimension, nanos]) => b.get(dimension) === nanos);
}

export function max(a: bigint, b: bigint): bigint {
  return a > b ? a : b;
}

export function texts(map: ReadonlyMap<string, bigint>): Record<string, string> {
  return Object.fromEntries([...map].map(([dimension, nanos]) => [dimension, String(nanos)]));
}

export function amounts(record: Readonly<Record<string, string>>): Map<string, bigint> {
  return new Map(Object.entries(record).map(([dimension, text]) => [dimension, BigInt(text)]));
}

/** In each dimension the lesser of the two. */
export function least(a: ReadonlyMap<string, bigint> | undefined, b: ReadonlyMap<string, bigint>): Map<string, bigint> {
  const both = new Map<string, bigint>();
  for (const [dimension, nanos] of a ?? []) {
    const other = b.get(dimension) ?? 0n;
    const lesser = nanos < other ? nanos : other;
    if (lesser > 0n) both.set(dimension, lesser);
  }
  return both;
}
