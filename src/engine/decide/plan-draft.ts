/** A plan in the making. */
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import { sortMemoryChanges } from '../facts/memory.ts';
import type { Action, Assignment, MachineReason, MemoryChange, Millis } from '../types.ts';
import type { Market } from './market.ts';
import type { PlanReasons } from './plan-reasons.ts';

export class PlanDraft {
  readonly now: Millis;
  readonly facts: Facts;
  readonly market: Market;
  /** Clusters that are planned anew, by name; what the others have is as the last plan left it. */
  readonly clusters: readonly Cluster[];
  readonly actions: Action[] = [];
  readonly reasons: PlanReasons;
  /** Of these clusters the next plan may say something else although nothing about them has changed. */
  readonly unfinished = new Set<Cluster>();
  readonly #changes: MemoryChange[] = [];
  readonly #leftOver = new Set<string>();
  #wakeAt: Millis = Infinity;

  constructor(now: Millis, facts: Facts, market: Market, clusters: readonly Cluster[], reasons: PlanReasons) {
    this.reasons = reasons;
    this.now = now;
    this.facts = facts;
    this.market = market;
    this.clusters = clusters;
  }

  act(slot: number, action: Action): void {
    this.actions.push(action);
    this.reasons.set(slot, action.reason);
  }

  explain(slot: number, reason: MachineReason): void {
    this.reasons.set(slot, reason);
  }

  remember(what: 'arrival' | 'idleSince', key: string, at: Millis | null): void {
    this.#changes.push({ what, key, at });
  }

  rememberReclaims(cluster: string, at: readonly Millis[] | null): void {
    this.#changes.push({ what: 'reclaims', key: cluster, at });
  }

  reserve(machineId: string, to: Assignment | null): void {
    this.#changes.push({ what: 'reservation', key: machineId, to });
  }

  /** The machine is left over in this plan, without a break since `since`. */
  rememberLeftOver(machineId: string, since: Millis): void {
    this.#leftOver.add(machineId);
    if (!this.facts.memory.leftOverSince.has(machineId)) this.#changes.push({ what: 'leftOverSince', key: machineId, at: since });
  }

  /** In a fixed order. Machines that are no longer left over are forgotten. */
  memoryChanges(): MemoryChange[] {
    for (const machineId of this.facts.memory.leftOverSince.keys()) {
      if (!this.#leftOver.has(machineId)) this.#changes.push({ what: 'leftOverSince', key: machineId, at: null });
    }
    return sortMemoryChanges(this.#changes);
  }

  /** At this time the plan may turn out differently although nothing else has changed. */
  wakeAt(at: Millis): void {
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  get earliestWake(): Millis | undefined {
    return this.#wakeAt === Infinity ? undefined : this.#wakeAt;
  }
}
