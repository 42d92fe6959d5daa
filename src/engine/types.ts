/**
 * The engine's surface (decision D6). The engine is pure: what it knows arrives by `apply`, what it decides leaves by
 * `plan`; it performs no I/O, reads no clock and holds no promise. Equal inputs give equal plans, in any order of arrival.
 */
import type { Profile } from '../api/profile.ts';

/** Unix milliseconds, always handed in. */
export type Millis = number;

/** Amounts in base units (memory-like dimensions in bytes, everything else in milli), sorted by name, no duplicates. */
export type ResourceVector = readonly (readonly [name: string, amount: number])[];

export type MachineState =
  | 'Speculative' | 'Creating' | 'Idle' | 'Configuring' | 'Configured' | 'Draining' | 'Deleting' | 'Failed';

export type CapacityType = 'Unspecified' | 'BareMetal' | 'Reserved' | 'OnDemand' | 'Spot';

/** For whom a machine is, or is to be, bound: what Machine.spec.binding and the provider's shard_metadata carry, but for the unit class. */
export interface Assignment {
  readonly cluster: string;
  readonly fingerprint: string;
  /** `*` = gangs of that profile that share machines, none in particular. */
  readonly group: string;
  readonly priority: number;
  readonly interruptionBucket: number;
  readonly reclamationBucket: number;
  /** Of the row: rows of one demand that differ in it each have machines of their own. Absent = not known, as after a restart. */
  readonly unitClass?: string;
}

/**
 * What has been decided for a machine and is not yet reality. `bind` counts as supply from the decision on (D34) and may
 * be withdrawn while `configureSent` is false; `unbind` and `release` take the machine out of every pool.
 */
export type Intent =
  | { readonly kind: 'bind'; readonly to: Assignment; readonly configureSent: boolean }
  | { readonly kind: 'unbind' }
  | { readonly kind: 'release' };

export interface EngineMachine {
  readonly id: string;
  readonly state: MachineState;
  /** Owner as the provider says; '' when unbound. */
  readonly cluster: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: CapacityType;
  readonly labels: Readonly<Record<string, string>>;
  /** allocatable if the provider gave it, else resources (spec: engine 1.2). */
  readonly allocatable: ResourceVector;
  readonly priceMicroUsdPerHour: number;
  /** Hourly, in [0, 1], declared by the provider only. */
  readonly interruptionProbability: number;
  /** For a machine that is bound (Configuring, Configured, Draining): whom it serves, if known. */
  readonly assigned?: Assignment;
  readonly intent?: Intent;
  /** A person's hold: chosen for nothing, taken from no one. */
  readonly hold: boolean;
  /** Past its transition deadline: counts for nobody. */
  readonly stuck: boolean;
  /** Its provider refused to drain it: it serves on, and is taken from nobody for a while. */
  readonly drainRefused?: boolean;
  /** What its provider says cannot be relied on, while others can be: chosen for nothing, taken from nobody; what it serves counts on. */
  readonly untrusted?: boolean;
  /** Only of Failed ones: its provider names a host still, which costs money until it is deleted. */
  readonly hasHost?: boolean;
}

/** One demand row of one cluster. Identity is (cluster, fingerprint, group, unitClass); rows of equal identity are summed by `apply`. */
export interface Need {
  readonly cluster: string;
  readonly profile: Profile;
  readonly fingerprint: string;
  readonly group: string;
  readonly unitClass: string;
  readonly aggregate: ResourceVector;
  readonly minUnit: ResourceVector;
}

/** What an operator says about one bound machine's Node (D13, D18). */
export interface NodeHint {
  readonly machineId: string;
  readonly ready: boolean;
  readonly pods: number;
  readonly disruptionCost: number;
  readonly doNotDisrupt: boolean;
}

