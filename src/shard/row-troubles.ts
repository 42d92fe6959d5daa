import type { Assignment } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { fingerprintOf, rowKey } from './bind-refusals.ts';
import type { Trouble } from './bind-refusals.ts';
import type { MachineRecord } from './record.ts';

/** Other words for the same trouble are told after so long: each telling is a write somewhere. */
const REFRESH_MS = 30_000;

/** What keeps machines from a row of demand. */
export interface RowTrouble {
  readonly words: string;
  /** A machine that the row counts on waits because of it. */
  readonly isPresent: boolean;
  /** Machines were refused to it lately; others may be tried now. */
  readonly wasRefused: boolean;
  /** Machines that the provider is making ready for the row all the same. */
  readonly onTheWay: number;
}

export interface RowTroublesDeps {
  readonly clock: Clock;
  readonly inventory: { hindered(): Iterable<MachineRecord>; inTransition(): Iterable<MachineRecord> };
  readonly refusals: { current(): ReadonlyMap<string, Trouble> };
}

/** All that is in the way of rows now, for everybody who tells of rows: what they print is the same. */
export class RowTroubles {
  private readonly deps: RowTroublesDeps;
  private said = new Map<string, Trouble & { readonly at: number }>();

  constructor(deps: RowTroublesDeps) {
    this.deps = deps;
  }

  /** By `rowKey`; rows without trouble are not in it. */
  current(): ReadonlyMap<string, RowTrouble> {
    const present = bindObstacles(this.deps.inventory.hindered());
    const past = this.deps.refusals.current();
    const all = new Map([...past, ...present]);
    const onTheWay = this.countOnTheWay(all);
    const said = new Map<string, Trouble & { readonly at: number }>();
    const troubles = new Map<string, RowTrouble>();
    for (const [key, trouble] of all) {
      const calm = this.calm(key, trouble);
      said.set(key, calm);
      troubles.set(key, { words: calm.words, isPresent: present.has(key), wasRefused: past.has(key), onTheWay: onTheWay.get(key) ?? 0 });
    }
    this.said = said;
    return troubles;
  }

  /** What was said last, as long as it is the same trouble and not too old. */
  private calm(key: string, { code, words }: Trouble): Trouble & { readonly at: number } {
    const now = this.deps.clock.monotonic();
    const last = this.said.get(key);
    return last?.code === code && (last.words === words || now - last.at < REFRESH_MS) ? last : { code, words, at: now };
  }

  private countOnTheWay(rows: ReadonlyMap<string, unknown>): ReadonlyMap<string, number> {
    const counts = new Map<string, number>();
    if (rows.size === 0) return counts;
    // Very many may be in transition: their keys are made only where the row may be theirs.
    const fingerprints = new Set([...rows.keys()].map(fingerprintOf));
    for (const { seen, intent, assigned, stuck } of this.deps.inventory.inTransition()) {
      if (stuck || (seen.state !== 'Creating' && seen.state !== 'Configuring')) continue;
      const to: Assignment | undefined = intent?.kind === 'bind' ? intent.to : assigned;
      if (!to || !fingerprints.has(to.fingerprint)) continue;
      const key = rowKey(to);
      if (rows.has(key)) counts.set(key, (counts.get(key) ?? 0) + 1);
    }
    return counts;
  }
}

/** What keeps machines from coming to the rows that they were chosen for; of several machines the first one's. */
export function bindObstacles(hindered: Iterable<MachineRecord>): Map<string, Trouble> {
  const found = new Map<string, Trouble>();
  for (const { intent, obstacle } of hindered) {
    if (intent?.kind !== 'bind') continue;
    const key = rowKey(intent.to);
    if (!found.has(key)) found.set(key, { code: intent.rest ? 'Refused' : 'Unprepared', words: obstacle });
  }
  return found;
}
