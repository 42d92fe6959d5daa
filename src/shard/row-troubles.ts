import type { MachineReason } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Trouble } from './bind-refusals.ts';
import type { MachineIntent, MachineRecord } from './record.ts';
import type { SourceRows } from './source-rows.ts';

/** Other words for the same trouble are told after so long: each telling is a write somewhere. */
const REFRESH_MS = 30_000;

/** What keeps machines from a row of demand. */
export interface RowTrouble {
  readonly words: string;
  /** A machine that the row counts on waits because of it. */
  readonly isPresent: boolean;
  /** Machines were refused to it lately; others may be tried now. */
  readonly wasRefused: boolean;
  /** One has come to it since. */
  readonly hasOneCome?: true;
  /** Machines that the provider is making ready for the row all the same. */
  readonly onTheWay: number;
}

/** By `rowKey`; rows without trouble are not in it. */
export interface Troubles extends ReadonlyMap<string, RowTrouble> {
  /** Why nothing that is planned is decided at present. */
  readonly withheld?: string;
}

export interface RowTroublesDeps {
  readonly clock: Clock;
  readonly inventory: { hindered(): Iterable<MachineRecord>; inTransition(): Iterable<MachineRecord> };
  readonly refusals: { current(): ReadonlyMap<string, Trouble> };
  readonly rows: Pick<SourceRows, 'of' | 'ofDemand'>;
  /** Why something that is planned is not decided; '' = everything is. */
  readonly whyWithheld: () => string;
}

/** All that is in the way of rows now, for everybody who tells of rows: what they print is the same. */
export class RowTroubles {
  private readonly deps: RowTroublesDeps;
  private said = new Map<string, Trouble & { readonly at: number }>();

  constructor(deps: RowTroublesDeps) {
    this.deps = deps;
  }

  current(): Troubles {
    const present = this.obstacles();
    const past = this.deps.refusals.current();
    const all = new Map([...past, ...present]);
    const onTheWay = this.countOnTheWay(all);
    const said = new Map<string, Trouble & { readonly at: number }>();
    const troubles = new Map<string, RowTrouble>();
    for (const [key, trouble] of all) {
      const calm = this.calm(key, trouble);
      said.set(key, calm);
      const hasOneCome = past.get(key)?.hasOneCome === true;
      troubles.set(key, { words: calm.words, isPresent: present.has(key), wasRefused: past.has(key), onTheWay: onTheWay.get(key) ?? 0, ...(hasOneCome && { hasOneCome }) });
    }
    this.said = said;
    const withheld = this.deps.whyWithheld();
    return withheld === '' ? troubles : Object.assign(troubles, { withheld });
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
    // Very many may be in transition; those of one row mostly share their reason.
    const byReason = new Map<MachineReason, number>();
    for (const { seen, why, stuck } of this.deps.inventory.inTransition()) {
      if (why && !stuck && (seen.state === 'Creating' || seen.state === 'Configuring')) byReason.set(why, (byReason.get(why) ?? 0) + 1);
    }
    for (const [why, machines] of byReason) {
      for (const row of this.deps.rows.of(why)) if (rows.has(row)) counts.set(row, (counts.get(row) ?? 0) + machines);
    }
    return counts;
  }

  /** What keeps machines from coming to the rows that they count for, or were preempted for; of several machines the first one's. */
  private obstacles(): Map<string, Trouble> {
    const found = new Map<string, Trouble>();
    // Very many may stand still; those of one row mostly share their reason, and the first one speaks for them.
    const heard = new Set<MachineReason>();
    for (const { intent, obstacle, standstill, why } of this.deps.inventory.hindered()) {
      if (!intent || !why || heard.has(why)) continue;
      heard.add(why);
      const isRefused = intent.kind !== 'bind' || intent.rest !== undefined;
      // It is the shard's own, and the same for many: told as soon as it is another one.
      const trouble = standstill === undefined ? { code: isRefused ? 'Refused' : 'Unprepared', words: obstacle } : { code: standstill, words: standstill };
      for (const row of this.rowsOf(intent, why)) if (!found.has(row)) found.set(row, trouble);
    }
    return found;
  }

  private rowsOf({ kind }: MachineIntent, why: MachineReason): readonly string[] {
    const { rows } = this.deps;
    if (kind === 'bind') return rows.of(why);
    return why.code === 'Reserved' ? rows.ofDemand(why) : [];
  }
}
