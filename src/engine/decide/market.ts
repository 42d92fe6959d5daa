/** Everything one plan hands out, and how far it has got: shared by the steps of the ordered pass. */
import type { Cluster } from '../facts/cluster.ts';
import type { Fit } from '../facts/fit.ts';
import type { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Assignment } from '../types.ts';
import type { Forecasts, Stretch } from './forecast.ts';
import { LowestServed } from './lowest-served.ts';
import { Room } from './room.ts';
import type { Tally } from './tally.ts';
import { TieQueue } from './tie-queue.ts';

export type Tie = readonly Group<Tally>[];

const NO_TIES: readonly Tie[] = [];
const NO_QUEUES: readonly TieQueue[] = [];

export class Market {
  readonly facts: Facts;
  readonly room: Room;
  readonly rank: Int32Array;
  /** Groups of free machines that something was taken from. */
  readonly drawnOn = new Set<Group<Tally>>();
  /** In clusters that are not planned anew: taking a machine there changes what was kept of them. */
  readonly isKept: (cluster: Cluster) => boolean;
  /** Something was taken in a cluster whose plan was to be kept: it cannot be. */
  keptWasTaken = false;
  /** Clusters that machines were taken from. */
  readonly disturbed = new Set<Cluster>();
  /** Clusters whose plan may be another when machines of a new place come up elsewhere, or the last ones of a place go. */
  readonly sensitive = new Set<Cluster>();
  forecasts: Forecasts | undefined;
  readonly #serial: number;
  /** Groups that machines were taken out of. */
  readonly #opened = new Set<Group<Tally>>();
  #givers: readonly Cluster[] | undefined;
  #comings: Comings | undefined;
  #lowest: { readonly version: number; readonly served: LowestServed } | undefined;
  readonly #spare = new Map<Cluster, Tie[]>();
  /** By what is asked for: where it was asked for last, and what of that is left. */
  #near = new Map<Fit, Near>();
  /** What is being credited is only tried out. */
  isForecast = false;

  constructor(facts: Facts, serial: number, isKept: (cluster: Cluster) => boolean) {
    this.facts = facts;
    this.#serial = serial;
    this.isKept = isKept;
    this.room = new Room(facts.inventory, facts.policy.limits);
    this.rank = facts.inventory.rank;
  }

  classOf(group: Group<Tally>): MachineClass {
    return this.facts.inventory.shapes.class(group.classIndex) as MachineClass;
  }

