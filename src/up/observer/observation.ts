import type { DemandEvent } from '../../world/demand/state-log.ts';
import type { SeedInstance } from '../../world/seed-instance.ts';
import { DecisionLedger } from './decision-ledger.ts';
import { distribution } from './distribution.ts';
import type { Distribution } from './distribution.ts';
import { MachineLedger } from './machine-ledger.ts';
import { NodeLedger } from './node-ledger.ts';
import { PodLedger } from './pod-ledger.ts';
import type { LostPod } from './pod-ledger.ts';

/** Clocks are the same, but events and logs of several processes are not in one order to the millisecond. */
const SKEW_MS = 1_000;

export interface Violations {
  readonly doubleBound: number;
  readonly podsEvictedWithoutDecision: number;
  readonly notInProviderList: number;
}

/**
 * All that was seen from outside, and the judgement of it (spec: reports). Cause and effect come from different sources
 * that run apart by some milliseconds, so nothing is judged while it happens: the verdict looks at everything known.
 */
export class Observation {
  readonly machines: MachineLedger;
  readonly decisions = new DecisionLedger();
  readonly nodes = new NodeLedger();
  readonly pods = new PodLedger();
  /** Planned Pods: submitted, bound at least once, finished; Pods that replaced lost ones. */
  private readonly demand = { submitted: new Set<number>(), bound: new Set<number>(), finished: new Set<number>(), recreated: new Set<string>() };
  /** The present Pod of each step of the workload. */
  private readonly present = new Map<number, { readonly cluster: string; readonly pod: string }>();
  private demandStartedAt: number | undefined;

  constructor(seeds: readonly SeedInstance[]) {
    this.machines = new MachineLedger(seeds);
  }

  get startedAt(): number | undefined {
    return this.demandStartedAt;
  }

  counts(): { readonly submitted: number; readonly bound: number; readonly finished: number; readonly recreated: number } {
    const { submitted, bound, finished, recreated } = this.demand;
    return { submitted: submitted.size, bound: bound.size, finished: finished.size, recreated: recreated.size };
  }

  /** All planned Pods have finished, none lives, and nothing that costs money is held any more: nothing is bound, nothing created and kept. */
  isQuiet(planned: number): boolean {
    const { machines, nodes, pods } = this;
    return this.demand.finished.size >= planned && pods.aliveNow === 0 && machines.boundNow === 0 && machines.elasticIdle === 0 && nodes.count === 0;
  }

  /** One line of the workload's own log. */
  takeDemand(line: unknown): void {
    const event = line as DemandEvent;
    switch (event.e) {
      case 'start':
        this.demandStartedAt = event.t;
        this.machines.startAccount(event.t);
        break;
      case 'submit':
        this.demand.submitted.add(event.i);
        if (event.r > 0) this.demand.recreated.add(`${event.cluster}/${event.pod}`);
        this.pods.submitted(event.cluster, event.pod, event.t);
        this.present.set(event.i, event);
        break;
      case 'bound':
        this.demand.bound.add(event.i);
        this.noteBound(event.i, event.t);
        break;
      case 'finish':
        this.demand.finished.add(event.i);
        this.pods.ended(event.cluster, event.pod);
        break;
      case 'gone':
      case 'step':
        break;
    }
  }

  private noteBound(step: number, at: number): void {
    const pod = this.present.get(step);
    if (pod) this.pods.bound(pod.cluster, pod.pod, at);
  }

  violations(now: number): Violations {
    return {
      doubleBound: this.nodes.doubleBoundBy(now) + this.pods.doubleBound,
      podsEvictedWithoutDecision: this.unexcused().length,
      notInProviderList: [...this.nodes.bindings()].filter(({ machine, cluster }) => !this.machines.wasConfigured(machine, cluster)).length,
    };
  }

  /** One sentence for each Pod that went without a decision: where to begin to look. */
  accusations(): string[] {
    return this.unexcused().map((pod) => {
      const machine = this.nodes.machineOf(pod.cluster, pod.node) ?? 'no machine of ours';
      return `${pod.cluster}/${pod.name} went from Node ${pod.node} (${machine}) at ${new Date(pod.wentAt).toISOString()} without a decision`;
    });
  }

  private unexcused(): LostPod[] {
    return this.pods.lostPods().filter((pod) => !this.isExcused(pod));
  }

  latencies(): { podCreatedToMachineConfigured?: Distribution; podCreatedToBound?: Distribution } {
    const toBound: number[] = [];
    const toConfigured: number[] = [];
    for (const life of this.pods.boundLives()) {
      toBound.push(Math.max(0, life.boundAt - life.submittedAt));
      const machine = this.nodes.machineOf(life.cluster, life.node);
      const configuredAt = machine === undefined ? undefined : this.machines.lastConfigured(machine, life.cluster);
      // Only Pods for which a machine had to be configured: the others found one that was there already.
      if (configuredAt !== undefined && configuredAt >= life.submittedAt && configuredAt <= life.boundAt) toConfigured.push(configuredAt - life.submittedAt);
    }
    const bound = distribution(toBound);
    const configured = distribution(toConfigured);
    return { ...(configured && { podCreatedToMachineConfigured: configured }), ...(bound && { podCreatedToBound: bound }) };
  }

  /** Its machine had been taken from the cluster, or interrupted, after it was given to it and before the Pod went. */
  private isExcused(pod: LostPod): boolean {
    const machine = this.nodes.machineOf(pod.cluster, pod.node);
    const since = machine === undefined ? undefined : this.machines.givenBefore(machine, pod.cluster, pod.boundAt);
    if (machine === undefined || since === undefined) return false;
    const causes = [...this.decisions.takingsOf(machine), ...this.machines.interruptions(machine)];
    return causes.some((at) => at >= since && at <= pod.wentAt + SKEW_MS);
  }
}
