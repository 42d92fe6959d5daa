/**
 * What the workload generator is to do, as data: both the built-in demand and a trace are turned into this before
 * anything starts. Times are milliseconds since the start of the run.
 */
export interface PlannedPod {
  readonly kind: 'pod';
  readonly atMs: number;
  readonly cluster: string;
  readonly name: string;
  /** From binding on; then the Pod is deleted. Infinity is written as absent: until a `finish-all`. */
  readonly lifeMs?: number;
  readonly priority: number;
  readonly requests: Readonly<Record<string, string>>;
  readonly labels?: Readonly<Record<string, string>>;
  /** Pod spec fields that constrain placement, as Kubernetes spells them. */
  readonly placement?: PodPlacement;
}

export interface PodPlacement {
  readonly nodeSelector?: Readonly<Record<string, string>>;
  readonly affinity?: object;
  readonly topologySpreadConstraints?: readonly object[];
  readonly tolerations?: readonly object[];
}

/** Tells people what happens now and why. */
export interface PlannedAct {
  readonly kind: 'act';
  readonly atMs: number;
  readonly act: string;
  readonly why: string;
}

/** Asks the provider to interrupt `count` machines, as a cloud would. */
export interface PlannedInterruption {
  readonly kind: 'interrupt';
  readonly atMs: number;
  readonly capacityType: 'Spot';
  readonly count: number;
}

/** Ends the life of every Pod that has none of its own. */
export interface PlannedFinish {
  readonly kind: 'finish-all';
  readonly atMs: number;
}

export type DemandStep = PlannedPod | PlannedAct | PlannedInterruption | PlannedFinish;

export interface DemandPlan {
  readonly source: 'builtin' | 'trace';
  readonly clusters: number;
  /** In order of atMs. */
  readonly steps: readonly DemandStep[];
  /** What the trace covers in its own time; absent for the built-in demand. */
  readonly traceSeconds?: number;
}

export function plannedPods(plan: DemandPlan): readonly PlannedPod[] {
  return plan.steps.filter((step) => step.kind === 'pod');
}
