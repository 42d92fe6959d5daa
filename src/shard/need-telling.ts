import { explainNeed } from '../engine/explain.ts';
import type { NeedVerdict, UnmetReason } from '../engine/types.ts';
import { rowKey } from './bind-refusals.ts';
import type { RowTrouble } from './row-troubles.ts';

/** What became of a Need, with what the plan cannot know: the one record that operators, readers and statuses are told. */
export interface NeedTelling {
  readonly satisfied: boolean;
  /** Absent where something keeps machines away that the plan counts on, or does not know of. */
  readonly reason: UnmetReason | undefined;
  /** One sentence. */
  readonly text: string;
}

const NO_TROUBLE: ReadonlyMap<string, RowTrouble> = new Map();

/** Pure. `troubles` by `rowKey`. A row is not satisfied by a machine that cannot come (spec: engine 20). */
export function tellNeed(verdict: NeedVerdict, troubles = NO_TROUBLE): NeedTelling {
  const trouble = troubleOf(verdict, troubles);
  if (!trouble) return { satisfied: verdict.satisfied, reason: verdict.reason, text: explainNeed(verdict) };
  return { satisfied: false, reason: undefined, text: sentence(trouble) };
}

/** Whether something keeps machines from the row that the plan cannot know. Cheap: there may be very many rows. */
export function isHindered(verdict: NeedVerdict, troubles = NO_TROUBLE): boolean {
  return troubleOf(verdict, troubles) !== undefined;
}

export function isSatisfied(verdict: NeedVerdict, troubles = NO_TROUBLE): boolean {
  return verdict.satisfied && !isHindered(verdict, troubles);
}

/** Numbers apart it stays the same while machines come: a sentence that changes is written anew at every request. */
function sentence({ words, onTheWay }: RowTrouble): string {
  if (onTheWay === 0) return `A machine chosen for it does not come: ${words}.`;
  return `Machines on the way for it: ${onTheWay}; another one does not come: ${words}.`;
}

/** What keeps the row from what it counts on, or from what it lacks. */
function troubleOf({ need, satisfied, inFlight, reason }: NeedVerdict, troubles: ReadonlyMap<string, RowTrouble>): RowTrouble | undefined {
  if (troubles.size === 0) return undefined;
  const trouble = troubles.get(rowKey(need));
  if (!trouble || (satisfied && trouble.isPresent)) return trouble;
  // Machines that were refused rest: the plan cannot tell that from machines which are not there.
  const isMissed = satisfied ? inFlight > 0 : reason === 'NO_MATCHING_SUPPLY' || reason === 'SUPPLY_EXHAUSTED';
  return isMissed && trouble.wasRefused ? trouble : undefined;
}
