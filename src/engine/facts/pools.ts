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
  // Buckets are compared as ordinals, which grow with the penalty; pinned is the highest.
  const reclamation = stamp >= 0 ? filing.assignments.at(stamp).to.reclamationBucket : 0;
  const order = [stage, disruptable, -cost, cls.priceMicroUsdPerHour, -reclamation];
  return made(filing, cluster.bound, key, stage === 0 ? 'configured' : 'configuring', cls, stamp, order);
}

/**
 * What can no longer be withdrawn first, then what will be ready soonest, then in the order in which it was chosen, so
 * that each row of a demand is credited with what it chose.
 */
export function promisedGroup(filing: PoolFiling, cluster: Cluster, cls: MachineClass, state: number, isUnsent: boolean, ref: number): Group<Tally> {
  const { to, demandKey } = filing.assignments.at(ref);
  const shelf = cluster.shelfFor('promised', demandKey);
  const nearness = (isUnsent ? 10 : 0) + (state === IDLE ? 0 : state === CREATING ? 1 : 2);
  const key = groupKey(cls.index, ref, nearness, 0);
  const known = shelf.find(key);
  if (known !== undefined) return known;
  const [risk, cost] = state === IDLE ? [0, cls.priceMicroUsdPerHour] : compareCostKey(cls, to.interruptionBucket);
  return made(filing, shelf, key, 'promised', cls, ref, [nearness, risk, cost]);
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
