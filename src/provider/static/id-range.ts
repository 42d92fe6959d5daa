const RANGE = /^([^[\]]*)\[(\d+)-(\d+)\]([^[\]]*)$/;

export interface RangedId {
  readonly id: string;
  /** The number in the range, without leading zeros; '' for an id that stands alone. */
  readonly n: string;
}

/** More from one line are a typing mistake rather than a fleet. */
const MAX_IDS = 100_000;

/** `rack[01-40]` → rack01 … rack40, as many digits as the first bound has. Undefined: not a range that can be meant. */
export function expandIds(text: string): RangedId[] | undefined {
  const match = RANGE.exec(text);
  if (!match) return undefined;
  const [, before = '', from = '', to = '', after = ''] = match;
  const count = Number(to) - Number(from) + 1;
  if (count < 1 || count > MAX_IDS) return undefined;
  return Array.from({ length: count }, (_, i) => {
    const n = String(Number(from) + i);
    return { id: `${before}${n.padStart(from.length, '0')}${after}`, n };
  });
}
