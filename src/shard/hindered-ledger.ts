import type { Millis, NeedVerdict } from '../engine/types.ts';
import { isHindered } from './need-telling.ts';
import type { Troubles } from './row-troubles.ts';
import { rowKey } from './source-rows.ts';
import type { UnmetSpell } from './unmet-ledger.ts';

/** Since when rows are kept from machines that the plan takes for theirs: by what a plan cannot know, or because nothing is carried out. */
export class HinderedLedger {
  private readonly spells = new Map<string, UnmetSpell>();
  private withheld: UnmetSpell | undefined;

  planned(troubles: Troubles, at: Millis, cycle: number): void {
    const now = { since: at, sinceCycle: cycle };
    for (const key of this.spells.keys()) if (!troubles.has(key)) this.spells.delete(key);
    for (const key of troubles.keys()) if (!this.spells.has(key)) this.spells.set(key, now);
    this.withheld = troubles.withheld === undefined ? undefined : (this.withheld ?? now);
  }

  /** Undefined: nothing hinders it, or no plan was made since something does. */
  of(verdict: NeedVerdict, troubles: Troubles): UnmetSpell | undefined {
    if (!isHindered(verdict, troubles)) return undefined;
    const spell = this.spells.get(rowKey(verdict.need)) ?? this.withheld;
    return spell && verdict.arrival > spell.since ? { ...spell, since: verdict.arrival } : spell;
  }
}