export interface Policy {
  /** Share of a cluster's Configured machines that one plan may reclaim, at least one; 0 = no cap. */
  readonly reclaimCapFraction: number;
  /** What was reclaimed of a cluster within so many ms before the plan counts against its share; absent or 0 = nothing does. */
  readonly reclaimCapMs?: number;
  /** At most so many machines of one cluster on their way out (unbind intent or Draining) at a time; 0 = no limit. */
  readonly maxConcurrentDrainsPerCluster: number;
  /** 0 = no limit; counts reclaims of the trailing 60 s kept in memory. */
  readonly maxReclaimsPerMinute: number;
  readonly holds: { readonly onDemandMs: number; readonly spotMs: number; readonly occupiedExcessMs: number };
  readonly limits: { readonly machines?: number; readonly microUsdPerHour?: number };
  readonly reclaimGraceSeconds: number;
  /** Grace of a preempted machine's Pods by the gap between the priorities (spec: engine 8.6): above 900,000, 500,000, 100,000, and otherwise. */
  readonly preemptionGraceSeconds: readonly [number, number, number, number];
}

/** What is remembered between plans: explicit, snapshotable, changed only by `apply` of what `plan` returned. */
export type MemoryChange =
  | { readonly what: 'arrival'; readonly key: string; readonly at: Millis | null } // key: arrivalKey(cluster, fingerprint, group) (D5)
  | { readonly what: 'leftOverSince'; readonly key: string; readonly at: Millis | null } // key: machine id (D32)
  | { readonly what: 'idleSince'; readonly key: string; readonly at: Millis | null } // key: machine id
  | { readonly what: 'reclaims'; readonly key: string; readonly at: readonly Millis[] | null } // key: cluster, newest last
  /** A preempted machine is its preemptor's until it has arrived there (X2). Key: machine id. */
  | { readonly what: 'reservation'; readonly key: string; readonly to: Assignment | null };

export type Change =
  | { readonly kind: 'machines'; readonly upserted: readonly EngineMachine[]; readonly removed: readonly string[] }
  /** Full replacement of one cluster's demand; also opens that cluster's reclaim gate (spec: engine 9.1). */
  | { readonly kind: 'needs'; readonly cluster: string; readonly needs: readonly Need[] }
  /** null = the operator sends no hints at all. */
  | { readonly kind: 'hints'; readonly cluster: string; readonly hints: readonly NodeHint[] | null }
  | { readonly kind: 'session'; readonly cluster: string; readonly connected: boolean }
  /** False while a List is quarantined, stale or missing: nothing is taken away then. */
  | { readonly kind: 'supply'; readonly trusted: boolean }
  | { readonly kind: 'policy'; readonly policy: Policy }
  | { readonly kind: 'memory'; readonly changes: readonly MemoryChange[] };

export type ActionKind = 'Bootstrap' | 'Provision' | 'Reclaim' | 'Preempt' | 'Delete' | 'Withdraw';

export interface Action {
  readonly kind: ActionKind;
  readonly machineId: string;
  /** Bootstrap, Provision: for whom. Withdraw: whose binding is withdrawn. */
  readonly to?: Assignment;
  /** Requirements to send with the bootstrap request (Bootstrap, Provision). */
  readonly need?: Need;
  /** Reclaim, Preempt: the cluster that loses the machine. */
  readonly cluster: string;
  readonly graceSeconds: number;
  readonly preemptorPriority: number;
  readonly reason: MachineReason;
}

export type UnmetReason =
  | 'PRIORITY_STARVED' | 'NO_MATCHING_SUPPLY' | 'TOPOLOGY_UNSATISFIABLE' | 'PREEMPTION_EXHAUSTED' | 'PREEMPTION_IN_PROGRESS'
  | 'SUPPLY_EXHAUSTED' | 'SPREAD_UNSATISFIABLE' | 'LIMIT_REACHED' | 'NO_SESSION' | 'DISRUPTION_BLOCKED';

export interface DomainCoverage {
  readonly domain: string;
  /** The least covered dimension, creditable and free machines and what others could be made to give up together, at most 1000. */
  readonly coveragePerMille: number;
  readonly satisfiable: boolean;
}

