/** Everything the engine knows. Only `apply` changes it; a plan reads it. */
import type { Change, EngineMachine, MemoryChange, Need, NodeHint, Policy } from '../types.ts';
import { Clusters } from './cluster.ts';
import type { Cluster, HintsById } from './cluster.ts';
import { Demand, Profiles } from './demand.ts';
import { Dimensions } from './dimensions.ts';
import { fitOf } from './fit.ts';
import type { Asker, Fit } from './fit.ts';
import { FrozenFacts } from './frozen-facts.ts';
import { IdleClocks } from './idle-clocks.ts';
import { Inventory } from './inventory.ts';
import { clusterOfArrivalKey } from '../keys.ts';
import { commitTo, Memory } from './memory.ts';

/** For so many machines at a time what filing them will read is fetched. */
const AHEAD = 256;

const FILED: ReadonlySet<Change['kind']> = new Set(['machines', 'needs', 'hints', 'memory']);

export class Facts {
  readonly dimensions = new Dimensions();
  readonly clusters = new Clusters();
  readonly inventory = new Inventory(this.dimensions, this.clusters);
  readonly memory = new Memory();
  /** By capacity type that is ever released. */
  readonly idleClocks = { OnDemand: new IdleClocks(), Spot: new IdleClocks() };
  policy: Policy;
  /** Trusted until somebody says otherwise. */
  supplyTrusted = true;
  /** Grows with everything that is news: what is said again changes nothing, and calls for no plan. */
  version = 0;
  /** Grows with what changes something that is kept of machines, rows or memory. */
  filings = 0;
  /** Clusters whose rows or ages have changed since the last plan. */
  readonly clustersMoved = new Set<Cluster>();
  readonly #profiles = new Profiles();

  constructor(policy: Policy) {
    this.policy = policy;
  }

  /** The classes of machines that fit, as they are now. */
  fit(asker: Asker): Fit {
    return fitOf(asker, this.inventory.shapes);
  }

  apply(change: Change): void {
    if (!this.#isNews(change)) return;
    this.version++;
    if (FILED.has(change.kind)) this.filings++;
  }

  /** Takes the change in; false = nothing has changed by it. */
  #isNews(change: Change): boolean {
    switch (change.kind) {
      case 'machines':
        this.#applyMachines(change.upserted, change.removed);
        return change.upserted.length > 0 || change.removed.length > 0;
      case 'needs':
        return this.#replaceDemand(change.cluster, change.needs);
      case 'hints':
        return this.#replaceHints(this.clusters.named(change.cluster), hintsById(change.hints));
      case 'session': {
        const cluster = this.clusters.named(change.cluster);
        if (cluster.connected === change.connected) return false;
        cluster.connected = change.connected;
        return (cluster.dirty = true);
      }
      case 'supply':
        if (this.supplyTrusted === change.trusted) return false;
        this.supplyTrusted = change.trusted;
        this.clusters.allDirty();
        return true;
      case 'policy':
        if (JSON.stringify(this.policy) === JSON.stringify(change.policy)) return false;
        this.policy = change.policy;
        this.clusters.allDirty();
        return true;
      case 'memory':
        for (const memory of change.changes) this.#commit(memory);
        return change.changes.length > 0;
    }
  }

  /** What is known now, for whoever reads it later. */
  freeze(): FrozenFacts {
    return new FrozenFacts(this);
  }

