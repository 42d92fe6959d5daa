import { withConditions, type Finding } from '../api/conditions.ts';
import { CapacityRequestCondition as Type, Reason } from '../api/constants.ts';
import { UnmetReason } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import type { CapacityRequest, CapacityRequestStatus, Condition } from '../api/types.ts';
import { timestamp } from '../lib/timestamp.ts';
import type { Rejection } from './contribution.ts';
import { conditionOf } from './projections.ts';

/** What is known about one request's fate (D31). Everything in it may be absent: then nothing is claimed. */
export interface RequestFacts {
  readonly rejection: Rejection | undefined;
  /** Unix milliseconds at which the shard acknowledged a roll-up with this request in it. */
  readonly acknowledgedAtMs: number | undefined;
  /** The verdict has been waited for long enough: the phase is written without it. */
  readonly settled: boolean;
  readonly bound: boolean;
  /** Of the request's row, and only if it was computed with this request in it. */
  readonly verdict: Verdict | undefined;
  /** The scheduler's message, for a Pod that finds no place although its row is satisfied (D3). */
  readonly unfitting?: string | undefined;
}

export interface Verdict {
  readonly satisfied: boolean;
  /** CamelCase, '' when satisfied. */
  readonly reason: string;
  readonly text: string;
  readonly inFlight: number;
  /** Unmet for so long that it is worth telling. */
  readonly lasting: boolean;
  /** Unmet for this reason for so long that it is worth correcting another one. */
  readonly steady: boolean;
  /** Told in these words for so long, whatever the numbers in them. */
  readonly steadyText: boolean;
}

export interface StatusChange {
  readonly status: CapacityRequestStatus;
  /** Findings that have just become False, or are for another reason: worth an event, which is all that a Pod shows. */
  readonly complaints: readonly Finding[];
}

/**
 * The status to write, or undefined if the present one will do. One patch carries phase and conditions, and in the good
 * case it is the only one in the life of a request: acknowledged and satisfied at once. Pure.
 */
export function nextStatus(request: CapacityRequest, facts: RequestFacts, nowMs: number): StatusChange | undefined {
  const current = request.status;
  const now = timestamp(nowMs);
  const acknowledges = facts.acknowledgedAtMs !== undefined && current?.phase !== 'Acknowledged';
  const { generation } = request.metadata;
  // What was said is of an earlier wish: said again as soon as something is known of this one.
  const isStale = current?.observedGeneration !== undefined && generation !== undefined && current.observedGeneration !== generation;
  const told = [accepted(request, facts), satisfied(request, facts, isStale), fits(request, facts)].filter((f) => f !== undefined);
  const changes = told.filter((f) => isStale || differs(request, f));
  if (changes.length === 0 && !(acknowledges && (facts.settled || facts.bound || facts.verdict?.satisfied))) return undefined;

  const phase = acknowledges || current?.phase === 'Acknowledged' ? 'Acknowledged' : 'Pending';
  const acknowledgedAt = current?.acknowledgedAt ?? (acknowledges ? timestamp(facts.acknowledgedAtMs ?? nowMs) : undefined);
  const parts = withConditions(current?.conditions, told, now, generation);
  const conditions = parts.length > 0 ? withConditions(parts, summary(parts), now, generation) : [];
  return {
    status: { ...(generation !== undefined && { observedGeneration: generation }), phase, ...(acknowledgedAt ? { acknowledgedAt } : {}), ...(conditions.length > 0 ? { conditions } : {}) },
    complaints: changes.filter((f) => f.status === 'False' && !isKnown(f, conditionOf(current?.conditions, f.type))),
  };
}

function isKnown({ reason }: Finding, before: Condition | undefined): boolean {
  return before?.status === 'False' && before.reason === reason;
}

