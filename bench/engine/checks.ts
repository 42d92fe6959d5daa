/** What must be true of every plan that is timed. Failures are sentences; a time of wrong decisions says nothing. */
import { requirementHolds } from '../../src/api/profile.ts';
import type { Action, ActionKind, Need, Plan, ResourceVector } from '../../src/engine/types.ts';
import { TYPE_KEY, ZONE_KEY } from './demand.ts';
import type { Fleet, IntentKind, Kind } from './fleet.ts';

export interface Expected {
  /** Absent: which ones there are, is not known beforehand. */
  readonly actions?: Readonly<Partial<Record<ActionKind, number>>>;
  readonly satisfied: number;
  readonly unmet: number;
}

/** Compares text renderings, so that a failure shows both sides. */
export function mismatch(what: string, seen: unknown, expected: unknown): string[] {
  const [a, b] = [canonical(seen), canonical(expected)];
  return a === b ? [] : [`${what}: expected ${b}, found ${a}`];
}

/** The numbers of a plan, and that its parts agree with each other and with the fleet. */
export function planFailures(plan: Plan, fleet: Fleet, needs: number, expected: Expected): string[] {
  const satisfied = plan.verdicts.filter((v) => v.satisfied).length;
  return [
    ...(expected.actions ? mismatch('actions by kind', actionsByKind(plan), expected.actions) : []),
    ...mismatch('satisfied Needs', satisfied, expected.satisfied),
    ...mismatch('unmet Needs', plan.verdicts.length - satisfied, expected.unmet),
    ...mismatch('stats.unmet', plan.stats.unmet, expected.unmet),
    ...mismatch('stats.actions', plan.stats.actions, actionsByKind(plan)),
    ...mismatch('stats.needs', plan.stats.needs, needs),
    ...mismatch('stats.machines', plan.stats.machines, fleet.size),
    ...mismatch('stats.byState', plan.stats.byState, fleet.countByState()),
    ...mismatch('acquisitions by Need and by action', acquisitionsOfVerdicts(plan), acquisitionsOfActions(plan)),
    ...illegalActions(plan, fleet),
  ];
}

/** Every machine that is not Speculative has a reason, and so has every one acted on. */
export function reasonFailures(plan: Plan, fleet: Fleet): string[] {
  let reasons = 0;
  for (const _ of plan.machineReasons) reasons++;
  const bought = plan.actions.filter((a) => a.kind === 'Provision').length;
  const promised = countOf(fleet, (i) => fleet.stateOf(i) === 'Speculative' && fleet.intentOf(i) !== 'none');
  const expected = fleet.size - fleet.countByState().Speculative + bought + promised;
  return mismatch('machines with a reason', reasons, expected);
}

export function actionsByKind(plan: Plan): Partial<Record<ActionKind, number>> {
  const counts: Partial<Record<ActionKind, number>> = {};
  for (const { kind } of plan.actions) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}

/** Machines that Needs were credited with or acquired. Gangs that were planned as one share one count. */
export function machinesOfVerdicts(plan: Plan): number {
  return Math.round(plan.verdicts.reduce((sum, v) => sum + v.machines / (v.sharedBy ?? 1), 0));
}

function acquisitionsOfVerdicts(plan: Plan): readonly [idle: number, speculative: number] {
  const sum = (read: (v: Plan['verdicts'][number]) => number): number =>
    Math.round(plan.verdicts.reduce((total, v) => total + read(v) / (v.sharedBy ?? 1), 0));
  return [sum((v) => v.bootstraps), sum((v) => v.provisions)];
}

function acquisitionsOfActions(plan: Plan): readonly [idle: number, speculative: number] {
  const { Bootstrap = 0, Provision = 0 } = actionsByKind(plan);
  return [Bootstrap, Provision];
}

/** At most one example of each kind of mistake: thousands of them would say no more. */
function illegalActions(plan: Plan, fleet: Fleet): string[] {
  const failures = new Map<string, string>();
  const seen = new Set<string>();
  for (const action of plan.actions) {
    const index = fleet.indexOf(action.machineId);
    const state = fleet.stateOf(index);
    const mistake = seen.has(action.machineId)
      ? 'machine acted on twice'
      : !isLegal(action, state, fleet.intentOf(index))
        ? `${action.kind} of a machine in state ${state} with intent ${fleet.intentOf(index)}`
        : action.need !== undefined && !suits(fleet.kindOf(index), action.need)
          ? `${action.kind} of a machine that the Need does not accept`
          : undefined;
    if (mistake !== undefined && !failures.has(mistake)) failures.set(mistake, `${mistake}: ${action.machineId}`);
    seen.add(action.machineId);
  }
  return [...failures.values()];
}

function isLegal({ kind }: Action, state: string, intent: IntentKind): boolean {
  switch (kind) {
    case 'Bootstrap':
    case 'Delete':
      return state === 'Idle' && intent === 'none';
    case 'Provision':
      return state === 'Speculative' && intent === 'none';
    case 'Reclaim':
    case 'Preempt':
      return state === 'Configured' && intent === 'none';
    case 'Withdraw':
      return intent === 'bind';
  }
}

function suits(kind: Kind, need: Need): boolean {
  const has = (key: string): string | undefined => (key === TYPE_KEY ? kind.instanceType : key === ZONE_KEY ? kind.zone : kind.labels[key]);
  return need.profile.requirements.every((r) => requirementHolds(r, has(r.key))) && covers(kind.allocatable, need.minUnit);
}

function covers(have: ResourceVector, want: ResourceVector): boolean {
  return want.every(([name, amount]) => (have.find(([n]) => n === name)?.[1] ?? 0) >= amount);
}

function countOf(fleet: Fleet, holds: (index: number) => boolean): number {
  let count = 0;
  for (let i = 0; i < fleet.size; i++) if (holds(i)) count++;
  return count;
}

function canonical(value: unknown): string {
  if (value === null || typeof value !== 'object' || Array.isArray(value)) return JSON.stringify(value) ?? 'nothing';
  const entries = Object.entries(value).filter(([, v]) => v !== 0 && v !== undefined);
  return JSON.stringify(Object.fromEntries(entries.sort(([a], [b]) => (a < b ? -1 : 1))));
}
