/** Everything one plan hands out, and how far it has got: shared by the steps of the ordered pass. */
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { Group } from '../facts/group.ts';
import type { NeedRow } from '../facts/need-row.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Assignment } from '../types.ts';
import type { Forecasts, Stretch } from './forecast.ts';
import { LowestServed } from './lowest-served.ts';
import { Room } from './room.ts';
import type { Tally } from './tally.ts';

export type Tie = readonly Group<Tally>[];

const NO_TIES: readonly Tie[] = [];

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
  forecasts: Forecasts | undefined;
  readonly #serial: number;
  /** Groups that machines were taken out of. */
  readonly #opened = new Set<Group<Tally>>();
  #givers: readonly Cluster[] | undefined;
  #lowest: { readonly version: number; readonly served: LowestServed } | undefined;
  readonly #spare = new Map<Cluster, Tie[]>();
  readonly #left = new Map<Cluster, { readonly ties: readonly Tie[]; from: number }>();
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
   * What a Need may be credited with, in order: its cluster's bound machines, what was decided for it (D34), and what was
   * decided for Needs of its cluster that have had their turn and do without it. The last follows from the first: a
   * machine that becomes ready early is credited to whoever comes first, and what was on its way to that Need must then
   * serve the one it was taken from, or constant demand would withdraw the one and buy another.
   */
  creditable({ row, cluster }: Tally): { readonly bound: readonly Tie[]; readonly arriving: readonly Tie[] } {
    return { bound: this.#boundLeft(cluster), arriving: cluster.promised.size === 0 ? NO_TIES : this.#arriving(row, cluster) };
  }

  #arriving(row: NeedRow, cluster: Cluster): readonly Tie[] {
    const arriving = new Set<Tie>(); // a demand that a folded row has closed may have rows to come
    for (const key of demandKeysOf(row)) for (const tie of cluster.promised.get(key)?.ties() ?? []) arriving.add(tie);
    for (const tie of this.#spare.get(cluster) ?? []) arriving.add(tie);
    return [...arriving];
  }

  /** Ties that have something left; machines only become fewer within a plan, but for those of a forecast. */
  #boundLeft(cluster: Cluster): readonly Tie[] {
    const ties = cluster.bound.ties();
    let left = this.#left.get(cluster);
    if (left === undefined || left.ties !== ties) this.#left.set(cluster, (left = { ties, from: 0 }));
    if (this.isForecast) return ties;
    while (left.from < ties.length && (ties[left.from] as Tie).every((group) => group.left <= 0)) left.from++;
    return left.from === 0 ? ties : ties.slice(left.from);
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
    if (row.gangs === undefined ? forecasts?.isNext(cluster, row.demandKey) !== true : cluster.folded.size < 2) return undefined;
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

  /** Takes bound machines out of this plan; their group has them back when it is over. */
  takeOut(group: Group<Tally>, from: number, n: number, cluster: Cluster): readonly number[] {
    if (this.isKept(cluster)) this.keptWasTaken = true;
    this.#opened.add(group);
    this.disturbed.add(cluster);
    this.forecasts?.forget(cluster);
    return group.takeOut(from, n);
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
    if (served.clusters < this.givers.length) for (const giver of this.givers) if (giver !== asker) served.note(giver, () => this.stretches(giver));
    return served.of(fit, asker) < row.need.profile.priority;
  }

  /** The free machines that the Need accepts, in the order in which it would take them, Idle or Speculative. */
  *free(tally: Tally, speculative: boolean): Iterable<Tie> {
    const { fit } = tally;
    const { inventory } = this.facts;
    const kind = speculative ? 'speculative' : 'idle';
    const { cursor } = fit;
    if (cursor.plan !== this.#serial) {
      cursor.plan = this.#serial;
      cursor.idle = cursor.speculative = 0;
    }
    const ties = fit[kind];
    let exhausted = true;
    for (let i = cursor[kind]; i < ties.length; i++) {
      const groups: Group<Tally>[] = [];
      for (const cls of ties[i] as readonly MachineClass[]) {
        const group = speculative ? inventory.speculative(cls.index) : inventory.idle(cls.index);
        if (group !== undefined && group.left > 0) groups.push(group);
      }
      if (groups.length > 0) {
        exhausted = false;
        yield groups;
      } else if (exhausted) cursor[kind] = i + 1; // machines only become fewer within a plan
    }
  }
}

/** A folded row also stands for the demands of its gangs: what was decided for them is decided for it. */
function demandKeysOf(row: NeedRow): readonly string[] {
  if (row.gangs === undefined) return [row.demandKey];
  return [...new Set([row.demandKey, ...row.gangs.map((gang) => gang.demandKey)])];
}
