/**
 * A plan as a document (docs/engine-snapshot.md): actions, verdicts and reasons as data, and, for people, the sentence that
 * explain.ts makes of each. Equal plans give equal texts.
 */
import { explainMachine, explainNeed } from '../engine/explain.ts';
import type { Action, Assignment, MachineReason, MemoryChange, Millis, Need, NeedVerdict, Plan, ResourceVector } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { finish, inSteps } from '../lib/steps.ts';
import { PLAN_FORMAT } from './document.ts';
import { patternsInSteps } from './id-pattern.ts';
import { writeResources } from './values.ts';

type Quantities = Readonly<Record<string, string>>;

/** Which Need is meant: what makes it one row. */
export interface NeedName {
  readonly cluster: string;
  readonly fingerprint: string;
  readonly group: string;
  readonly unitClass: string;
}

export interface ActionReport extends Omit<Action, 'need' | 'to'> {
  readonly to?: Assignment;
  readonly need?: NeedName;
  readonly sentence?: string;
}

/** The verdict, with the Need by name and amounts as quantities. */
export interface VerdictReport extends NeedName, Omit<NeedVerdict, 'need' | 'deficit' | 'preemption'> {
  readonly priority: number;
  readonly aggregate: Quantities;
  readonly minUnit: Quantities;
  readonly deficit: Quantities;
  readonly preemption?: { readonly victims: number; readonly freed: Quantities };
  readonly sentence?: string;
}

export interface ReasonReport {
  /** Patterns of names, as in a snapshot. */
  readonly machines: readonly string[];
  readonly reason: MachineReason;
  readonly sentence?: string;
}

export interface PlanReport {
  readonly format: typeof PLAN_FORMAT;
  readonly at: Millis;
  readonly actions: readonly ActionReport[];
  readonly verdicts: readonly VerdictReport[];
  /** Machines that have the same reason together; in the order of their first names. */
  readonly reasons: readonly ReasonReport[];
  readonly memory: readonly MemoryChange[];
  readonly wakeAt?: Millis;
  readonly stats: Plan['stats'];
}

/** The plan as data. `sentences` adds what explain.ts says; what is compared goes without, for a wording is no decision. */
export function planReport(plan: Plan, sentences = true): PlanReport {
  return finish(reportInSteps(plan, sentences));
}

/** The same bit by bit, so that others get their turn in between. */
export function* reportInSteps(plan: Plan, sentences: boolean): Generator<undefined, PlanReport> {
  const actions: ActionReport[] = [];
  yield* inSteps(plan.actions, (action) => actions.push(actionReport(action, sentences)));
  const verdicts: VerdictReport[] = [];
  yield* inSteps(plan.verdicts, (verdict) => verdicts.push(verdictReport(verdict, sentences)));
  return {
    format: PLAN_FORMAT,
    at: plan.at,
    actions,
    verdicts,
    reasons: yield* reasonReports(plan, sentences),
    memory: plan.memory,
    ...(plan.wakeAt !== undefined && { wakeAt: plan.wakeAt }),
    stats: plan.stats,
  };
}

/** The plan's data as one text, byte for byte the same for equal plans: keys in order, one action, verdict or reason per line. */
export function formatPlan(plan: Plan): string {
  return formatReport(planReport(plan, false));
}

/** Also takes a report that was read back from a document; its sentences are left out. */
export function formatReport(report: unknown): string {
  const fields = Object.entries(withoutSentences(report) as object).sort(([a], [b]) => compareText(a, b));
  const lines = fields.map(([name, value]) => {
    if (!Array.isArray(value) || value.length === 0) return `${JSON.stringify(name)}: ${JSON.stringify(value)}`;
    return `${JSON.stringify(name)}: [\n${value.map((item) => `  ${JSON.stringify(item)}`).join(',\n')}\n]`;
  });
  return `{\n${lines.join(',\n')}\n}\n`;
}

function withoutSentences(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutSentences);
  if (typeof value !== 'object' || value === null) return value;
  const kept = Object.entries(value).filter(([name, inner]) => name !== 'sentence' && inner !== undefined);
  return Object.fromEntries(kept.sort(([a], [b]) => compareText(a, b)).map(([name, inner]) => [name, withoutSentences(inner)]));
}

export function nameOf({ cluster, fingerprint, group, unitClass }: Need): NeedName {
  return { cluster, fingerprint, group, unitClass };
}

function actionReport(action: Action, sentences: boolean): ActionReport {
  const { need, ...rest } = action;
  return { ...rest, ...(need !== undefined && { need: nameOf(need) }), ...(sentences && { sentence: explainMachine(action.reason) }) };
}

function verdictReport(verdict: NeedVerdict, sentences: boolean): VerdictReport {
  const { need, deficit, preemption, ...rest } = verdict;
  return {
    ...nameOf(need),
    priority: need.profile.priority,
    aggregate: quantities(need.aggregate),
    minUnit: quantities(need.minUnit),
    ...rest,
    deficit: quantities(deficit),
    ...(preemption !== undefined && { preemption: { victims: preemption.victims, freed: quantities(preemption.freed) } }),
    ...(sentences && { sentence: explainNeed(verdict) }),
  };
}

function quantities(vector: ResourceVector): Quantities {
  return writeResources(vector);
}

function* reasonReports(plan: Plan, sentences: boolean): Generator<undefined, ReasonReport[]> {
  interface Alike { readonly ids: string[]; readonly reason: MachineReason }
  const groups = new Map<string, Alike>();
  // Most machines share the very object.
  const known = new Map<MachineReason, Alike>();
  yield* inSteps(plan.machineReasons, ([id, reason]) => {
    let group = known.get(reason);
    if (group === undefined) {
      const key = JSON.stringify(reason);
      group = groups.get(key) ?? { ids: [], reason };
      groups.set(key, group);
      known.set(reason, group);
    }
    group.ids.push(id);
  });
  const reports: ReasonReport[] = [];
  for (const { ids, reason } of groups.values()) {
    reports.push({ machines: yield* patternsInSteps(ids), reason, ...(sentences && { sentence: explainMachine(reason) }) });
  }
  return reports;
}
