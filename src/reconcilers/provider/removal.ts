/** More than this many machines, and more than this share, vanishing at once is taken for a broken List. */
const QUARANTINE_MACHINES = 10;
const QUARANTINE_FRACTION = 0.1;
const LISTS_BEFORE_REMOVAL = 2;

export interface KnownMachine {
  readonly id: string;
  readonly missedLists: number;
  /** A call is in flight or something is decided: never removed. */
  readonly pending: boolean;
}

export interface RemovalVerdict {
  /** The List is not believed: nothing is removed and supply is not trusted. */
  readonly quarantined: boolean;
  readonly removed: readonly string[];
  /** New counts of missed Lists: not named, but not for long enough; or named again. */
  readonly missed: ReadonlyMap<string, number>;
}

/**
 * Pure: which machines a full List removes by not naming them (spec: engine 12.5): those absent from two successful
 * Lists in a row, unless so many vanish at once that the List itself is suspect.
 */
export function removalVerdict(known: Iterable<KnownMachine>, size: number, named: ReadonlySet<string>): RemovalVerdict {
  const removed: string[] = [];
  const missed = new Map<string, number>();
  let absent = 0;
  for (const machine of known) {
    if (named.has(machine.id)) {
      if (machine.missedLists > 0) missed.set(machine.id, 0); // named again, even if the record is refused or not merged
      continue;
    }
    absent++;
    const count = machine.missedLists + 1;
    if (count >= LISTS_BEFORE_REMOVAL && !machine.pending) removed.push(machine.id);
    else missed.set(machine.id, count);
  }
  const quarantined = absent > Math.max(QUARANTINE_MACHINES, size * QUARANTINE_FRACTION);
  return quarantined ? { quarantined, removed: [], missed: new Map() } : { quarantined, removed, missed };
}