/** What became of one Need in a plan. Everything that reports on demand prints this record. */
export interface NeedVerdict {
  readonly need: Need;
  readonly arrival: Millis;
  readonly satisfied: boolean;
  readonly deficit: ResourceVector;
  /** Absent when satisfied. */
  readonly reason?: UnmetReason;
  /** Machines credited or acquired, those on their way included. */
  readonly machines: number;
  readonly inFlight: number;
  readonly bootstraps: number;
  readonly provisions: number;
  readonly sameDomain?: string;
  /** Same Needs only: some domain can hold all of it. */
  readonly sameSatisfiable?: boolean;
  /** Same Needs that no domain can hold only: the best domains, best first, at most 5 (spec: engine 16). */
  readonly sameCandidates?: readonly DomainCoverage[];
  /** Machines preempted for it, in this plan or earlier, that have not arrived yet; present when there are any. Not part of `machines`. */
  readonly preemption?: { readonly victims: number; readonly freed: ResourceVector };
  /** So many gangs of equal size, this one among them, were planned as one because each fits on one machine; counts are of all of them. */
  readonly sharedBy?: number;
  /** Names what it was planned as together with other gangs, alike in all their verdicts and in the reasons of their machines. */
  readonly foldedAs?: string;
  /** Unmet only: shard-wide machines that match and cover min_unit, claims ignored, each capped at 256 (spec: engine 6.8). */
  readonly matchingSupply?: { readonly idle: number; readonly speculative: number; readonly configured: number; readonly capped: boolean };
}

/** The demand that a machine counts for: one row, or gangs that were planned as one. */
export interface ServedDemand {
  readonly cluster: string;
  /** Of the row; of gangs planned as one: of the first of them. */
  readonly fingerprint: string;
  readonly group: string;
  readonly unitClass: string;
  readonly priority: number;
  /** Gangs planned as one: all verdicts that carry this name are served; `group` is empty, and `unitClass` that of a gang. */
  readonly foldedAs?: string;
}

/** Why a machine is where it is: a code and its operands; `explain.ts` alone turns it into a sentence. */
export type MachineReason =
  | ({ readonly code: 'Serving' | 'InFlight' } & ServedDemand)
  | ({ readonly code: 'AcquiredIdle' | 'AcquiredSpeculative'; readonly effectiveMicroUsdPerHour: number } & ServedDemand)
  /** Taken from `cluster`, where it served demand of priority `victimPriority` (absent = none), for demand that ranks above. */
  | {
      readonly code: 'Preempted';
      readonly cluster: string;
      readonly victimPriority?: number;
      readonly forCluster: string;
      readonly fingerprint: string;
      readonly priority: number;
    }
  /** Preempted earlier and on its way to its preemptor. */
  | ({ readonly code: 'Reserved' } & ServedDemand)
  | { readonly code: 'Excess'; readonly cluster: string; readonly sinceMs: Millis }
  | { readonly code: 'ExcessWithinPatience'; readonly cluster: string; readonly sinceMs: Millis; readonly untilMs: Millis; readonly pods: number }
  | { readonly code: 'ExcessCapped'; readonly cluster: string; readonly rail: 'fraction' | 'perMinute' | 'concurrentDrains' }
  | { readonly code: 'ExcessNoRollupYet' | 'ExcessNoSession' | 'ExcessDoNotDisrupt' | 'ExcessDrainRefused'; readonly cluster: string }
  /** Wanted by no Need, but its Configure is under way: it can be taken back only once it is Configured. */
  | { readonly code: 'ExcessConfiguring'; readonly cluster: string }
  /** In transition without anything decided for it: supply for everybody once it is Idle. */
  | { readonly code: 'ArrivingForNobody' }
  | { readonly code: 'SupplyUntrusted' }
  | { readonly code: 'IdleHeld'; readonly untilMs: Millis }
  | { readonly code: 'IdleKept' } // BareMetal and Reserved are never released
  | { readonly code: 'HoldExpired'; readonly heldMs: number }
  | { readonly code: 'Available' }
  | { readonly code: 'NoLongerNeeded'; readonly cluster: string; readonly fingerprint: string }
  | { readonly code: 'HeldByPerson' }
  | { readonly code: 'Stuck'; readonly state: MachineState }
  | { readonly code: 'Leaving'; readonly cluster: string }
  | { readonly code: 'Failed' };

