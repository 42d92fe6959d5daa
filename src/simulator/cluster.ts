/** One simulated cluster: its Pods, its Nodes, and a scheduler that binds the ones to the others. */
import { requirementHolds } from '../api/profile.ts';
import { INSTANCE_TYPE_LABEL, ZONE_LABEL } from '../api/constants.ts';
import { compareText } from '../lib/compare-text.ts';
import type { EngineMachine, Millis } from '../engine/types.ts';
import type { SimulatedPod, Template } from './pod.ts';

/** Which Node that fits is taken: the one with the fewest Pods, or the one whose resources are used the most. */
export type Placement = 'emptiest' | 'most-allocated';

export interface SimulatedNode {
  readonly machine: EngineMachine;
  readonly labels: Readonly<Record<string, string>>;
  readonly free: Map<string, number>;
  readonly pods: Set<SimulatedPod>;
  ready: boolean;
  cordoned: boolean;
  /** Whether Pods of a template may run here, resources aside. */
  readonly admits: Map<Template, boolean>;
}

export class Cluster {
  readonly name: string;
  readonly pods = new Map<string, SimulatedPod>();
  readonly nodes = new Map<string, SimulatedNode>();
  readonly #placement: Placement;
  readonly #triesPerPass: number;
  readonly #pending = new Set<SimulatedPod>();
  /** Those that the scheduler has still to try, first things first. Of no use to one that tries all at once. */
  readonly #queue = new Set<SimulatedPod>();
  /** With what is said of each. */
  readonly #refused = new Map<SimulatedPod, string>();
  /** Domain and number of bound Pods of each gang that has any. */
  readonly #gangs = new Map<string, { readonly domain: string; bound: number }>();
  #changed = false;

  /** `triesPerPass`: how many Pods its scheduler gets round to at a time. */
  constructor(name: string, placement: Placement, triesPerPass = Infinity) {
    this.name = name;
    this.#placement = placement;
    this.#triesPerPass = triesPerPass;
  }

  get pending(): ReadonlySet<SimulatedPod> {
    return this.#pending;
  }

  /** Pods of which the scheduler has said that they fit nowhere. It may not have looked since. */
  get unplaced(): Iterable<SimulatedPod> {
    return this.#triesPerPass === Infinity ? this.#pending : this.#refused.keys();
  }

  wordsOn(pod: SimulatedPod): string {
    return this.#refused.get(pod) ?? 'no Node has room';
  }

  get boundPods(): number {
    return this.pods.size - this.#pending.size;
  }

  submit(pod: SimulatedPod): void {
    this.pods.set(pod.id, pod);
    this.#pending.add(pod);
    this.#queue.add(pod);
    this.#changed = true;
  }

  remove(pod: SimulatedPod): void {
    this.pods.delete(pod.id);
    this.#forget(pod);
    const node = pod.machine === undefined ? undefined : this.nodes.get(pod.machine);
    if (node === undefined) return;
    node.pods.delete(pod);
    for (const [dimension, amount] of pod.template.amounts) node.free.set(dimension, (node.free.get(dimension) ?? 0) + amount);
    this.#leaveGang(pod.template);
    this.#changed = true;
  }

  join(machine: EngineMachine, ready: boolean): void {
    if (this.nodes.has(machine.id)) throw new Error(`machine "${machine.id}" joins cluster "${this.name}" twice`);
    this.nodes.set(machine.id, {
      machine, ready, labels: nodeLabels(machine), free: new Map(machine.allocatable), pods: new Set(), cordoned: false, admits: new Map(),
    });
    this.#changed = true;
  }

  becomesReady(machine: string): void {
    const node = this.nodes.get(machine);
    if (node === undefined || node.ready) return;
    node.ready = true;
    this.#changed = true;
  }

  cordon(machine: string): void {
    const node = this.nodes.get(machine);
    if (node) node.cordoned = true;
  }

  /** Takes the Node and its Pods out of the cluster; returns the Pods. */
  leave(machine: string): SimulatedPod[] {
    const node = this.nodes.get(machine);
    if (node === undefined) return [];
    const pods = [...node.pods];
    for (const pod of pods) this.remove(pod);
    this.nodes.delete(machine);
    return pods;
  }

