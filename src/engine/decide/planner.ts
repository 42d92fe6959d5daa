/**
 * Makes plans: serve the Needs, withdraw, reclaim, release, then say what became of everything. Reads the facts and changes
 * none. Clusters in which nothing has changed and nothing was left open keep what the last plan gave them: they neither
 * take from the others nor give to them, so leaving them out changes nothing.
 */
import { effectiveCost } from '../cost.ts';
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { FrozenFacts } from '../facts/frozen-facts.ts';
import type { Group } from '../facts/group.ts';
import type { Inventory } from '../facts/inventory.ts';
import { IDLE, ROLE } from '../facts/role.ts';
import { clusterOfArrivalKey } from '../keys.ts';
import type { Action, MachineReasons, Millis, Plan, Policy } from '../types.ts';
import { Folding } from './fold.ts';
import { Holders, servedDemand } from './holders.ts';
import { noteCredits, ReasonsInPlan } from './machine-reasons.ts';
import { Market } from './market.ts';
import { servePass } from './ordered-pass.ts';
import { PlanDraft } from './plan-draft.ts';
import type { SameAction } from './plan-draft.ts';
import { PlanReasons } from './plan-reasons.ts';
import { graceSeconds } from './preempt.ts';
import { reclaimExcess } from './reclaim.ts';
import { releaseExpired, tendIdleClocks } from './release.ts';
import type { Tally } from './tally.ts';
import { VerdictOrder } from './verdict-order.ts';
import { Ranks, reportOn } from './verdict.ts';
import { withdrawUnwanted } from './withdraw.ts';

export class Planner {
  readonly #facts: Facts;
  readonly #holders = new Holders();
  readonly #folding: Folding;
  #serial = 0;
  #drawnOn: Iterable<Group<Tally>> = [];
  readonly #reasons: PlanReasons;
  /** The last plan if it had nothing to do and nothing to remember: it holds until something changes. */
  #last: { readonly plan: Plan; readonly version: number } | undefined;
  /** When the last plan starts idle clocks; undefined = not all of them. */
  #starts: Millis | undefined = 0;
  /** Which ones: as long as nobody has written down that they run, each plan would start them when it is made. */
  #clocksBefore: Iterable<number> = [];
  /** Under which the last plan was made: how long idle machines are held depends on it. */
  #policy: Policy | undefined;
  /** The last plan was not finished: what it had noted is no plan's, and what it had forgotten nobody knows. */
  #isBroken = false;
  readonly #order = new VerdictOrder();

  constructor(facts: Facts) {
    this.#facts = facts;
    this.#reasons = new PlanReasons(facts.inventory);
    this.#folding = new Folding(facts);
  }