  /**
   * What a Need may be credited with after its cluster's bound machines: what was decided for it (D34), and what was
   * decided for Needs of its cluster that have had their turn and do without it. The last follows from the first: a
   * machine that becomes ready early is credited to whoever comes first, and what was on its way to that Need must then
   * serve the one it was taken from, or constant demand would withdraw the one and buy another.
   */
  arriving({ row, cluster }: Tally): readonly Tie[] {
    if (cluster.promised.size === 0) return NO_TIES;
    const arriving = new Set<Tie>(); // a demand that a folded row has closed may have rows to come
    for (const key of demandKeysOf(row)) for (const tie of cluster.promised.get(key)?.ties() ?? []) arriving.add(tie);
    for (const tie of this.#spare.get(cluster) ?? []) arriving.add(tie);
    return [...arriving];
  }

  /** What is left of the cluster's bound machines that fit: a Need is credited with these first. */
  bound(cluster: Cluster, fit: Fit): readonly Tie[] {
    return this.queues(cluster, fit).flatMap(({ groups }) => (groups.length > 0 ? [groups] : []));
  }

  /** The same, one for each rank; some may have run out. Machines only become fewer: `giveBack` and `tryOut` see to the exceptions. */
  queues(cluster: Cluster, fit: Fit): readonly TieQueue[] {
    if (cluster.bound.size === 0) return NO_QUEUES;
    let near = this.#near.get(fit);
    if (near?.cluster !== cluster) {
      near = { cluster, queues: this.#queuesOf(cluster, fit) };
      this.#near.set(fit, near);
    }
    return near.queues;
  }

  #queuesOf(cluster: Cluster, { accepts }: Fit): TieQueue[] {
    const queues: TieQueue[] = [];
    for (const tie of cluster.bound.ties()) {
      const some: Group<Tally>[] = [];
      const classes = new Set<MachineClass>();
      for (const group of tie) {
        if (accepts[group.classIndex] !== 1 || group.left <= 0) continue;
        some.push(group);
        classes.add(this.classOf(group));
      }
      if (some.length > 0) queues.push(new TieQueue(some, classes, this.rank));
    }
    return queues;
  }

  /** False: its cluster has nothing that the row could be credited with. */
  mayBeCredited(row: NeedRow, cluster: Cluster): boolean {
    // Gangs planned as one keep what fits none of them, and who asks for nothing needs nothing.
    if (cluster.promised.size > 0 || cluster.reserved.size > 0 || row.gangs !== undefined || !row.wanted.some((amount) => amount > 0)) return true;
    return this.queues(cluster, this.facts.fit(row.asker)).some((queue) => !queue.isEmpty);
  }

  /** Credits what will be given back: afterwards as much is left as before. */
  tryOut(work: () => void): void {
    const near = this.#near;
    this.#near = new Map();
    this.isForecast = true;
    work();
    this.isForecast = false;
    this.#near = near;
  }

  /** The last `n` machines of a group of bound machines are nobody's again. */
  giveBack(group: Group<Tally>, n: number): void {
    group.giveBack(n);
    this.#near.clear();
  }

  /**
   * Machines preempted for the row: first those that have arrived, then those on their way. Those of a row of its demand that
   * is still to come are not among them; what others of them have left over is.
   */
  reserved(tally: Tally): readonly Tie[] {
    const { row, cluster } = tally;
    if (cluster.reserved.size === 0) return NO_TIES;
    const ties = demandKeysOf(row).flatMap((key) => cluster.reserved.get(key)?.ties() ?? []);
    const isOthers = this.othersOf(tally);
    return isOthers === undefined ? ties : ties.map((tie) => tie.filter((group) => !isOthers(group)));
  }

  /**
   * Tells machines that are for another row of the same demand, whose turn is still to come. Only what is to be had nowhere
   * else is taken from it: it would buy or preempt anew for each of them. Undefined = there is no such row.
   */
  othersOf({ row, cluster }: Tally): ((group: Group<Tally>) => boolean) | undefined {
    const { forecasts } = this;
    // Rows of one demand are neighbours; of gangs planned as one those of other sizes come anywhere.
    if (row.gangs === undefined ? forecasts?.isNext(cluster, row) !== true : cluster.folded.size < 2) return undefined;
    const { assignments } = this.facts.inventory;
    const isForOther = (ref: number): boolean => {
      const { demandKey, to } = assignments.at(ref);
      if (demandKey !== row.demandKey || to.unitClass === undefined || to.unitClass === row.need.unitClass) return false;
      return forecasts?.isToCome(cluster, demandKey, to.unitClass) === true;
    };
    const known = new Map<number, boolean>();
    return ({ assigned }) => {
      if (assigned < 0) return false;
      let answer = known.get(assigned);
      if (answer === undefined) known.set(assigned, (answer = isForOther(assigned)));
      return answer;
    };
  }

  /** All rows of this row's demand have had their turn: what is left of what was decided for it is spare. */
  closeDemand({ row, cluster }: Tally): void {
    if (cluster.promised.size === 0) return;
    for (const key of demandKeysOf(row)) {
      const left = cluster.promised.get(key)?.ties().filter((tie) => tie.some((group) => group.left > 0)) ?? [];
      if (left.length === 0) continue;
      this.forecasts?.forget(cluster);
      const spare = this.#spare.get(cluster);
      if (spare === undefined) this.#spare.set(cluster, [...left]);
      else spare.push(...left);
    }
  }

  /** For whom the group's machines were bound, if that is known. */
  stampOf(group: Group<Tally>): Assignment | undefined {
    return group.assigned < 0 ? undefined : this.facts.inventory.assignments.at(group.assigned).to;
  }

  stretches(cluster: Cluster): readonly Stretch[] {
    if (this.forecasts === undefined) throw new Error('nobody preempts before the pass has begun');
    return this.forecasts.of(cluster);
  }

  /** What is on its way and nobody's: nobody was promised it, or demand that nobody asks for any more. By class. */
  get awaited(): Comings['awaited'] {
    return (this.#comings ??= this.#findComings()).awaited;
  }

  /** What is on its way to somebody who may lose it, by class, those of the lowest priority first, then by id. */
  get promises(): Comings['promises'] {
    return (this.#comings ??= this.#findComings()).promises;
  }

  /** Where in such a group those machines stand, from..to, that come as far as anybody knows. */
  comingIn(group: Group<Tally>): readonly (readonly [from: number, to: number])[] {
    if (this.#comings?.mixed.has(group) !== true) return [[0, group.size]];
    const runs: [from: number, to: number][] = [];
    group.members.forEach((slot, i) => {
      const last = runs.at(-1);
      if (!this.facts.inventory.isComing(slot)) return;
      if (last?.[1] === i) last[1]++;
      else runs.push([i, i + 1]);
    });
    return runs;
  }

  #findComings(): Comings {
    const { inventory, clusters } = this.facts;
    const awaited: Coming[] = Array.from(inventory.comingFree(), nobodys);
    const promises: Coming[] = [];
    const mixed = new Set<Group<Tally>>();
    for (const cluster of clusters.all()) {
      if (cluster.reserved.size === 0) continue;
      const folded = new Set([...cluster.folded.values()].flatMap(demandKeysOf));
      for (const [demandKey, shelf] of cluster.reserved) {
        const rows = cluster.demand?.byDemandKey.get(demandKey);
        const isWanted = rows !== undefined || folded.has(demandKey);
        // Of a gang that lost a part all others would have been drained for nothing.
        const isGang = isWanted && rows?.some(({ sameKey }) => sameKey === undefined) !== true;
        for (const group of shelf.groups()) {
          if (isGang || (isWanted && group.kind !== 'leaving')) continue;
          if (!group.members.every((slot) => inventory.isComing(slot))) mixed.add(group);
          if (isWanted) promises.push({ cluster, group, priority: this.stampOf(group)?.priority ?? Infinity });
          else awaited.push(nobodys(group));
        }
      }
    }
    const first = ({ group }: Coming): number => this.rank[group.members[0] as number] as number;
    awaited.sort((a, b) => first(a) - first(b));
    promises.sort((a, b) => a.priority - b.priority || first(a) - first(b));
    return { awaited: Map.groupBy(awaited, classOf), promises: Map.groupBy(promises, classOf), mixed };
  }

  /** Takes machines out of this plan; their group has them back when it is over. `cluster`: who counts on them, if anybody does. */
  takeOut(group: Group<Tally>, from: number, n: number, cluster: Cluster | undefined): readonly number[] {
    this.#opened.add(group);
    if (cluster === undefined) return group.takeOut(from, n);
    if (this.isKept(cluster)) this.keptWasTaken = true;
    this.disturbed.add(cluster);
    if (group.kind !== 'leaving' || !this.#isForOneRow(group, cluster)) this.forecasts?.forget(cluster);
    return group.takeOut(from, n);
  }

  /** Promised to one plain row: it has what its cluster has bound already, and loses or gains none of that with the promise. */
  #isForOneRow(group: Group<Tally>, { demand }: Cluster): boolean {
    const [row, ...others] = demand?.byDemandKey.get(this.facts.inventory.assignments.at(group.assigned).demandKey) ?? [];
    return row !== undefined && row.sameKey === undefined && others.length === 0;
  }

  /** The plan is made: groups are whole again. */
  close(): void {
    for (const group of this.#opened) group.putBack();
  }

  /** Clusters that may have to give something: what those serve that have not reported nobody knows, and without a session nobody could move their Pods. */
  get givers(): readonly Cluster[] {
    return (this.#givers ??= this.facts.clusters.all().filter(({ demand, connected }) => demand !== undefined && connected));
  }

  /** False if in no other cluster a machine that the Need accepts serves a lower priority, or nobody: then there is no need to search. */
  mayHaveVictims({ fit, cluster: asker, row }: Tally): boolean {
    const version = this.forecasts?.version ?? 0;
    if (this.#lowest?.version !== version) this.#lowest = { version, served: new LowestServed() };
    const { served } = this.#lowest;
    // In its own turn nothing can be foreseen of a cluster, and nothing need be: nobody takes from it then.
    const missing = this.givers.length - served.clusters;
    if (missing > 1 || (missing === 1 && served.has(asker))) {
      for (const giver of this.givers) if (giver !== asker && !served.has(giver)) served.note(giver, this.stretches(giver));
    }
    return served.of(fit, asker) < row.need.profile.priority;
  }

  /** The free machines that the Need accepts, in the order in which it would take them, Idle or Speculative. */
  *free(tally: Tally, speculative: boolean): Iterable<Tie> {
    for (let at = this.nextFree(tally.fit, speculative, 0); at >= 0; at = this.nextFree(tally.fit, speculative, at + 1)) yield this.freeTie(tally.fit, speculative, at);
  }

  /** From `from` on, the place of the next tie that has something left; -1 = there is none. */
  nextFree(fit: Fit, speculative: boolean, from: number): number {
    const { cursor } = fit;
    if (cursor.plan !== this.#serial) {
      cursor.plan = this.#serial;
      cursor.idle = cursor.speculative = 0;
    }
    const ties = speculative ? fit.speculative : fit.idle;
    const first = speculative ? cursor.speculative : cursor.idle;
    for (let at = Math.max(first, from); at < ties.length; at++) {
      if (!this.#hasFree(ties[at] as readonly MachineClass[], speculative)) continue;
      // Machines only become fewer within a plan.
      if (from <= first) cursor[speculative ? 'speculative' : 'idle'] = at;
      return at;
    }
    if (from <= first) cursor[speculative ? 'speculative' : 'idle'] = ties.length;
    return -1;
  }

  /** What is left of the tie in that place. */
  freeTie(fit: Fit, speculative: boolean, at: number): Tie {
    const { inventory } = this.facts;
    const groups: Group<Tally>[] = [];
    for (const { index } of (speculative ? fit.speculative : fit.idle)[at] as readonly MachineClass[]) {
      const group = speculative ? inventory.speculative(index) : inventory.idle(index);
      if (group !== undefined && group.left > 0) groups.push(group);
    }
    return groups;
  }

  #hasFree(classes: readonly MachineClass[], speculative: boolean): boolean {
    const { inventory } = this.facts;
    for (const { index } of classes) {
      const group = speculative ? inventory.speculative(index) : inventory.idle(index);
      if (group !== undefined && group.left > 0) return true;
    }
    return false;
  }
}

/** Machines that are on their way, and whom they are promised to; undefined = nobody, whom all outrank. */
export interface Coming {
  readonly cluster: Cluster | undefined;
  readonly group: Group<Tally>;
  readonly priority: number;
}

interface Comings {
  readonly awaited: ReadonlyMap<number, readonly Coming[]>;
  readonly promises: ReadonlyMap<number, readonly Coming[]>;
  /** Groups of which some may never come. */
  readonly mixed: ReadonlySet<Group<Tally>>;
}

function nobodys(group: Group<Tally>): Coming {
  return { cluster: undefined, group, priority: -Infinity };
}

function classOf({ group }: Coming): number {
  return group.classIndex;
}

interface Near {
  readonly cluster: Cluster;
  readonly queues: readonly TieQueue[];
}

function demandKeysOf(row: NeedRow): readonly string[] {
  return row.demandKeys ?? [row.demandKey];
}