/** What the other conditions come to, for tools that look at any kind of object (kstatus, `kubectl wait`). */
function summary(conditions: readonly Condition[]): Finding[] {
  const not = (type: string): Condition | undefined => conditions.find((c) => c.type === type && c.status === 'False');
  const inexpressible = not(Type.Accepted);
  const obstacle = inexpressible ?? not(Type.Satisfied) ?? not(Type.Fits);
  const isSatisfied = conditionOf(conditions, Type.Satisfied)?.status === 'True';
  const { reason, message } = obstacle ?? { reason: isSatisfied ? 'Satisfied' : 'NotYetKnown', message: '' };
  return [
    { type: Type.Ready, status: isSatisfied && !obstacle ? 'True' : 'False', reason, message },
    ...(inexpressible || conditionOf(conditions, Type.Stalled) ? [{ type: Type.Stalled, status: inexpressible ? 'True' : 'False', reason, message } as const] : []),
  ];
}

/** Said only when it is False, or to take that back. */
function accepted(request: CapacityRequest, { rejection }: RequestFacts): Finding | undefined {
  if (rejection) return { type: Type.Accepted, status: 'False', reason: rejectionReason(rejection.field), message: `${rejection.field}: ${rejection.problem}` };
  if (!conditionOf(request.status?.conditions, Type.Accepted)) return undefined;
  return { type: Type.Accepted, status: 'True', reason: Reason.Accepted, message: '' };
}

function satisfied(request: CapacityRequest, { bound, verdict, rejection }: RequestFacts, isStale: boolean): Finding | undefined {
  const current = conditionOf(request.status?.conditions, Type.Satisfied);
  if (rejection) return undefined;
  if (bound) return { type: Type.Satisfied, status: 'True', reason: Reason.Bound, message: 'The Pod has a Node.' };
  if (!verdict) return undefined;
  if (verdict.satisfied) {
    if (current?.status === 'True' && !isStale) return undefined;
    const message = verdict.inFlight > 0 ? `Capacity is assigned; ${verdict.inFlight} machine(s) of it were still on their way then.` : 'Capacity is assigned.';
    return { type: Type.Satisfied, status: 'True', reason: Reason.CapacityAssigned, message };
  }
  const isCorrection = current?.status === 'False';
  const due = !isCorrection ? verdict.lasting : current.reason === verdict.reason ? verdict.steadyText : verdict.steady;
  return due ? { type: Type.Satisfied, status: 'False', reason: verdict.reason, message: verdict.text } : undefined;
}

function fits(request: CapacityRequest, { unfitting }: RequestFacts): Finding | undefined {
  if (unfitting !== undefined) return { type: Type.Fits, status: 'False', reason: Reason.UnschedulableDespiteCapacity, message: unfitting };
  if (conditionOf(request.status?.conditions, Type.Fits)?.status !== 'False') return undefined;
  return { type: Type.Fits, status: 'True', reason: 'Scheduled', message: '' };
}

function differs(request: CapacityRequest, { type, status, reason, message }: Finding): boolean {
  const current = conditionOf(request.status?.conditions, type);
  if (current?.status !== status) return true;
  if (type === Type.Satisfied) return current.reason !== reason || !sameWords(current.message, message);
  return status === 'False' && current.reason !== reason;
}

const NUMBER = /\d[\d.]*(?:[KMGTPE]i?|[numk])?\b/g;

/** Whether two sentences differ in numbers at most: those change with every machine, and are not worth a write. */
export function sameWords(a: string, b: string): boolean {
  return a === b || a.replace(NUMBER, '0') === b.replace(NUMBER, '0');
}

function rejectionReason(field: string): string {
  if (field.startsWith('spec.requirements')) return Reason.InvalidRequirement;
  return field.startsWith('spec.topologySpread') ? Reason.InvalidSpread : Reason.InvalidQuantity;
}

const UNMET_NAMES: ReadonlyMap<number, string> = new Map(
  Object.entries(UnmetReason)
    .filter((entry): entry is [string, Exclude<(typeof entry)[1], string>] => typeof entry[1] === 'number')
    .map(([name, number]) => [number, camelCase(name.replace(/^UNMET_REASON_/, ''))]),
);

/** `NoMatchingSupply` for UNMET_REASON_NO_MATCHING_SUPPLY; `Unmet` for what we do not know. */
export function unmetReasonName(reason: number): string {
  return reason === 0 ? 'Unmet' : (UNMET_NAMES.get(reason) ?? 'Unmet');
}

function camelCase(name: string): string {
  return name.toLowerCase().replace(/(?:^|_)([a-z0-9])/g, (_, c: string) => c.toUpperCase());
}
