import type { NeedVerdict, Plan } from '../engine/types.ts';
import { isHindered, isMetInPlanAlone, isSatisfied } from './need-telling.ts';
import type { Troubles } from './row-troubles.ts';
import { keyOf } from './source-rows.ts';
import { Spells } from './spells.ts';
import type { UnmetSpell } from './spells.ts';
import { UnmetLedger } from './unmet-ledger.ts';

/** Since when rows are kept from machines that the plan takes for theirs: by what a plan cannot know, or because nothing is carried out. */
export class HinderedLedger {
  /** Also of rows that the plan meets with what it acquires: that has not come, and may not either. */
  private readonly hindered = new Spells();
  private readonly withheld = new UnmetLedger(isMetInPlanAlone);

  /** Of each kind. */
  get spells(): readonly Spells[] {
    return [this.hindered, this.withheld.spells];
  }

  planned({ verdicts, at }: Pick<Plan, 'verdicts' | 'at'>, troubles: Troubles, cycle: number): void {
    this.hindered.turn();
    const waiting = troubles.size === 0 ? new Set<string>() : keysOf(verdicts, troubles);
    for (const key of this.hindered.keys()) if (!waiting.has(key)) this.hindered.end(key);
    for (const key of waiting) if (!this.hindered.get(key)) this.hindered.begin(key, { since: at, sinceCycle: cycle });
    this.withheld.planned({ verdicts: troubles.withheld === undefined ? [] : verdicts, at }, cycle);
  }

  /** Undefined: nothing hinders it, or no plan was made since something does. */
  of(verdict: NeedVerdict, troubles: Troubles): UnmetSpell | undefined {
    if (!isHindered(verdict, troubles)) return undefined;
    const spell = this.hindered.get(keyOf(verdict.need)) ?? this.withheld.of(verdict);
    return spell && verdict.arrival > spell.since ? { ...spell, since: verdict.arrival } : spell;
  }
}

/** Of the rows in trouble, those that are asked for and not served. */
function keysOf(verdicts: readonly NeedVerdict[], troubles: Troubles): Set<string> {
  const keys = new Set<string>();
  for (const verdict of verdicts) {
    const key = keyOf(verdict.need);
    if (troubles.has(key) && (!isSatisfied(verdict, troubles) || isMetInPlanAlone(verdict))) keys.add(key);
  }
  return keys;
}
