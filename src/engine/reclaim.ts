/**
 * What is taken back: Configured machines that no Need was credited with (spec: engine 9.1, 10.3; D13, D32). A machine is
 * taken only when nothing speaks against it; what does is its reason.
 */
import { sortByReclaimOrder } from './keep-priority.ts';
import type { PlanDraft } from './plan-draft.ts';
import type { EngineState } from './state.ts';
import type { EngineMachine, MachineReason, Millis } from './types.ts';

const MINUTE_MS = 60_000;

export function reclaimExcess(state: EngineState, draft: PlanDraft): void {
  const taking = new Set<string>();
  for (const cluster of state.inventory.boundClusters()) {
    const excess = state.inventory.bound(cluster).filter((slot) => draft.ledger.isFree(slot));
    if (excess.length > 0 && reclaimFrom(cluster, excess, state, draft)) taking.add(cluster);
  }
  for (const [cluster, times] of state.memory.reclaims) {
    if (!taking.has(cluster) && times.every((at) => at <= draft.now - MINUTE_MS)) draft.remember('reclaims', cluster, null);
  }
}

/** True if it took any. */
function reclaimFrom(cluster: string, excess: readonly number[], state: EngineState, draft: PlanDraft): boolean {
  const { inventory } = state;
  const ready: number[] = [];
  for (const slot of excess) {
    const machine = inventory.machine(slot);
    const obstacle = obstacleTo(machine, cluster, state, draft);
    if (obstacle === undefined) ready.push(slot);
    else draft.explain(slot, obstacle);
  }
  const rails = new Rails(cluster, state, draft.now);
  const taken: Millis[] = [];
  for (const slot of sortByReclaimOrder(ready, inventory, inventory.hints.of(cluster))) {
    const rail = rails.admit();
    if (rail !== undefined) {
      draft.explain(slot, { code: 'ExcessCapped', cluster, rail });
      continue;
    }
    taken.push(draft.now);
    draft.act(slot, {
      kind: 'Reclaim',
      machineId: inventory.machine(slot).id,
      cluster,
      graceSeconds: state.policy.reclaimGraceSeconds,
      preemptorPriority: 0,
      reason: { code: 'Excess', cluster, sinceMs: sinceOf(inventory.machine(slot), state, draft.now) },
    });
  }
  rails.remember(taken, draft);
  return taken.length > 0;
}

/** Why an excess machine stays for now; undefined = only the rails can keep it. */
function obstacleTo(machine: EngineMachine, cluster: string, state: EngineState, draft: PlanDraft): MachineReason | undefined {
  // Demand that was never heard of is not zero demand, and time that passes meanwhile is no time left over.
  if (!state.needs.hasReported(cluster)) return { code: 'ExcessNoRollupYet', cluster };
  if (machine.state !== 'Configured') return { code: 'ExcessConfiguring', cluster };
  const since = sinceOf(machine, state, draft.now);
  draft.rememberLeftOver(machine.id, since);
  if (!state.supplyTrusted) return { code: 'SupplyUntrusted' };
  if (!state.sessions.has(cluster)) return { code: 'ExcessNoSession', cluster };
  const hint = state.inventory.hints.of(cluster)?.get(machine.id);
  if (hint?.doNotDisrupt === true) return { code: 'ExcessDoNotDisrupt', cluster };
  const untilMs = since + state.policy.holds.occupiedExcessMs;
  if (hint !== undefined && hint.pods > 0 && untilMs > draft.now) {
    draft.wakeAt(untilMs);
    return { code: 'ExcessWithinPatience', cluster, sinceMs: since, untilMs, pods: hint.pods };
  }
  return undefined;
}

function sinceOf(machine: EngineMachine, state: EngineState, now: Millis): Millis {
  return state.memory.leftOverSince.get(machine.id) ?? now;
}

type Rail = (MachineReason & { readonly code: 'ExcessCapped' })['rail'];

/** How many machines one plan may take from a cluster. */
class Rails {
  readonly #cluster: string;
  readonly #perMinute: boolean;
  readonly #recent: readonly Millis[];
  readonly #left: [Rail, number][];

  constructor(cluster: string, { policy, memory, inventory }: EngineState, now: Millis) {
    this.#cluster = cluster;
    this.#perMinute = policy.maxReclaimsPerMinute > 0;
    this.#recent = (memory.reclaims.get(cluster) ?? []).filter((at) => at > now - MINUTE_MS);
    const { configured, drains } = inventory.counts(cluster);
    const { reclaimCapFraction: fraction, maxReclaimsPerMinute, maxConcurrentDrainsPerCluster } = policy;
    this.#left = [
      ['fraction', fraction > 0 ? Math.max(1, Math.floor(fraction * configured)) : Infinity],
      ['concurrentDrains', maxConcurrentDrainsPerCluster > 0 ? maxConcurrentDrainsPerCluster - drains : Infinity],
      ['perMinute', this.#perMinute ? maxReclaimsPerMinute - this.#recent.length : Infinity],
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
    if (!this.#perMinute) return;
    const all = [...this.#recent, ...taken];
    if (taken.length > 0) draft.remember('reclaims', this.#cluster, all);
    const oldest = all[0];
    if (oldest !== undefined && this.#left.some(([rail, left]) => rail === 'perMinute' && left <= 0)) draft.wakeAt(oldest + MINUTE_MS);
  }
}