  /** One pass of the scheduler: the highest priority first, then the longest waiting. Returns who was bound. */
  schedule(now: Millis): SimulatedPod[] {
    if (this.#triesPerPass < Infinity) return this.#scheduleSome(now);
    if (!this.#changed || this.#pending.size === 0) return [];
    this.#changed = false;
    const bound: SimulatedPod[] = [];
    // What does not fit now fits no later in this pass.
    const hopeless = new Set<Template>();
    for (const pod of [...this.#pending].sort((a, b) => b.template.priority - a.template.priority || a.sequence - b.sequence)) {
      if (hopeless.has(pod.template)) continue;
      const node = this.#choose(pod.template);
      if (node === undefined) hopeless.add(pod.template);
      else bound.push(this.#bind(pod, node, now));
    }
    return bound;
  }

  /** As far as it gets: when something has changed, those that fitted nowhere are tried again after all others. */
  #scheduleSome(now: Millis): SimulatedPod[] {
    if (this.#changed) for (const pod of this.#refused.keys()) this.#queue.add(pod);
    this.#changed = false;
    const bound: SimulatedPod[] = [];
    let left = this.#triesPerPass;
    for (const pod of this.#queue) {
      if (left-- === 0) break;
      this.#queue.delete(pod);
      const node = this.#choose(pod.template);
      if (node === undefined) this.#refused.set(pod, `no room on ${this.nodes.size} Nodes`);
      else bound.push(this.#bind(pod, node, now));
    }
    return bound;
  }

  #forget(pod: SimulatedPod): void {
    this.#pending.delete(pod);
    this.#queue.delete(pod);
    this.#refused.delete(pod);
  }

  /** What must hold of Pods and Nodes whatever happens; throws. */
  check(ownerOf: (machine: string) => string | undefined): void {
    let bound = 0;
    for (const [id, node] of this.nodes) {
      if (ownerOf(id) !== this.name) throw new Error(`machine "${id}" is a Node of "${this.name}" and belongs to "${ownerOf(id) ?? 'nobody'}"`);
      for (const pod of node.pods) {
        if (pod.machine !== id) throw new Error(`Pod "${pod.id}" runs on "${id}" and is bound to "${pod.machine ?? 'nothing'}"`);
        if (this.pods.get(pod.id) !== pod) throw new Error(`Pod "${pod.id}" runs on "${id}" and does not exist`);
      }
      for (const [dimension, amount] of node.free) if (amount < 0) throw new Error(`machine "${id}" is overcommitted: ${dimension} ${amount}`);
      bound += node.pods.size;
    }
    if (bound !== this.boundPods) throw new Error(`cluster "${this.name}": ${this.boundPods} Pods are bound, Nodes hold ${bound}`);
  }

  #choose(template: Template): SimulatedNode | undefined {
    const { domainKey } = template;
    const domain = this.#gangs.get(template.gangKey)?.domain;
    let best: SimulatedNode | undefined;
    let bestScore = 0;
    for (const node of this.nodes.values()) {
      if (!node.ready || node.cordoned || !admits(node, template) || !hasRoom(node, template)) continue;
      if (domainKey !== undefined && (node.labels[domainKey] === undefined || (domain !== undefined && node.labels[domainKey] !== domain))) continue;
      const score = this.#placement === 'emptiest' ? -node.pods.size : fullness(node);
      if (best === undefined || score > bestScore || (score === bestScore && compareText(node.machine.id, best.machine.id) < 0)) [best, bestScore] = [node, score];
    }
    return best;
  }

  #bind(pod: SimulatedPod, node: SimulatedNode, now: Millis): SimulatedPod {
    const { template } = pod;
    if (pod.machine !== undefined) throw new Error(`Pod "${pod.id}" is bound a second time`);
    pod.machine = node.machine.id;
    pod.boundAt = now;
    node.pods.add(pod);
    for (const [dimension, amount] of template.amounts) node.free.set(dimension, (node.free.get(dimension) ?? 0) - amount);
    this.#forget(pod);
    if (template.domainKey !== undefined) {
      const gang = this.#gangs.get(template.gangKey);
      if (gang) gang.bound++;
      else this.#gangs.set(template.gangKey, { domain: node.labels[template.domainKey] ?? '', bound: 1 });
    }
    return pod;
  }

  #leaveGang({ domainKey, gangKey }: Template): void {
    const gang = domainKey === undefined ? undefined : this.#gangs.get(gangKey);
    if (gang && --gang.bound === 0) this.#gangs.delete(gangKey);
  }
}

/** Labels of the Node that a machine becomes. */
export function nodeLabels({ instanceType, zone, labels }: EngineMachine): Record<string, string> {
  return { ...labels, [INSTANCE_TYPE_LABEL]: instanceType, [ZONE_LABEL]: zone };
}

function admits(node: SimulatedNode, template: Template): boolean {
  let answer = node.admits.get(template);
  if (answer === undefined) {
    answer = (template.spec.request.requirements ?? []).every(({ key, operator, values }) =>
      requirementHolds({ operator: operator as 'In', values: values ?? [] }, node.labels[key]));
    node.admits.set(template, answer);
  }
  return answer;
}

function hasRoom(node: SimulatedNode, { amounts }: Template): boolean {
  return amounts.every(([dimension, amount]) => (node.free.get(dimension) ?? 0) >= amount);
}

/** Mean share in use over the machine's dimensions. */
function fullness({ machine, free }: SimulatedNode): number {
  let sum = 0;
  for (const [dimension, all] of machine.allocatable) if (all > 0) sum += 1 - (free.get(dimension) ?? 0) / all;
  return sum / machine.allocatable.length;
}
