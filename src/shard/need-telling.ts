import { explainNeed, isPreempting } from '../engine/explain.ts';
import type { NeedVerdict, Plan, UnmetReason } from '../engine/types.ts';
import type { RowTrouble, Troubles } from './row-troubles.ts';
import { keyOf } from './source-rows.ts';

/** What became of a Need, with what the plan cannot know: the one record that operators, readers and statuses are told. */
export interface NeedTelling {
  readonly satisfied: boolean;
  /** Absent where something keeps machines away that the plan counts on, or does not know of. */
  readonly reason: UnmetReason | undefined;
  /** In one word: `Satisfied`, the reason, `MachineDoesNotCome`, or `Withheld`. */
  readonly code: UnmetReason | 'Satisfied' | 'Unmet' | 'MachineDoesNotCome' | 'Withheld';
  /** One sentence, and one more for each thing that keeps machines away which an unmet row counts as its own. */
  readonly text: string;
}

const NO_TROUBLE: Troubles = new Map<string, RowTrouble>();

/** Pure. `troubles` by `rowKey`. A row is not satisfied by a machine that cannot come (spec: engine 20). */
export function tellNeed(verdict: NeedVerdict, troubles = NO_TROUBLE): NeedTelling {
  const trouble = troubleOf(verdict, troubles);
  if (trouble) return { satisfied: false, reason: undefined, code: 'MachineDoesNotCome', text: [sentence(trouble), ...whatLacks(verdict, troubles)].join(' ') };
  if (isWithheld(verdict, troubles)) return { satisfied: false, reason: undefined, code: 'Withheld', text: `Machines could serve it, and none is taken: ${troubles.withheld ?? ''}.` };
  const { satisfied, reason } = verdict;
  if (satisfied) return { satisfied, reason, code: 'Satisfied', text: explainNeed(verdict) };
  const text = [explainNeed(verdict, troubles.withheld), ...alsoLacking(verdict, troubles)].join(' ');
  // Whom it is to be taken from has it still.
  if (troubles.withheld !== undefined && isPreempting(verdict)) return { satisfied, reason: undefined, code: 'Withheld', text };
  return { satisfied, reason, code: reason ?? 'Unmet', text };
}

/** Beside a trouble: a plan's reason is none where machines rest that it cannot tell from such as are not there. */
function* whatLacks({ reason: _reason, ...verdict }: NeedVerdict, troubles: Troubles): Iterable<string> {
  if (verdict.satisfied) return;
  yield explainNeed(verdict);
  yield* notTaken(verdict, troubles);
}

/** Whether what is told of the row depends on more than the plan. Cheap: there may be very many rows. */
export function isHindered(verdict: NeedVerdict, troubles = NO_TROUBLE): boolean {
  if (troubles.withheld !== undefined && (acquires(verdict) || isPreempting(verdict))) return true;
  return troubles.size > 0 && (troubleOf(verdict, troubles) ?? presentTrouble(verdict, troubles)) !== undefined;
}

export function isSatisfied(verdict: NeedVerdict, troubles = NO_TROUBLE): boolean {
  return verdict.satisfied && !isHindered(verdict, troubles);
}

/** How many Needs are not satisfied, counting those that are met in the plan alone. */
export function countUnmet({ verdicts, stats }: Pick<Plan, 'verdicts' | 'stats'>, troubles = NO_TROUBLE): number {
  if (troubles.size === 0 && troubles.withheld === undefined) return stats.unmet;
  let unmet = 0;
  for (const verdict of verdicts) if (!isSatisfied(verdict, troubles)) unmet++;
  return unmet;
}

/** Numbers apart it stays the same while machines come: a sentence that changes is written anew at every request. */
function sentence({ words, onTheWay }: RowTrouble): string {
  if (onTheWay === 0) return `A machine chosen for it does not come: ${words}.`;
  return `Machines on the way for it: ${onTheWay}; another one does not come: ${words}.`;
}

/** Met only by what this plan would acquire. */
export function isMetInPlanAlone(verdict: NeedVerdict): boolean {
  return verdict.satisfied && acquires(verdict);
}

function acquires({ bootstraps, provisions }: NeedVerdict): boolean {
  return bootstraps + provisions > 0;
}

/** What an unmet row lacks beyond what its verdict says, because machines count as its own that do not come. */
function* alsoLacking(verdict: NeedVerdict, troubles: Troubles): Iterable<string> {
  yield* notTaken(verdict, troubles);
  const trouble = presentTrouble(verdict, troubles);
  if (trouble) yield `Nor does a machine come that was chosen for it: ${trouble.words}.`;
}

function* notTaken(verdict: NeedVerdict, { withheld }: Troubles): Iterable<string> {
  if (withheld !== undefined && acquires(verdict)) yield `Nor is anything taken that could serve it: ${withheld}.`;
}

/** What keeps machines away that count as the row's. */
function presentTrouble({ need }: NeedVerdict, troubles: Troubles): RowTrouble | undefined {
  const trouble = troubles.size === 0 ? undefined : troubles.get(keyOf(need));
  return trouble?.isPresent === true ? trouble : undefined;
}

function isWithheld(verdict: NeedVerdict, { withheld }: Troubles): boolean {
  return withheld !== undefined && isMetInPlanAlone(verdict);
}

/** What keeps the row from what it counts on, or from what it lacks. */
function troubleOf({ need, satisfied, inFlight, reason }: NeedVerdict, troubles: Troubles): RowTrouble | undefined {
  if (troubles.size === 0) return undefined;
  const trouble = troubles.get(keyOf(need));
  if (!trouble || (satisfied && trouble.isPresent)) return trouble;
  const isMissed = satisfied ? inFlight > 0 && trouble.hasOneCome !== true : reason !== undefined && MAY_BE_FOR_REFUSALS.has(reason);
  return isMissed && trouble.wasRefused ? trouble : undefined;
}

/** Machines that were refused rest: the plan cannot tell that from machines which are not there. */
const MAY_BE_FOR_REFUSALS: ReadonlySet<UnmetReason> = new Set(['NO_MATCHING_SUPPLY', 'SUPPLY_EXHAUSTED', 'TOPOLOGY_UNSATISFIABLE', 'SPREAD_UNSATISFIABLE']);
