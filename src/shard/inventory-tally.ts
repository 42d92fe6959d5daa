import type { CapacityType, MachineState } from '../engine/types.ts';
import { clusterOf } from './record.ts';
import type { MachineRecord } from './record.ts';
import { noMachines } from './supply-tally.ts';

/** Machines that nothing distinguishes in the measures. */
export interface MachineGroup {
  readonly state: MachineState;
  readonly capacityType: CapacityType;
  readonly interruptionBucket: number;
  readonly machines: number;
}

type Counted = { -readonly [K in keyof MachineGroup]: MachineGroup[K] };

const TRANSITIONAL: ReadonlySet<MachineState> = new Set(['Creating', 'Configuring', 'Draining', 'Deleting']);

/**
 * Counts and lists of the machines that change with them, one machine at a time: whoever reports on the fleet reads these
 * instead of walking it.
 */
export class InventoryTally {
  private machines = 0;
  private readonly byState = noMachines();
  private readonly groupsByKey = new Map<string, Counted>();
  /** The group that was counted in last: most machines that come one after the other are of one. */
  private lastGroup: Counted | undefined;
  private paid = 0;
  private readonly clusters = new Map<string, Set<string>>();
  private readonly intents = new Set<string>();
  private readonly moving = new Set<string>();

  /** One machine changed, came (no `before`) or went (no `after`). */
  change(before: MachineRecord | undefined, after: MachineRecord | undefined): void {
    if (before && after && before.seen === after.seen && before.assigned === after.assigned && before.intent === after.intent) return;
    if (before) this.remove(before);
    if (after) this.add(after);
    const id = (after ?? before)?.seen.id;
    if (id === undefined) return;
    const cluster = after ? clusterOf(after) : '';
    const left = before ? clusterOf(before) : '';
    if (left !== cluster) this.move(id, left, cluster);
    enlist(this.intents, id, isDecided(before), isDecided(after));
    enlist(this.moving, id, isMoving(before), isMoving(after));
  }

  countByState(): Record<MachineState, number> {
    return { ...this.byState };
  }

  /** How many machines are more than offers. */
  get nonSpeculative(): number {
    return this.machines - this.byState.Speculative;
  }

  *groups(): Iterable<MachineGroup> {
    for (const group of this.groupsByKey.values()) if (group.machines > 0) yield group;
  }

  /** How many machines are paid for, or are decided to be: those that the limits of the shard count (D12). */
  get paidFor(): number {
    return this.paid;
  }

  /** Ids of the machines that the cluster should know about (D34). Live: it may be walked while it changes. */
  ofCluster(cluster: string): Iterable<string> {
    return this.clusters.get(cluster) ?? [];
  }

  /** Ids of the machines about which something is decided. Live. */
  withIntent(): Iterable<string> {
    return this.intents;
  }

  /** Ids of the machines in a state that ends by itself. Live. */
  inTransition(): Iterable<string> {
    return this.moving;
  }

  private add(record: MachineRecord): void {
    const { seen: { state, capacityType }, assigned } = record;
    this.machines++;
    this.byState[state]++;
    this.groupOf(state, capacityType, assigned?.interruptionBucket ?? 0).machines++;
    if (isPaidFor(record)) this.paid++;
  }

  private remove(record: MachineRecord): void {
    const { seen: { state, capacityType }, assigned } = record;
    this.machines--;
    this.byState[state]--;
    this.groupOf(state, capacityType, assigned?.interruptionBucket ?? 0).machines--;
    if (isPaidFor(record)) this.paid--;
  }

  private groupOf(state: MachineState, capacityType: CapacityType, interruptionBucket: number): Counted {
    const last = this.lastGroup;
    if (last?.state === state && last.capacityType === capacityType && last.interruptionBucket === interruptionBucket) return last;
    const key = `${state} ${capacityType} ${interruptionBucket}`;
    let group = this.groupsByKey.get(key);
    if (!group) this.groupsByKey.set(key, (group = { state, capacityType, interruptionBucket, machines: 0 }));
    return (this.lastGroup = group);
  }

  private move(id: string, from: string, to: string): void {
    const machines = this.clusters.get(from);
    machines?.delete(id);
    if (machines?.size === 0) this.clusters.delete(from);
    if (to === '') return;
    const others = this.clusters.get(to);
    if (others) others.add(id);
    else this.clusters.set(to, new Set([id]));
  }
}

function isPaidFor({ seen: { state, host }, intent }: MachineRecord): boolean {
  return state === 'Speculative' ? intent?.kind === 'bind' : state !== 'Failed' || host !== undefined;
}

function isDecided(record: MachineRecord | undefined): boolean {
  return record?.intent !== undefined;
}

function isMoving(record: MachineRecord | undefined): boolean {
  return record !== undefined && TRANSITIONAL.has(record.seen.state);
}

/** A member that stays keeps its place, so that whoever walks the set meanwhile does not meet it twice. */
function enlist(set: Set<string>, id: string, belonged: boolean, belongs: boolean): void {
  if (belongs === belonged) return;
  if (belongs) set.add(id);
  else set.delete(id);
}
