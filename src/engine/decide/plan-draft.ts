/** A plan in the making. */
import { finish } from '../../lib/steps.ts';
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import type { ClocksDue } from '../facts/clocks-to-check.ts';
import { sortMemoryChanges } from '../facts/memory.ts';
import type { MachineClass } from '../facts/shapes.ts';
import type { Action, ActionKind, Assignment, MachineReason, MemoryChange, Millis } from '../types.ts';
import { Decisions } from './decisions.ts';
import type { Decision } from './decisions.ts';
import type { Market } from './market.ts';
import type { PlanReasons } from './plan-reasons.ts';

/** What is decided about several machines, and why: the reason is asked for once per class. */
export interface SameAction {
  readonly reasonOf: (cls: MachineClass) => MachineReason;
  readonly actionOf: (machineId: string, reason: MachineReason) => Action;
}

export class PlanDraft {
  readonly now: Millis;
  readonly facts: Facts;
  readonly market: Market;
  /** Clusters that are planned anew, by name; what the others have is as the last plan left it. */
  readonly clusters: readonly Cluster[];
  readonly decisions = new Decisions();
  readonly reasons: PlanReasons;
  /** Of these clusters the next plan may say something else although nothing about them has changed. */
  readonly unfinished = new Set<Cluster>();
  /** By cluster: how many machines this plan takes from it for others. */
  readonly preempted = new Map<string, number>();
  /** The idle clocks that this plan starts and stops. */
  readonly clocks: ClocksDue;
  readonly #changes: MemoryChange[] = [];
  readonly #clocks: MemoryChange[] = [];
  readonly #leftOver = new Set<string>();
  #wakeAt: Millis = Infinity;

  constructor(now: Millis, facts: Facts, market: Market, clusters: readonly Cluster[], reasons: PlanReasons) {
    this.reasons = reasons;
    this.now = now;
    this.facts = facts;
    this.market = market;
    this.clusters = clusters;
    this.clocks = facts.inventory.clocksDue();
  }

  act(slot: number, action: Action): void {
    this.decisions.add(action);
    this.reasons.set(slot, action.reason);
  }

  /** Takes a machine from its cluster for another. */
  preempt(slot: number, action: Action): void {
    this.act(slot, action);
    this.preempted.set(action.cluster, (this.preempted.get(action.cluster) ?? 0) + 1);
  }

  /** Decides the same about machines of one class. */
  actOnAll(slots: readonly number[], kind: ActionKind, { reasonOf, actionOf }: SameAction): void {
    const { inventory } = this.facts;
    const [first] = slots;
    if (first === undefined) return;
    if (slots.length === 1) {
      // Where Needs are many and small there is nothing to share.
      this.act(first, actionOf(inventory.id(first), reasonOf(inventory.shape(first).class)));
      return;
    }
    const decisions: Decision[] = [];
    const reasons: number[] = [];
    const byClass = new Map<MachineClass, number>();
    const which = slots.map((slot) => {
      const cls = inventory.shape(slot).class;
      const known = byClass.get(cls);
      if (known !== undefined) return known;
      const reason = reasonOf(cls);
      byClass.set(cls, decisions.length);
      reasons.push(this.reasons.add(reason));
      return decisions.push((machineId) => actionOf(machineId, reason)) - 1;
    });
    slots.forEach((slot, i) => this.reasons.give(slot, reasons[which[i] as number] as number));
    this.reasons.list(slots);
    this.decisions.addRun(kind, { ids: slots.map((slot) => inventory.id(slot)), decisions, which });
  }

  explain(slot: number, reason: MachineReason): void {
    this.reasons.set(slot, reason);
  }

  remember(what: 'arrival' | 'idleSince', key: string, at: Millis | null): void {
    this.#changes.push({ what, key, at });
  }

  /** Called in order of id. */
  rememberClock(machineId: string, at: Millis | null): void {
    this.#clocks.push({ what: 'idleSince', key: machineId, at });
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
    if (this.#changes.some(({ what }) => what === 'idleSince')) return finish(sortMemoryChanges([...this.#changes, ...this.#clocks]));
    // Clocks are in order, and there may be tens of thousands.
    const sorted = finish(sortMemoryChanges(this.#changes));
    const arrivals = sorted.findIndex(({ what }) => what !== 'arrival');
    return arrivals < 0 ? sorted.concat(this.#clocks) : sorted.slice(0, arrivals).concat(this.#clocks, sorted.slice(arrivals));
  }

  /** At this time the plan may turn out differently although nothing else has changed. */
  wakeAt(at: Millis): void {
    this.#wakeAt = Math.min(this.#wakeAt, at);
  }

  get earliestWake(): Millis | undefined {
    return this.#wakeAt === Infinity ? undefined : this.#wakeAt;
  }
}
