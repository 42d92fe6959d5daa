/**
 * What is taken back: Configured machines that no Need was credited with (spec: engine 9.1, 10.3; D13, D32). A machine is
 * taken only when nothing speaks against it; what does is its reason.
 */
import type { Cluster } from '../facts/cluster.ts';
import type { Facts } from '../facts/facts.ts';
import { disruptionCost } from '../facts/pools.ts';
import { CONFIGURED } from '../facts/role.ts';
import type { MachineReason, Millis, Policy } from '../types.ts';
import type { PlanDraft } from './plan-draft.ts';

const BILLION = 1_000_000_000;
const MINUTE_MS = 60_000;

export function reclaimExcess(draft: PlanDraft): void {
  const { memory, policy } = draft.facts;
  const taking = new Set<string>();
  for (const cluster of draft.clusters) {
    const excess: number[] = [];
    for (const group of cluster.bound.groups()) {
      if (group.left > 0) for (const slot of group.members.slice(group.taken)) excess.push(slot);
    }
    if (excess.length === 0) continue;
    draft.unfinished.add(cluster);
    if (reclaimFrom(cluster, excess, draft)) taking.add(cluster.name);
  }
  for (const [cluster, times] of memory.reclaims) {
    if (!taking.has(cluster) && times.every((at) => at <= draft.now - Math.max(MINUTE_MS, capMsOf(policy)))) draft.rememberReclaims(cluster, null);
  }
}

/** True if it took any. */
function reclaimFrom(cluster: Cluster, excess: readonly number[], draft: PlanDraft): boolean {
  const { inventory, policy } = draft.facts;
  const ready: number[] = [];
  for (const slot of excess) {
    const obstacle = obstacleTo(slot, cluster, draft);
    if (obstacle === undefined) ready.push(slot);
    else draft.explain(slot, obstacle);
  }
  const rails = new Rails(cluster, draft);
  const taken: Millis[] = [];
  for (const slot of inReclaimOrder(ready, cluster, draft.facts)) {
    const rail = rails.admit();
    if (rail !== undefined) {
      draft.explain(slot, { code: 'ExcessCapped', cluster: cluster.name, rail });
      continue;
    }
    taken.push(draft.now);
    const id = inventory.id(slot);
    draft.act(slot, {
      kind: 'Reclaim',
      machineId: id,
      cluster: cluster.name,
      graceSeconds: policy.reclaimGraceSeconds,
      preemptorPriority: 0,
      reason: { code: 'Excess', cluster: cluster.name, sinceMs: sinceOf(id, draft) },
    });
  }
  rails.remember(taken, draft);
  return taken.length > 0;
}

/** Why an excess machine stays for now; undefined = only the rails can keep it. */
function obstacleTo(slot: number, { name, demand, connected, hints }: Cluster, draft: PlanDraft): MachineReason | undefined {
  const { inventory, supplyTrusted, policy } = draft.facts;
  // Demand that was never heard of is not zero demand, and time that passes meanwhile is no time left over.
  if (demand === undefined) return { code: 'ExcessNoRollupYet', cluster: name };
  if (inventory.state(slot) !== CONFIGURED) return { code: 'ExcessConfiguring', cluster: name };
  const isTrusted = supplyTrusted && !inventory.isUntrusted(slot);
  if (!connected) return isTrusted ? { code: 'ExcessNoSession', cluster: name } : { code: 'SupplyUntrusted' };
  const id = inventory.id(slot);
  const since = sinceOf(id, draft);
  draft.rememberLeftOver(id, since);
  if (!isTrusted) return { code: 'SupplyUntrusted' };
  if (inventory.isHeld(slot)) return { code: 'HeldByPerson' };
  if (inventory.isDrainRefused(slot)) return { code: 'ExcessDrainRefused', cluster: name };
  const hint = hints?.get(id);
  if (hint?.doNotDisrupt === true) return { code: 'ExcessDoNotDisrupt', cluster: name };
  const untilMs = since + policy.holds.occupiedExcessMs;
  if (hint !== undefined && hint.pods > 0 && untilMs > draft.now) {
    draft.wakeAt(untilMs);
    return { code: 'ExcessWithinPatience', cluster: name, sinceMs: since, untilMs, pods: hint.pods };
  }
  return undefined;
}