  plan(now: Millis): Plan {
    const last = this.#last;
    if (last?.version === this.#facts.version && now >= last.plan.at && now < (last.plan.wakeAt ?? Infinity)) {
      this.#starts = now;
      return { ...last.plan, at: now, machineReasons: new ReasonsInPlan(this.#facts, this.#holders, this.#reasons, now, []) };
    }
    return this.#make(now, false) ?? (this.#make(now, true) as Plan);
  }

  planInFull(now: Millis): Plan {
    return this.#make(now, true) as Plan;
  }

  /** Why machines are where they are, by the last plan, if `facts` were frozen after it was made and before anything else changed. */
  reasonsOf(facts: FrozenFacts): MachineReasons {
    return new ReasonsInPlan(facts, this.#holders.freeze(), this.#reasons.of(facts.inventory), this.#starts, []);
  }

  /** Undefined if something was taken where a plan was to be kept: then all have to be made anew. */
  #make(now: Millis, inFull: boolean): Plan | undefined {
    while (this.#facts.inventory.settle(Number.POSITIVE_INFINITY));
    const wasBroken = this.#isBroken;
    const clusters = this.#clustersToPlan(inFull || wasBroken);
    const anew = new Set(clusters);
    const market = new Market(this.#facts, ++this.#serial, (cluster) => !anew.has(cluster));
    this.#reset(clusters);
    this.#drawnOn = market.drawnOn;
    this.#isBroken = true;
    this.#last = undefined;
    try {
      const plan = this.#makeOf(clusters, market, now, wasBroken);
      this.#isBroken = false;
      return plan;
    } finally {
      market.close();
    }
  }

  #makeOf(clusters: readonly Cluster[], market: Market, now: Millis, wasBroken: boolean): Plan | undefined {
    const facts = this.#facts;
    const turns = new Map(clusters.map((cluster) => [cluster, { rows: this.#folding.rowsOf(cluster), next: 0 }]));
    const tallies = servePass(market, turns);
    if (market.keptWasTaken) return undefined;
    const before = this.#reasons.begin();
    const draft = new PlanDraft(now, facts, market, clusters, this.#reasons);
    this.#starts = draft.clocks.areAll ? now : undefined;
    for (const tally of tallies) acquire(tally, draft);
    for (const tally of tallies) {
      for (const victim of tally.victims) {
        if (victim.means === 'evicted') draft.preempt(victim.slot, preemption(victim, tally, facts));
        else if (victim.means === 'promised') draft.explain(victim.slot, { code: 'Reserved', ...servedDemand(tally.row) });
      }
    }
    this.#tendReservations(tallies, draft);
    withdrawUnwanted(draft);
    reclaimExcess(draft);
    releaseExpired(draft);
    tendIdleClocks(draft);
    rememberArrivals(clusters, draft);

    const ranks = new Ranks(market, tallies);
    for (const tally of tallies) reportOn(tally, now, ranks);
    const changed = this.#noteReasons(draft, tallies, wasBroken ? [...before, [...facts.inventory.slots()]] : before);
    closeClusters(clusters, tallies, draft);
    return this.#finish(draft, changed);
  }

  /** In order of name. */
  #clustersToPlan(inFull: boolean): readonly Cluster[] {
    const foldsDiffer = this.#folding.update();
    const all = this.#facts.clusters.inOrder();
    return inFull ? all : all.filter((c) => c.dirty || !c.closed || (foldsDiffer && c.foldsByFree));
  }

  #reset(clusters: readonly Cluster[]): void {
    for (const group of this.#drawnOn) group.reset();
    for (const cluster of clusters) {
      cluster.prune();
      for (const shelf of cluster.shelves()) for (const group of shelf.groups()) group.reset();
    }
  }

  /** What was preempted is its preemptor's until it is bound for it, or until the preemptor can do without. */
  #tendReservations(tallies: readonly Tally[], draft: PlanDraft): void {
    const { inventory } = this.#facts;
    const wanted = new Set<number>();
    for (const { victims, row } of tallies) {
      for (const { slot, means } of victims) {
        if (means === 'awaited') continue;
        draft.reserve(inventory.id(slot), row.assignment);
        wanted.add(slot);
      }
    }
    for (const cluster of draft.clusters) {
      for (const shelf of cluster.reserved.values()) {
        for (const group of shelf.groups()) if (group.taken > 0) for (const slot of group.members.slice(0, group.taken)) wanted.add(slot);
      }
    }
    for (const [id] of inventory.reservations()) {
      const slot = inventory.slot(id);
      if (slot === undefined || !wanted.has(slot)) draft.reserve(id, null);
    }
  }

  /** Ids of machines whose reason may be another than in the last plan. */
  #noteReasons(draft: PlanDraft, tallies: readonly Tally[], before: readonly (readonly number[])[]): Iterable<string> {
    const { inventory } = this.#facts;
    // Whoever waits for them is credited with nothing, and whoever was is gone.
    const awaited = tallies.flatMap(({ victims }) => victims.flatMap(({ slot, means }) => (means === 'awaited' ? [slot] : [])));
    for (const slot of awaited) inventory.credited[slot] = -1;
    const credited: (readonly number[])[] = [awaited];
    for (const cluster of draft.clusters) noteCredits(cluster, inventory, this.#holders, credited);
    if (this.#holders.areMany) this.#holders.keepOnly(holdersInUse(this.#facts));
    const idle = this.#policy === this.#facts.policy ? [] : { [Symbol.iterator]: () => idleOf(inventory) };
    this.#policy = this.#facts.policy;
    const lists = [inventory.touched, ...credited, idle, draft.clocks.slots, this.#clocksBefore, ...before, ...draft.reasons.lists];
    const removed = inventory.removedIds;
    inventory.touched = [];
    inventory.removedIds = [];
    this.#clocksBefore = draft.clocks.slots;
    return { [Symbol.iterator]: () => namesOf(lists, removed, inventory) };
  }

  #finish(draft: PlanDraft, changed: Iterable<string>): Plan {
    const facts = this.#facts;
    const { inventory } = facts;
    const verdicts = this.#order.update(facts.clusters.all(), facts.clustersMoved, draft.clusters);
    facts.clustersMoved.clear();
    const memory = draft.memoryChanges();
    const { decisions } = draft;
    const plan: Plan = {
      at: draft.now,
      get actions() {
        return decisions.actions;
      },
      verdicts,
      machineReasons: new ReasonsInPlan(facts, this.#holders, draft.reasons, this.#starts, changed),
      memory,
      ...(draft.earliestWake !== undefined && { wakeAt: draft.earliestWake }),
      stats: {
        machines: inventory.size,
        needs: verdicts.length,
        unmet: this.#order.unmet,
        byState: inventory.byState(),
        microUsdPerHour: inventory.paid.microUsdPerHour,
        actions: decisions.byKind,
      },
    };
    const isQuiet = decisions.size === 0 && memory.length === 0 && facts.memory.reclaims.size === 0;
    this.#last = isQuiet ? { plan, version: facts.version } : undefined;
    return plan;
  }
}

/** After a plan no machine counts for a row that nobody asks for any more. */
function* holdersInUse({ clusters }: Facts): Iterable<number> {
  for (const { demand, folded } of clusters.all()) {
    for (const row of demand?.rows ?? []) yield row.holder;
    for (const row of folded.values()) yield row.holder;
  }
}

function* idleOf(inventory: Inventory): Generator<number, void> {
  for (const slot of inventory.slots()) if (inventory.state(slot) === IDLE) yield slot;
}

/** Each once. Written out only when it is read: after a start these are all machines there are. */
function* namesOf(lists: readonly Iterable<number>[], removed: readonly string[], inventory: Inventory): Iterator<string> {
  const seen = new Uint8Array(inventory.marked.length); // by slot: a Set of all machines moves them when it grows
  for (const list of lists) {
    for (const slot of list) {
      if (seen[slot] === 1 || inventory.role(slot) === ROLE.none) continue;
      seen[slot] = 1;
      yield inventory.id(slot);
    }
  }
  yield* removed;
}

/** Idle machines first, then Speculative ones, each in the order in which they were chosen. */
function acquire(tally: Tally, draft: PlanDraft): void {
  if (tally.idle.length > 0) draft.actOnAll(tally.idle, 'Bootstrap', acquisition('Bootstrap', tally));
  if (tally.bought.length > 0) draft.actOnAll(tally.bought, 'Provision', acquisition('Provision', tally));
}

function acquisition(kind: 'Bootstrap' | 'Provision', { row }: Tally): SameAction {
  const { need, assignment } = row;
  return {
    reasonOf: (cls) => ({
      code: kind === 'Provision' ? 'AcquiredSpeculative' : 'AcquiredIdle',
      ...servedDemand(row),
      effectiveMicroUsdPerHour: Math.round(effectiveCost(cls, need.profile.interruptionBucket)),
    }),
    actionOf: (machineId, reason) => ({ kind, machineId, to: assignment, need, cluster: need.cluster, graceSeconds: 0, preemptorPriority: 0, reason }),
  };
}

function preemption({ slot, priority, excess }: Tally['victims'][number], { row }: Tally, { inventory, policy }: Facts): Action {
  const { cluster: forCluster, fingerprint, priority: preemptorPriority } = servedDemand(row);
  const cluster = inventory.owner(slot);
  return {
    kind: 'Preempt',
    machineId: inventory.id(slot),
    cluster,
    graceSeconds: graceSeconds(preemptorPriority, priority, policy.preemptionGraceSeconds),
    preemptorPriority,
    reason: { code: 'Preempted', cluster, ...(!excess && { victimPriority: priority }), forCluster, fingerprint, priority: preemptorPriority },
  };
}

/** A demand's age starts when it is first seen and ends when its cluster stops asking (D5); silence ends nothing. */
function rememberArrivals(clusters: readonly Cluster[], draft: PlanDraft): void {
  const { memory } = draft.facts;
  for (const cluster of clusters) {
    for (const key of cluster.demand?.unseen ?? []) {
      draft.unfinished.add(cluster);
      draft.remember('arrival', key, draft.now);
    }
  }
  for (const key of memory.arrivalsToCheck) {
    const name = clusterOfArrivalKey(key);
    const demand = name === undefined ? undefined : draft.facts.clusters.find(name)?.demand;
    if (!memory.arrival.has(key) || demand?.byDemandKey.has(key) === true) memory.arrivalsToCheck.delete(key);
    else if (name === undefined || demand !== undefined) draft.remember('arrival', key, null);
  }
}

/** Clusters of which every plan will say the same until something of them changes. */
function closeClusters(clusters: readonly Cluster[], tallies: readonly Tally[], draft: PlanDraft): void {
  for (const tally of tallies) {
    if (!tally.satisfied || tally.acquired > 0 || tally.reserved > 0) draft.unfinished.add(tally.cluster);
  }
  for (const cluster of draft.market.disturbed) draft.unfinished.add(cluster);
  for (const cluster of draft.market.sensitive) draft.unfinished.add(cluster);
  for (const cluster of clusters) {
    cluster.dirty = false;
    cluster.closed = !draft.unfinished.has(cluster) && cluster.reserved.size === 0;
  }
}
