import { DecisionKind } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { Explanation } from '../api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineReason, NeedVerdict } from '../engine/types.ts';
import { tellNeed } from '../shard/need-telling.ts';
import type { Troubles } from '../shard/row-troubles.ts';

/** What a reason amounts to, for those who only want to know that. */
const KINDS: Readonly<Record<MachineReason['code'], DecisionKind>> = {
  Serving: DecisionKind.DECISION_KIND_KEPT,
  AcquiredIdle: DecisionKind.DECISION_KIND_ACQUIRED,
  AcquiredSpeculative: DecisionKind.DECISION_KIND_ACQUIRED,
  InFlight: DecisionKind.DECISION_KIND_ACQUIRED,
  Preempted: DecisionKind.DECISION_KIND_PREEMPTED,
  Reserved: DecisionKind.DECISION_KIND_PREEMPTED,
  Excess: DecisionKind.DECISION_KIND_RECLAIMED,
  ExcessWithinPatience: DecisionKind.DECISION_KIND_HELD,
  ExcessCapped: DecisionKind.DECISION_KIND_BLOCKED,
  ExcessNoRollupYet: DecisionKind.DECISION_KIND_BLOCKED,
  ExcessNoSession: DecisionKind.DECISION_KIND_BLOCKED,
  ExcessDoNotDisrupt: DecisionKind.DECISION_KIND_BLOCKED,
  ExcessDrainRefused: DecisionKind.DECISION_KIND_BLOCKED,
  ExcessConfiguring: DecisionKind.DECISION_KIND_BLOCKED,
  ArrivingForNobody: DecisionKind.DECISION_KIND_UNUSED,
  SupplyUntrusted: DecisionKind.DECISION_KIND_BLOCKED,
  IdleHeld: DecisionKind.DECISION_KIND_HELD,
  IdleKept: DecisionKind.DECISION_KIND_HELD,
  HoldExpired: DecisionKind.DECISION_KIND_RELEASED,
  Available: DecisionKind.DECISION_KIND_UNUSED,
  NoLongerNeeded: DecisionKind.DECISION_KIND_UNUSED,
  HeldByPerson: DecisionKind.DECISION_KIND_HELD,
  Stuck: DecisionKind.DECISION_KIND_BLOCKED,
  Leaving: DecisionKind.DECISION_KIND_RECLAIMED,
  Failed: DecisionKind.DECISION_KIND_BLOCKED,
};

/** The engine's reason as the wire tells it: a code, its operands, and `text`, the one sentence that everything prints. */
export function machineExplanation(reason: MachineReason, told: { readonly code: string; readonly text: string }, decidedAtMs = 0): Explanation {
  const { code, ...operands } = reason;
  return {
    kind: KINDS[code],
    code: told.code,
    operands: Object.entries(operands).map(([name, value]) => ({ name, value: String(value) })),
    text: told.text,
    decidedAtUnixNanos: nanos(decidedAtMs),
  };
}

export function needExplanation(verdict: NeedVerdict, troubles?: Troubles): Explanation {
  const { satisfied, code, text } = tellNeed(verdict, troubles);
  return {
    kind: satisfied ? DecisionKind.DECISION_KIND_KEPT : DecisionKind.DECISION_KIND_BLOCKED,
    code,
    operands: [
      { name: 'machines', value: String(verdict.machines) },
      { name: 'inFlight', value: String(verdict.inFlight) },
    ],
    text,
    decidedAtUnixNanos: 0n,
  };
}

/** What holds a cluster or the shard back as a whole. */
export function obstacle(code: string, text: string): Explanation {
  return { kind: DecisionKind.DECISION_KIND_BLOCKED, code, operands: [], text, decidedAtUnixNanos: 0n };
}

/** Unix nanoseconds of Unix milliseconds. */
export function nanos(ms: number): bigint {
  return BigInt(Math.round(ms)) * 1_000_000n;
}