/**
 * Why each machine is where it is: of every machine that is not Speculative, and of every machine acted on. Iterates by
 * machine id. Read it before the engine's next plan: it is a view, not a copy.
 */
export interface MachineReasons extends Iterable<readonly [machineId: string, reason: MachineReason]> {
  get(machineId: string): MachineReason | undefined;
  /** Every machine whose reason is not what it was in the engine's last plan, and perhaps a few more. The reason may be gone. */
  readonly changed: Iterable<string>;
}

export interface Plan {
  readonly at: Millis;
  /** Acquisitions first, then withdrawals, reclaims (most expensive first), deletes. The objects are made when they are first read. */
  readonly actions: readonly Action[];
  /** One per Need, in the engine's order. */
  readonly verdicts: readonly NeedVerdict[];
  readonly machineReasons: MachineReasons;
  readonly memory: readonly MemoryChange[];
  /** When the passage of time alone may change the plan (a hold or a patience runs out); absent = only a change can. */
  readonly wakeAt?: Millis;
  readonly stats: {
    readonly machines: number;
    readonly needs: number;
    readonly unmet: number;
    readonly byState: Readonly<Record<MachineState, number>>;
    readonly microUsdPerHour: number; // of all machines that cost money: not the Speculative, and of the Failed only those that have a host
    readonly actions: Readonly<Partial<Record<ActionKind, number>>>;
  };
}

/** Everything the engine knows, as data: feeding it to a fresh engine gives the same plan. */
export interface Snapshot {
  readonly machines: readonly EngineMachine[];
  readonly needs: ReadonlyMap<string, readonly Need[]>; // by cluster; present = reported
  readonly hints: ReadonlyMap<string, readonly NodeHint[] | null>;
  readonly sessions: ReadonlySet<string>;
  readonly supplyTrusted: boolean;
  readonly policy: Policy;
  readonly memory: readonly MemoryChange[];
}

/** What the engine knew at one moment, for whoever reads it bit by bit while the engine goes on. */
export interface Captured {
  /** By id; each is made when it is met, so that a large fleet need not be all there at once. */
  readonly machines: Iterable<EngineMachine>;
  /** Everything else. A step is a stretch of a millisecond or so; `lib/steps.ts` runs them. */
  rest(): Generator<undefined, Omit<Snapshot, 'machines'>>;
  /** Why each machine was where it was, by the engine's last plan, if nothing was applied since. `changed` is empty. */
  readonly machineReasons: MachineReasons;
}

export interface Engine {
  /** Feeds a change; cost follows the change. Throws on a change that breaks an invariant, naming the machine or row and the field. */
  apply(change: Change): void;
  /** Decides; changes no fact. The caller commits `plan.memory` and what it did with the actions by `apply`. */
  plan(now: Millis): Plan;
  /** The same plan, worked out without what was kept from the last one: what `plan` is checked against. */
  planInFull(now: Millis): Plan;
  /**
   * Compares everything that is kept with what it was worked out from (README.md): what differs, in words, at most one sentence for
   * each kind of figure; empty = nothing. In steps of a millisecond or two. undefined = what is known has changed between them,
   * by machines, demand, hints or memory that were told: nothing can be said then. No plan may be made meanwhile.
   */
  audit(): Generator<undefined, readonly string[] | undefined>;
  /**
   * Works out anew everything that is kept, as a fresh engine would that is told what this one knows. In steps; what it is told
   * between them is not lost.
   */
  rebuild(): Generator<undefined, void>;
  /** Does about `machines` machines' worth of the filing that the next plan needs; false = nothing is left to do. */
  settle(machines: number): boolean;
  snapshot(): Snapshot;
  /** The same in a few milliseconds, however many machines there are: they become objects later. */
  capture(): Captured;
}
