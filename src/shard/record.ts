import type { Assignment, EngineMachine, MachineReason, Millis } from '../engine/types.ts';
import type { FailureClass } from '../provider/failure-class.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import type { Requirement } from '../api/profile.ts';

/** What was decided about one machine and is not yet so; mirrored in Machine.spec. Absent = nothing decided. */
export type MachineIntent =
  | {
      readonly kind: 'bind';
      readonly to: Assignment;
      /** Sent with the bootstrap request; empty after a restart until the Need is seen again. */
      readonly requirements: readonly Requirement[];
      readonly reason: string;
      readonly decidedAt: Millis;
      /** Once true the binding can no longer be withdrawn: the provider may have acted on it. */
      readonly configureSent: boolean;
      /** The provider took no offence at the machine but at what was asked of it for this cluster: only the two together rest. */
      readonly rest?: { readonly refusals: number; readonly until: Millis };
    }
  | {
      readonly kind: 'unbind';
      readonly reason: string;
      readonly graceSeconds: number;
      readonly preemptorPriority: number;
      readonly decidedAt: Millis;
      /** A person asked for it. */
      readonly byPerson?: true;
      /** An operator was told to empty the machine: its Node takes no Pods until the operator hears that the machine stays. */
      readonly isTold?: true;
    }
  | {
      readonly kind: 'release';
      readonly reason: string;
      readonly decidedAt: Millis;
      /** A person asked for it: also a Failed machine is to go. */
      readonly byPerson?: true;
    };

export type OperationKind = 'Create' | 'Configure' | 'Drain' | 'Delete';

/** All that a provider is asked. */
export type CallKind = OperationKind | 'Get' | 'List';

/** The provider operation under way, as Machine.status.operation shows it. */
export interface Operation {
  readonly kind: OperationKind;
  readonly operationId: string;
  /** Of the fencing token of the last call; absent until it was sent. */
  readonly sequence?: number;
  readonly startedAt: Millis;
  readonly attempts: number;
  /** Of these, how many the provider refused; absent = none. */
  readonly refusals?: number;
  /** After a try that brought no answer: not tried again before. Absent = at once. */
  readonly retryAt?: Millis;
  /** A try brought no answer, and may take effect until then, whatever is said to later ones; absent = all were answered. */
  readonly inDoubtUntilMonotonicMs?: number;
  /** What the provider said to the last try while an earlier one was in doubt: no verdict before the machine was looked at after that time. */
  readonly held?: Refusal;
  readonly lastError: string;
}

/** A provider's definite no. */
export interface Refusal {
  /** The name of the status code: what makes two refusals the same one, whatever their words. */
  readonly code: string;
  /** What was refused, and the provider's own words. */
  readonly words: string;
  readonly kind: FailureClass;
  /** Asking again is of no use. */
  readonly isFinal: boolean;
  /** The provider knows no such machine. */
  readonly isGone: boolean;
  /** Not the machine is the trouble but what was asked of it: another one would be refused as well. */
  readonly isOfRequest: boolean;
}

/** A drain that was given up because the provider refused it time and again. The machine serves on. */
export interface DrainRefusal {
  /** What the provider said, and the name of its status code. */
  readonly words: string;
  readonly code: string;
  /** Until then it is chosen for no drain; 0 = it may be again. */
  readonly until: Millis;
  /** How often in a row a drain was given up: the rest grows with it. */
  readonly spells: number;
}

/** All that the shard knows about one machine. Only Inventory changes it. */
export interface MachineRecord {
  /** What the provider last said. */
  readonly seen: ProviderMachine;
  /** False: no provider has described it to this process, only its object has. */
  readonly isListed: boolean;
  /** The CapacityProvider that has it; '' where there is only one to speak of. */
  readonly provider: string;
  /** Whom a bound machine serves. */
  readonly assigned: Assignment | undefined;
  readonly intent: MachineIntent | undefined;
  /** Set by a person on the Machine object. */
  readonly hold: boolean;
  /** When the machine entered its state, as far as we saw. */
  readonly since: Millis;
  readonly operation: Operation | undefined;
  /** A provider call is in flight: what a List says meanwhile may be older than its answer. */
  readonly busy: boolean;
  /** Something was ignored while busy: ask the provider again. */
  readonly recheck: boolean;
  /** Past the transition deadline of its state. */
  readonly stuck: boolean;
  /** After a definite refusal by the provider the machine is chosen for nothing until then. */
  readonly coolUntil: Millis;
  /** Its drain was given up and nothing has changed about the machine since. */
  readonly drainRefusal?: DrainRefusal | undefined;
  /** What keeps Pods on it although it is to leave, in its operator's words. */
  readonly heldBy?: string | undefined;
  /** What kept the last attempt from carrying out what was decided, in words; '' = nothing. */
  readonly obstacle: string;
  /** What has to change before what was decided is begun, in words, although no attempt has failed; absent = nothing. */
  readonly standstill?: string | undefined;
  /** Consecutive successful full Lists that did not name it. */
  readonly missedLists: number;
  /** Why what the last plan says of it is not done; absent = it is, or nothing is to be done. */
  readonly withheld?: string | undefined;
  /** The engine's current reason. */
  readonly why: MachineReason | undefined;
}

/** The cluster that should hear of this machine: its owner, or from the decision on the one it is meant for (D34). */
export function clusterOf(record: MachineRecord): string {
  if (record.seen.cluster) return record.seen.cluster;
  return record.intent?.kind === 'bind' ? record.intent.to.cluster : '';
}

/** It can be given back to its provider, and bought again. */
export function isElastic({ capacityType }: Pick<ProviderMachine, 'capacityType'>): boolean {
  return capacityType === 'OnDemand' || capacityType === 'Spot';
}

/** `isUntrusted`: its provider's word is not to be relied on, while others' is. */
export function toEngineMachine(record: MachineRecord, now: Millis, isUntrusted = false): EngineMachine {
  const { seen, intent } = record;
  return {
    id: seen.id,
    state: seen.state,
    cluster: seen.cluster,
    instanceType: seen.instanceType,
    zone: seen.zone,
    capacityType: seen.capacityType,
    labels: seen.labels,
    allocatable: seen.allocatable,
    priceMicroUsdPerHour: seen.priceMicroUsdPerHour,
    interruptionProbability: seen.interruptionProbability,
    ...(record.assigned && { assigned: record.assigned }),
    ...(intent && {
      intent:
        intent.kind === 'bind'
          ? { kind: 'bind' as const, to: intent.to, configureSent: intent.configureSent }
          : // What a person has released is deleted once it is drained: it comes free for nobody.
            { kind: intent.kind === 'unbind' && intent.byPerson && isElastic(seen) ? ('release' as const) : intent.kind },
    }),
    hold: record.hold,
    // One that is to leave does so all the while: its preemptor waits for it, and nobody counts on it anyway.
    stuck: record.stuck || (record.coolUntil > now && intent?.kind !== 'unbind'),
    ...(record.drainRefusal && record.drainRefusal.until > now && { drainRefused: true }),
    ...(isUntrusted && { untrusted: true }),
    ...(seen.state === 'Failed' && seen.host && { hasHost: true }),
  };
}
