import type { Millis, NeedVerdict, Plan } from '../engine/types.ts';
import { keyOf } from './source-rows.ts';
import { Spells } from './spells.ts';
import type { UnmetSpell } from './spells.ts';

/** So many rows may have come or gone between two that stayed … */
const NEARBY = 4;
/** … and so many look-ups are made before all verdicts of the last plan are put into a set. */
const FEW = 64;

/**
 * Since when each Need has been unmet without a break, or whatever `isUnmet` says of its verdict. Verdicts that are the same
 * objects as in the plan before cost a comparison; only those that changed are looked up.
 */
export class UnmetLedger {
  readonly spells = new Spells();
  /** The last verdict of each. */
  private readonly verdicts = new Map<string, NeedVerdict>();
  private readonly isUnmet: (verdict: NeedVerdict) => boolean;
  private previous: readonly NeedVerdict[] = [];

  constructor(isUnmet: (verdict: NeedVerdict) => boolean = ({ satisfied }) => !satisfied) {
    this.isUnmet = isUnmet;
  }

  planned({ verdicts, at }: Pick<Plan, 'verdicts' | 'at'>, cycle: number): void {
    const isKnown = remembering(this.previous);
    this.spells.turn();
    let unmet = 0;
    for (let i = 0; i < verdicts.length; i++) {
      const verdict = verdicts[i] as NeedVerdict;
      if (this.isUnmet(verdict)) unmet++;
      if (!isKnown(verdict, i)) this.note(verdict, at, cycle);
    }
    this.previous = verdicts;
    // What is met, or not asked for any more, is found by its absence: names take time to make, and most rows are met.
    if (this.spells.size > unmet) this.keepOnly(new Set(verdicts.filter(this.isUnmet)));
  }

  of(verdict: NeedVerdict): UnmetSpell | undefined {
    return this.spells.get(keyOf(verdict.need));
  }

  private note(verdict: NeedVerdict, at: Millis, cycle: number): void {
    if (!this.isUnmet(verdict)) return;
    const key = keyOf(verdict.need);
    this.verdicts.set(key, verdict);
    if (!this.spells.get(key)) this.spells.begin(key, { since: at, sinceCycle: cycle });
  }

  private keepOnly(unmet: ReadonlySet<NeedVerdict>): void {
    for (const [key, verdict] of this.verdicts) {
      if (unmet.has(verdict)) continue;
      this.verdicts.delete(key);
      this.spells.end(key);
    }
  }
}

/** Whether a verdict was in the last plan, asked in the order of the new one: mostly it stands about where it stood. */
function remembering(previous: readonly NeedVerdict[]): (verdict: NeedVerdict, at: number) => boolean {
  let shift = 0;
  let lookups = 0;
  let all: ReadonlySet<NeedVerdict> | undefined;
  return (verdict, at) => {
    if (previous[at + shift] === verdict) return true;
    for (let by = 1; by <= NEARBY; by++) {
      for (const there of [shift + by, shift - by]) {
        if (previous[at + there] !== verdict) continue;
        shift = there;
        return true;
      }
    }
    if (++lookups > FEW) all ??= new Set(previous);
    return all?.has(verdict) ?? false;
  };
}