  #applyMachines(upserted: readonly EngineMachine[], removed: readonly string[]): void {
    const { inventory, memory } = this;
    if (removed.length > 0) inventory.find(upserted); // refuses before anything has changed
    for (const id of removed) this.#remove(id);
    const slots = inventory.find(upserted);
    upserted.forEach((machine, i) => {
      if (i % AHEAD === 0) inventory.fetch(slots, i, i + AHEAD);
      const known = slots[i] as number;
      const type = known < 0 ? undefined : inventory.shape(known).capacityType;
      const slot = inventory.upsert(machine, known);
      if (type !== undefined && type !== machine.capacityType) this.noteClock(slot);
      const stray = memory.strayIdleSince.size === 0 ? undefined : memory.strayIdleSince.get(machine.id);
      if (stray === undefined) return;
      memory.strayIdleSince.delete(machine.id);
      this.#setIdleSince(machine.id, stray);
    });
  }

  #remove(id: string): void {
    const since = this.inventory.remove(id);
    if (since !== undefined) this.memory.strayIdleSince.set(id, since);
  }

  #replaceHints(cluster: Cluster, after: HintsById | null): boolean {
    const before = cluster.hints;
    const moved = [...hintsThatDiffer(before, after)];
    if (moved.length === 0 && (before === null) === (after === null) && before !== undefined) return false;
    cluster.hints = after;
    this.inventory.rerank(cluster, moved);
    return (cluster.dirty = true);
  }

  #replaceDemand(name: string, needs: readonly Need[]): boolean {
    const cluster = this.clusters.named(name);
    const before = cluster.demand;
    const after = new Demand(needs, before, this.#profiles, this.dimensions);
    if (before !== undefined && after.saysWhat(before)) return false;
    cluster.demand = after;
    cluster.dirty = true;
    this.clustersMoved.add(cluster);
    for (const key of before?.byDemandKey.keys() ?? []) if (!after.byDemandKey.has(key)) this.memory.arrivalsToCheck.add(key);
    after.adoptArrivals(this.memory.arrival);
    const keys = new Set(this.inventory.shapes.labelKeys);
    const asked = new Set(after.rows.map((row) => row.facts));
    const news = [...asked].flatMap(({ labelKeys }) => labelKeys).filter((key) => !keys.has(key));
    if (news.length > 0) this.inventory.distinguishBy(news);
    return true;
  }

  #commit(change: MemoryChange): void {
    const { memory, inventory } = this;
    switch (change.what) {
      case 'arrival': {
        commitTo(memory.arrival, change.key, change.at);
        const name = clusterOfArrivalKey(change.key);
        const cluster = name === undefined ? undefined : this.clusters.find(name);
        if (cluster?.demand?.byDemandKey.has(change.key) !== true) {
          memory.arrivalsToCheck.add(change.key);
          return;
        }
        cluster.demand.setArrival(change.key, change.at ?? Number.POSITIVE_INFINITY);
        cluster.dirty = true;
        this.clustersMoved.add(cluster);
        return;
      }
      case 'leftOverSince': {
        commitTo(memory.leftOverSince, change.key, change.at);
        const slot = inventory.slot(change.key);
        if (slot !== undefined) this.clusters.named(inventory.owner(slot)).dirty = true;
        return;
      }
      case 'reclaims':
        commitTo(memory.reclaims, change.key, change.at);
        this.clusters.named(change.key).dirty = true;
        return;
      case 'reservation':
        inventory.reserve(change.key, change.to ?? undefined);
        return;
      case 'idleSince':
        if (inventory.slot(change.key) === undefined) commitTo(memory.strayIdleSince, change.key, change.at);
        else this.#setIdleSince(change.key, change.at ?? Number.NaN);
    }
  }

  #setIdleSince(id: string, at: number): void {
    const slot = this.inventory.slot(id);
    if (slot === undefined) return;
    this.inventory.setIdleSince(slot, at);
    this.noteClock(slot);
  }

  /** The machine's idle clock or capacity type may be new: it takes its place among those that may be released. */
  noteClock(slot: number): void {
    const since = this.inventory.idleSince[slot] as number;
    if (Number.isNaN(since)) return;
    const type = this.inventory.shape(slot).capacityType;
    if (type === 'OnDemand' || type === 'Spot') this.idleClocks[type].add(slot, since);
  }
}

/** A machine named twice gets the more cautious reading. */
function hintsById(hints: readonly NodeHint[] | null): HintsById | null {
  if (hints === null) return null;
  const byId = new Map<string, NodeHint>();
  for (const hint of hints) {
    const known = byId.get(hint.machineId);
    byId.set(hint.machineId, known === undefined ? hint : cautious(known, hint));
  }
  return byId;
}

/** Ids of machines of which the one says something else than the other. */
function* hintsThatDiffer(before: HintsById | null | undefined, after: HintsById | null): Iterable<string> {
  for (const [id, hint] of after ?? []) if (!isEqual(before?.get(id), hint)) yield id;
  for (const id of before?.keys() ?? []) if (after?.has(id) !== true) yield id;
}

function isEqual(a: NodeHint | undefined, b: NodeHint): boolean {
  return a?.ready === b.ready && a.pods === b.pods && a.disruptionCost === b.disruptionCost && a.doNotDisrupt === b.doNotDisrupt;
}

function cautious(a: NodeHint, b: NodeHint): NodeHint {
  return {
    machineId: a.machineId,
    ready: a.ready || b.ready,
    pods: Math.max(a.pods, b.pods),
    disruptionCost: Math.max(a.disruptionCost, b.disruptionCost),
    doNotDisrupt: a.doNotDisrupt || b.doNotDisrupt,
  };
}
