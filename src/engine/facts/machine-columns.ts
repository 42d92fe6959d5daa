/** What is known of each machine: columns by slot, and how they are read. `Inventory` alone writes them. */
import type { Assignment, EngineMachine, Intent, MachineState } from '../types.ts';
import type { Clusters } from './cluster.ts';
import { BIND, FAILED, RELEASE, SPECULATIVE, STATES, UNBIND } from './role.ts';
import type { Shape } from './shapes.ts';

export const HOLD = 1;
export const STUCK = 2;
export const SENT = 4;
export const DRAIN_REFUSED = 8;
export const UNTRUSTED = 64;
export const HAS_HOST = 128;
export const INTENT_SHIFT = 4;
const INTENT_MASK = 3;
export const NONE = -1;

/** What machines share, by the numbers that the columns hold. */
export interface SharedParts {
  readonly shapes: { shape(index: number): Shape };
  readonly assignments: { at(ref: number): { readonly to: Assignment } };
  readonly clusters: Clusters;
}

export class MachineColumns {
  readonly shapes: SharedParts['shapes'];
  readonly assignments: SharedParts['assignments'];
  readonly clusters: Clusters;
  protected ids: (string | undefined)[] = [];
  protected states: Uint8Array = new Uint8Array(0);
  protected flags: Uint8Array = new Uint8Array(0);
  protected roles: Uint8Array = new Uint8Array(0);
  protected shapeOf: Int32Array = new Int32Array(0);
  protected clusterOf: Int32Array = new Int32Array(0);
  protected assignedTo: Int32Array = new Int32Array(0);
  protected intendedTo: Int32Array = new Int32Array(0);
  idleSince: Float64Array = new Float64Array(0);
  /** Who was credited with the machine by the last plan: an index of the plan's holders; -1 = nobody. */
  credited: Int32Array = new Int32Array(0);
  /** Where the plan keeps the machine's reason, if it does not follow from the rest; -1 = it does. */
  reasonAt: Int32Array = new Int32Array(0);

  constructor({ shapes, assignments, clusters }: SharedParts) {
    this.shapes = shapes;
    this.assignments = assignments;
    this.clusters = clusters;
  }

  id(slot: number): string {
    return this.ids[slot] as string;
  }

  state(slot: number): number {
    return this.states[slot] as number;
  }

  role(slot: number): number {
    return this.roles[slot] as number;
  }

  shape(slot: number): Shape {
    return this.shapes.shape(this.shapeOf[slot] as number);
  }

  price(slot: number): number {
    return this.shape(slot).priceMicroUsdPerHour;
  }

  assigned(slot: number): Assignment | undefined {
    const ref = this.assignedTo[slot] as number;
    return ref < 0 ? undefined : this.assignments.at(ref).to;
  }

  intentTo(slot: number): Assignment | undefined {
    const ref = this.intendedTo[slot] as number;
    return ref < 0 ? undefined : this.assignments.at(ref).to;
  }

  /** Of the assignments; -1 = none. */
  refs(slot: number): readonly [assigned: number, intended: number] {
    return [this.assignedTo[slot] as number, this.intendedTo[slot] as number];
  }

  isUnsent(slot: number): boolean {
    return this.intent(slot) === BIND && ((this.flags[slot] as number) & SENT) === 0;
  }

  isHeld(slot: number): boolean {
    return ((this.flags[slot] as number) & HOLD) !== 0;
  }

  isDrainRefused(slot: number): boolean {
    return ((this.flags[slot] as number) & DRAIN_REFUSED) !== 0;
  }

  isUntrusted(slot: number): boolean {
    return ((this.flags[slot] as number) & UNTRUSTED) !== 0;
  }

  /** Nothing is paid for what was not created, or is gone. */
  isPaid(slot: number): boolean {
    const state = this.state(slot);
    return state !== SPECULATIVE && (state !== FAILED || ((this.flags[slot] as number) & HAS_HOST) !== 0);
  }

  /** The cluster the machine belongs to or is becoming part of: the provider's word, else what we decided; '' = none. */
  owner(slot: number): string {
    const ref = this.ownerRef(slot);
    return ref < 0 ? '' : this.clusters.at(ref).name;
  }

  /** The machine as it was told. */
  machine(slot: number): EngineMachine {
    const { instanceType, zone, capacityType, labels, allocatable, priceMicroUsdPerHour, interruptionProbability } = this.shape(slot);
    const cluster = this.clusterOf[slot] as number;
    const assigned = this.assigned(slot);
    const intent = this.#intentOf(slot);
    const flags = this.flags[slot] as number;
    return {
      id: this.id(slot),
      state: STATES[this.state(slot)] as MachineState,
      cluster: cluster < 0 ? '' : this.clusters.at(cluster).name,
      instanceType, zone, capacityType, labels, allocatable, priceMicroUsdPerHour, interruptionProbability,
      ...(assigned && { assigned }),
      ...(intent && { intent }),
      hold: (flags & HOLD) !== 0,
      stuck: (flags & STUCK) !== 0,
      ...((flags & DRAIN_REFUSED) !== 0 && { drainRefused: true }),
      ...((flags & UNTRUSTED) !== 0 && { untrusted: true }),
      ...((flags & HAS_HOST) !== 0 && { hasHost: true }),
    };
  }

  intent(slot: number): number {
    return ((this.flags[slot] as number) >> INTENT_SHIFT) & INTENT_MASK;
  }

  #intentOf(slot: number): Intent | undefined {
    switch (this.intent(slot)) {
      case BIND:
        return { kind: 'bind', to: this.intentTo(slot) as Assignment, configureSent: !this.isUnsent(slot) };
      case UNBIND:
        return { kind: 'unbind' };
      case RELEASE:
        return { kind: 'release' };
      default:
        return undefined;
    }
  }

  /** The same as an index of the clusters; -1 = none. */
  ownerRef(slot: number): number {
    const cluster = this.clusterOf[slot] as number;
    if (cluster >= 0) return cluster;
    const to = this.intentTo(slot) ?? this.assigned(slot);
    return to === undefined || to.cluster === '' ? NONE : this.clusters.named(to.cluster).index;
  }

  /** Takes milliseconds for half a million machines, and what happens to these afterwards does not show in `other`. */
  protected copyTo(other: MachineColumns): void {
    other.ids = this.ids.slice();
    other.states = this.states.slice();
    other.flags = this.flags.slice();
    other.roles = this.roles.slice();
    other.shapeOf = this.shapeOf.slice();
    other.clusterOf = this.clusterOf.slice();
    other.assignedTo = this.assignedTo.slice();
    other.intendedTo = this.intendedTo.slice();
    other.idleSince = this.idleSince.slice();
    other.credited = this.credited.slice();
    other.reasonAt = this.reasonAt.slice();
  }
}
