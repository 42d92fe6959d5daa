/** Plans as short texts, for tests to compare. */
import type { Plan } from '../types.ts';

/** One line per action, in order: `Bootstrap m1 c1`. */
export function actionsOf(plan: Plan): string[] {
  return plan.actions.map((a) => [a.kind, a.machineId, a.cluster].filter((part) => part !== '').join(' '));
}

/** Machine ids of one kind of action, in order. */
export function idsOf(plan: Plan, kind: Plan['actions'][number]['kind']): string[] {
  return plan.actions.filter((a) => a.kind === kind).map((a) => a.machineId);
}

/** Reason code of each machine that has one, in the plan's order. */
export function codesOf(plan: Plan): Record<string, string> {
  return Object.fromEntries([...plan.machineReasons].map(([id, reason]) => [id, reason.code]));
}

/** A plan as bytes: equal plans give equal texts, order of machine reasons included. */
export function textOf(plan: Plan): string {
  return JSON.stringify({ ...plan, machineReasons: [...plan.machineReasons] });
}
