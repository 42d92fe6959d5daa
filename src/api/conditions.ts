import { timestamp } from '../lib/timestamp.ts';
import type { Condition } from './types.ts';

/** What is found now; since when it has been so, follows from the conditions before. */
export interface Finding {
  readonly type: string;
  readonly status: Condition['status'];
  readonly reason: string;
  readonly message: string;
}

/** The conditions after `findings`: others stay, the transition time moves only with the status. `now` is RFC 3339; `generation` is that of the object looked at. */
export function withConditions(current: readonly Condition[] | undefined, findings: readonly Finding[], now: string, generation?: number): Condition[] {
  const next = new Map((current ?? []).map((c) => [c.type, c]));
  for (const finding of findings) next.set(finding.type, { ...finding, ...(generation !== undefined && { observedGeneration: generation }), lastTransitionTime: transitionTime(next.get(finding.type), finding.status, now) });
  return [...next.values()];
}

/** Makes conditions of one generation that hold or do not; the transition time moves only with the status. `at` in Unix ms. */
export function conditionMaker(previous: readonly Condition[], generation: number, at: number) {
  const now = timestamp(at);
  return (type: string, holds: boolean, reason: string, message: string): Condition => {
    const status = holds ? 'True' : 'False';
    return { type, status, reason, message, observedGeneration: generation, lastTransitionTime: transitionTime(previous.find((c) => c.type === type), status, now) };
  };
}

function transitionTime(before: Condition | undefined, status: Condition['status'], now: string): string {
  return before?.status === status ? before.lastTransitionTime : now;
}
