import type { Texts } from '../../lib/text-map.ts';

/** More than this many machines, and more than this share, vanishing at once is taken for a broken List. */
const QUARANTINE_MACHINES = 10;
const QUARANTINE_FRACTION = 0.1;
const LISTS_BEFORE_REMOVAL = 2;

/** Whether so many of `known` machines missing at once make a List suspect. */
export function isTooMany(missing: number, known: number): boolean {
  return missing > Math.max(QUARANTINE_MACHINES, known * QUARANTINE_FRACTION);
}

export interface KnownMachine {
  readonly id: string;
  readonly missedLists: number;
  /** A call is in flight or something is decided: never removed. */
  readonly pending: boolean;
  /** There is a host: more than an offer. */
  readonly held: boolean;
}

export interface RemovalVerdict {
  /** The List is not believed: nothing is removed and supply is not trusted. */
  readonly quarantined: boolean;
  /** Not named, whatever follows from it. */
  readonly absent: readonly string[];
  readonly removed: readonly string[];
  /** New counts of missed Lists: not named, but not for long enough; or named again. */
  readonly missed: ReadonlyMap<string, number>;
}

/** Machines of which only the number is known, from before a restart. */
export interface ByNumber {
  readonly known: number;
  /** So many of them at least are not named; which ones cannot be told, nor whether those that are named are others. */
  readonly missing: number;
  /** Of these so many served. */
  readonly bound: number;
}

/** What an earlier process knew, as numbers. 0 = none, or not known. */
export interface KnownBefore {
  /** Offers included. */
  readonly machines: number;
  /** Those of them that served a cluster: Configuring, Configured, Draining. */
  readonly bound: number;
}

/**
 * Pure: what is known by number beyond the machines that an object describes. An offer makes up for an offer that is not
 * there, but not for a machine that served.
 * `byId` of the machines found are those with an object, listed or not; `refused`: listed, and nothing else is known of them.
 */
export function byNumber(before: KnownBefore, found: KnownBefore & { readonly byId: number; readonly refused: number }): ByNumber {
  const bound = Math.max(0, before.bound - found.byId - found.bound - found.refused);
  return { known: Math.max(0, before.machines - found.byId), missing: Math.max(bound, before.machines - found.machines - found.refused), bound };
}

/**
 * Pure: which machines a full List removes by not naming them (spec: engine 12.5): those absent from two successful
 * Lists in a row, unless so many vanish at once that the List itself is suspect, or it names nothing and a machine was held.
 * `size` is how many machines were known before the List, by their ids; they are judged on their own, and again together
 * with those known by their number.
 */
export function removalVerdict(known: Iterable<KnownMachine>, size: number, named: Texts, byNumber: ByNumber = { known: 0, missing: 0, bound: 0 }): RemovalVerdict {
  const removed: string[] = [];
  const missed = new Map<string, number>();
  const absent: string[] = [];
  let held = byNumber.bound;
  for (const machine of known) {
    if (named.has(machine.id)) {
      if (machine.missedLists > 0) missed.set(machine.id, 0); // named again, even if the record is refused or not merged
      continue;
    }
    absent.push(machine.id);
    if (machine.held) held++;
    const count = machine.missedLists + 1;
    if (count >= LISTS_BEFORE_REMOVAL && !machine.pending) removed.push(machine.id);
    else missed.set(machine.id, count);
  }
  const isEmptied = named.size === 0 && held > 0;
  const quarantined = isEmptied || isTooMany(absent.length, size) || isTooMany(absent.length + byNumber.missing, size + byNumber.known);
  return quarantined ? { quarantined, absent, removed: [], missed: new Map() } : { quarantined, absent, removed, missed };
}

/** A List that is not believed: what a person needs to know to confirm it. */
export interface Quarantine {
  /** Unix ms of the first of the Lists in a row that are not believed. */
  readonly since: number;
  /** Machines that the List lacks, sorted. */
  readonly missing: readonly string[];
  /** Missing ones of which only the number is known, from before a restart. */
  readonly unnamed: number;
  /** The last of the Lists names no machine at all. */
  readonly isEmpty?: boolean;
  /** How many machines were known before these Lists. */
  readonly known: number;
  /** Confirms the loss of these machines, or of fewer of them, and nothing else. */
  readonly token: string;
}