function sinceOf(machineId: string, { facts, now }: PlanDraft): Millis {
  return facts.memory.leftOverSince.get(machineId) ?? now;
}

/** What is given up first: cheapest to disturb, then dearest to keep (D13; spec: engine 9.1 with X15). */
function inReclaimOrder(slots: readonly number[], { hints }: Cluster, { inventory }: Facts): number[] {
  return slots
    .map((slot) => ({
      slot,
      disruptionCost: disruptionCost(hints?.get(inventory.id(slot))),
      price: inventory.price(slot),
      reclamation: (inventory.assigned(slot) ?? inventory.intentTo(slot))?.reclamationBucket ?? 0,
      rank: inventory.rank[slot] as number,
    }))
    .sort((a, b) => a.disruptionCost - b.disruptionCost || b.price - a.price || a.reclamation - b.reclamation || a.rank - b.rank)
    .map(({ slot }) => slot);
}

type Rail = (MachineReason & { readonly code: 'ExcessCapped' })['rail'];

/** The whole machines of a decimal share, exactly: 29 of 100 are 0.29, though the product of the two numbers is a little less. */
function shareOf(machines: number, fraction: number): number {
  return Math.floor((machines * Math.round(fraction * BILLION)) / BILLION);
}

/** For how long a reclaim counts against the share of its cluster; 0 = only in its own plan. The whole of a cluster is no cap. */
function capMsOf({ reclaimCapFraction, reclaimCapMs = 0 }: Policy): number {
  return reclaimCapFraction > 0 && reclaimCapFraction < 1 ? reclaimCapMs : 0;
}

/** How many machines one plan may take from a cluster. */
class Rails {
  readonly #cluster: string;
  readonly #now: Millis;
  /** For how long each rail that looks back does so. */
  readonly #windows: readonly (readonly [Rail, number])[];
  readonly #recent: readonly Millis[];
  readonly #left: [Rail, number][];

  constructor({ name, configured, drains }: Cluster, { facts: { policy, memory }, now, preempted }: PlanDraft) {
    this.#cluster = name;
    this.#now = now;
    const all: (readonly [Rail, number])[] = [['fraction', capMsOf(policy)], ['perMinute', policy.maxReclaimsPerMinute > 0 ? MINUTE_MS : 0]];
    this.#windows = all.filter(([, ms]) => ms > 0);
    const longest = Math.max(0, ...this.#windows.map(([, ms]) => ms));
    this.#recent = (memory.reclaims.get(name) ?? []).filter((at) => at > now - longest);
    const before = this.#within('fraction').length;
    // What was taken before and is gone is a part of what the share is of, or taking much would forbid all the more.
    const whole = configured + Math.max(0, before - drains);
    const { reclaimCapFraction: fraction, maxReclaimsPerMinute, maxConcurrentDrainsPerCluster } = policy;
    this.#left = [
      ['fraction', fraction > 0 ? Math.max(1, shareOf(whole, fraction)) - before : Infinity],
      ['concurrentDrains', maxConcurrentDrainsPerCluster > 0 ? maxConcurrentDrainsPerCluster - drains - (preempted.get(name) ?? 0) : Infinity],
      ['perMinute', maxReclaimsPerMinute > 0 ? maxReclaimsPerMinute - this.#within('perMinute').length : Infinity],
    ];
  }

  /** Counts one machine; the rail that forbids it, if any does. */
  admit(): Rail | undefined {
    const full = this.#left.find(([, left]) => left <= 0);
    if (full !== undefined) return full[0];
    for (const rail of this.#left) rail[1]--;
    return undefined;
  }

  remember(taken: readonly Millis[], draft: PlanDraft): void {
    if (this.#windows.length === 0) return;
    if (taken.length > 0) draft.rememberReclaims(this.#cluster, [...this.#recent, ...taken]);
    for (const [rail, ms] of this.#windows) {
      const oldest = [...this.#within(rail), ...taken][0];
      if (oldest !== undefined && this.#left.some(([name, left]) => name === rail && left <= 0)) draft.wakeAt(oldest + ms);
    }
  }

  /** The reclaims that the rail still counts, oldest first. */
  #within(rail: Rail): readonly Millis[] {
    const [, ms] = this.#windows.find(([name]) => name === rail) ?? [rail, 0];
    return this.#recent.filter((at) => at > this.#now - ms);
  }
}
