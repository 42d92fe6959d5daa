/** What is known of one cluster. */
import { compareText } from '../../lib/compare-text.ts';
import type { Tally } from '../decide/tally.ts';
import type { NodeHint } from '../types.ts';
import type { Demand } from './demand.ts';
import type { NeedRow } from './need-row.ts';
import { Shelf } from './group.ts';

export type HintsById = ReadonlyMap<string, NodeHint>;

const NOTHING: readonly never[] = [];

export class Cluster {
  readonly index: number;
  readonly name: string;
  /** Undefined until the cluster has reported: demand that was never heard of is not zero demand. */
  demand: Demand | undefined;
  connected = false;
  /** null = its operator sends none; undefined = it has not said. */
  hints: HintsById | null | undefined;
  /** Its Configured and Configuring machines in keep-priority order (D13). */
  readonly bound = new Shelf<Tally>();
  /** Most clusters have nothing else, and each plan asks each of them several times. */
  readonly #boundOnly = [this.bound];
  /** By demand: what was decided for it and is not bound yet, nearest to being ready first (D34). */
  readonly promised = new Map<string, Shelf<Tally>>();
  /** By demand: what was preempted for it and has not been bound yet. */
  readonly reserved = new Map<string, Shelf<Tally>>();
  /** What the reclaim rails count. */
  configured = 0;
  drains = 0;

  /** Rows that stand for gangs planned as one, by what they ask for. */
  readonly folded = new Map<string, NeedRow>();
  /** Its rows as they are planned, for as long as the rows and the decisions to fold are these. */
  planned: { readonly of: readonly NeedRow[]; readonly folds: readonly boolean[]; readonly rows: readonly NeedRow[] } | undefined;

  /** Something of it has changed since the last plan. */
  dirty = true;
  /** The last plan left nothing open here: until something of the cluster changes, every plan says the same of it. */
  closed = false;
  /** Whether some gang of it folds depends on free machines. */
  foldsByFree = false;

  constructor(index: number, name: string) {
    this.index = index;
    this.name = name;
  }

  /** Among what the cluster asks for is this demand. */
  asksFor(demandKey: string): boolean {
    return this.demand?.byDemandKey.has(demandKey) === true;
  }

  shelfFor(kind: 'promised' | 'reserved', demandKey: string): Shelf<Tally> {
    let shelf = this[kind].get(demandKey);
    if (shelf === undefined) {
      shelf = new Shelf();
      this[kind].set(demandKey, shelf);
    }
    return shelf;
  }

  /** Those on which there is something, and perhaps some more. */
  shelves(): readonly Shelf<Tally>[] {
    if (this.promised.size > 0 || this.reserved.size > 0) return [this.bound, ...this.promised.values(), ...this.reserved.values()];
    return this.bound.size > 0 ? this.#boundOnly : NOTHING;
  }

  /** Forgets demands for which nothing is on its way any more. */
  prune(): void {
    if (this.promised.size > 0) dropEmpty(this.promised);
    if (this.reserved.size > 0) dropEmpty(this.reserved);
  }
}

function dropEmpty(shelves: Map<string, Shelf<Tally>>): void {
  for (const [key, shelf] of shelves) if (shelf.size === 0) shelves.delete(key);
}

export class Clusters {
  readonly #byName = new Map<string, Cluster>();
  readonly #all: Cluster[] = [];
  #byRank: readonly Cluster[] | undefined;

  /** The cluster of that name, made if it was not known. */
  named(name: string): Cluster {
    let cluster = this.#byName.get(name);
    if (cluster === undefined) {
      cluster = new Cluster(this.#all.length, name);
      this.#all.push(cluster);
      this.#byName.set(name, cluster);
      this.#byRank = undefined;
    }
    return cluster;
  }

  find(name: string): Cluster | undefined {
    return this.#byName.get(name);
  }

  at(index: number): Cluster {
    return this.#all[index] as Cluster;
  }

  all(): readonly Cluster[] {
    return this.#all;
  }

  /** All of them in order of name. */
  inOrder(): readonly Cluster[] {
    return (this.#byRank ??= [...this.#all].sort((a, b) => compareText(a.name, b.name)));
  }

  allDirty(): void {
    for (const cluster of this.#all) cluster.dirty = true;
  }
}
