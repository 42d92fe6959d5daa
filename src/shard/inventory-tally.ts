import type { CapacityType, MachineState } from '../engine/types.ts';
import { PriceRange } from './price-range.ts';
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

/** What of an instance type is to be had, undecided, held by nobody and not resting: counts, and the prices of the Idle machines. */
export interface TypeSupply {
  readonly idle: Pick<PriceRange, 'count' | 'min'>;
  readonly speculative: number;
}

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
  private readonly supply = { idle: 0, speculative: 0 };
  private readonly types = new Map<string, { idle: PriceRange; speculative: number }>();
  private readonly clusters = new Map<string, Set<string>>();
  private readonly intents = new Set<string>();
  private readonly moving = new Set<string>();

  /** One machine changed, came (no `before`) or went (no `after`). */
  change(before: MachineRecord | undefined, after: MachineRecord | undefined): void {
    if (before && after && before.seen === after.seen && before.assigned === after.assigned && before.intent === after.intent && before.hold === after.hold && before.stuck === after.stuck && before.coolUntil === after.coolUntil) return;
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

  /** Undefined: none of the type is to be had. */
  supplyOf(instanceType: string): TypeSupply | undefined {
    return this.types.get(instanceType);
  }

  /** Of all types together; no price, since it would compare what cannot be. */
  totalSupply(): { readonly idle: number; readonly speculative: number } {
    return { ...this.supply };
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
    const { seen, assigned } = record;
    const { state, capacityType, instanceType } = seen;
    this.machines++;
    this.byState[state]++;
    this.groupOf(state, capacityType, assigned?.interruptionBucket ?? 0).machines++;
    if (isToBeHad(record)) {
      this.supply[state === 'Idle' ? 'idle' : 'speculative']++;
      let type = this.types.get(instanceType);
      if (!type) this.types.set(instanceType, (type = { idle: new PriceRange(), speculative: 0 }));
      if (state === 'Idle') type.idle.add(seen.priceMicroUsdPerHour);
      else type.speculative++;
    }
  }

  private remove(record: MachineRecord): void {
    const { seen, assigned } = record;
    const { state, capacityType, instanceType } = seen;
    this.machines--;
    this.byState[state]--;
    this.groupOf(state, capacityType, assigned?.interruptionBucket ?? 0).machines--;
    const type = this.types.get(instanceType);
    if (type && isToBeHad(record)) {
      this.supply[state === 'Idle' ? 'idle' : 'speculative']--;
      if (state === 'Idle') type.idle.remove(seen.priceMicroUsdPerHour);
      else type.speculative--;
      if (type.idle.count === 0 && type.speculative === 0) this.types.delete(instanceType);
    }
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

/** What rests after a refusal is chosen for nobody until that is over; then `coolUntil` is 0 again. */
function isToBeHad({ seen: { state }, intent, hold, stuck, coolUntil }: MachineRecord): boolean {
  return (state === 'Idle' || state === 'Speculative') && intent === undefined && !hold && !stuck && coolUntil === 0;
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
