/** To which group of a cluster's pools a machine belongs: what it counts for there, and how early. */
import type { Tally } from '../decide/tally.ts';
import { compareCostKey } from '../cost.ts';
import type { NodeHint } from '../types.ts';
import type { Assignments } from './assignments.ts';
import type { Cluster } from './cluster.ts';
import { Group } from './group.ts';
import type { Filing, GroupKind, Shelf } from './group.ts';
import { CONFIGURED, CREATING, IDLE } from './role.ts';
import type { MachineClass } from './shapes.ts';

export interface PoolFiling extends Filing<Tally> {
  readonly assignments: Assignments;
}

/** What disrupting a machine costs: a Pod counts as one at least, and where none would have to move it costs nothing. */
export function disruptionCost(hint: NodeHint | undefined): number {
  return hint === undefined || hint.pods === 0 ? 0 : Math.max(1, hint.disruptionCost);
}

/** Busy machines first, so that what is left over is mostly empty; without hints price decides (D13). `stamp`: for whom it was bound; -1 = unknown. */
export function boundGroup(filing: PoolFiling, cluster: Cluster, cls: MachineClass, state: number, stamp: number, hint: NodeHint | undefined, isKept: boolean): Group<Tally> {
  const stage = state === CONFIGURED ? 0 : 1;
  const disruptable = hint?.doNotDisrupt === true || isKept ? 0 : 1;
  const cost = disruptionCost(hint);
  const key = groupKey(cls.index, stamp, stage * 2 + disruptable, cost);
  const known = cluster.bound.find(key);
  if (known !== undefined) return known;
  const order = [stage, disruptable, -cost, ...boundRank(filing, cls, stamp)];
  return made(filing, cluster.bound, key, stage === 0 ? 'configured' : 'configuring', cls, stamp, order);
}

/** What of the rank of a group of bound machines follows from what they are and whom they were bound for. */
export function boundRank({ assignments }: PoolFiling, cls: MachineClass, stamp: number): readonly number[] {
  // Buckets are compared as ordinals, which grow with the penalty; pinned is the highest.
  const reclamation = stamp >= 0 ? assignments.at(stamp).to.reclamationBucket : 0;
  return [cls.priceMicroUsdPerHour, -reclamation];
}

/**
 * What can no longer be withdrawn first, then what will be ready soonest, then in the order in which it was chosen, so
 * that each row of a demand is credited with what it chose.
 */
export function promisedGroup(filing: PoolFiling, cluster: Cluster, cls: MachineClass, state: number, isUnsent: boolean, ref: number): Group<Tally> {
  const { demandKey } = filing.assignments.at(ref);
  const shelf = cluster.shelfFor('promised', demandKey);
  const nearness = (isUnsent ? 10 : 0) + (state === IDLE ? 0 : state === CREATING ? 1 : 2);
  const key = groupKey(cls.index, ref, nearness, 0);
  const known = shelf.find(key);
  if (known !== undefined) return known;
  return made(filing, shelf, key, 'promised', cls, ref, [nearness, ...promisedRank(filing, cls, state, ref)]);
}

/** The same of promised ones. */
export function promisedRank({ assignments }: PoolFiling, cls: MachineClass, state: number, ref: number): readonly number[] {
  return state === IDLE ? [0, cls.priceMicroUsdPerHour] : compareCostKey(cls, assignments.at(ref).to.interruptionBucket);
}

/** Arrived machines first. */
export function reservedGroup(filing: PoolFiling, cluster: Cluster, cls: MachineClass, state: number, ref: number): Group<Tally> {
  const shelf = cluster.shelfFor('reserved', filing.assignments.at(ref).demandKey);
  const arrived = state === IDLE ? 0 : 1;
  const key = groupKey(cls.index, ref, arrived, 0);
  return shelf.find(key) ?? made(filing, shelf, key, arrived === 0 ? 'arrived' : 'leaving', cls, ref, [arrived]);
}

function made(filing: PoolFiling, shelf: Shelf<Tally>, key: string | number, kind: GroupKind, cls: MachineClass, assigned: number, order: readonly number[]): Group<Tally> {
  const group = new Group<Tally>(filing, kind, cls.index, assigned, order, shelf, key);
  shelf.add(key, group);
  return group;
}

/** A number while the parts are small (`assigned` -1 is none), which they nearly always are: numbers are cheaper keys than texts, and small ones the cheapest. */
export function groupKey(classIndex: number, assigned: number, kind: number, cost: number): string | number {
  if (cost === 0 && assigned < 2 ** 14 - 1 && classIndex < 2 ** 12) return (classIndex << 18) | ((assigned + 1) << 4) | kind;
  if (cost < 256 && assigned < 2 ** 20 - 1 && classIndex < 2 ** 20) return 2 ** 31 + ((classIndex * 2 ** 20 + assigned + 1) * 16 + kind) * 256 + cost;
  return `${classIndex}/${assigned}/${kind}/${cost}`;
}
