/** One plan: serve the Needs, withdraw, reclaim, release, then say what became of everything. Reads the state, changes nothing. */
import { effectiveCost } from './cost.ts';
import { settleMachines } from './machine-reasons.ts';
import { clusterOfArrivalKey } from './keys.ts';
import { Market } from './market.ts';
import type { NeedRow } from './need-row.ts';
import { servePass } from './ordered-pass.ts';
import { PlanDraft } from './plan-draft.ts';
import { reclaimExcess } from './reclaim.ts';
import type { EngineState } from './state.ts';
import type { Pick, Tally } from './tally.ts';
import type { Action, ActionKind, Millis, Plan } from './types.ts';
import { BoundRanks, verdictOf } from './verdict.ts';
import { withdrawUnwanted } from './withdraw.ts';

export function makePlan(state: EngineState, now: Millis): Plan {
  const { inventory, memory, needs } = state;
  const rows = needs.ordered(memory.arrival);
  const market = new Market(inventory, state.fits, state.policy);
  const tallies = servePass(market, rows, (cluster) => state.sessions.has(cluster));

  const draft = new PlanDraft(now, market.ledger, memory, inventory);
  for (const tally of tallies) acquire(tally, state, draft);
  withdrawUnwanted(state, draft);
  reclaimExcess(state, draft);
  const machineReasons = settleMachines(state, draft, tallies); // decides about releases as well
  rememberArrivals(rows, state, draft);

  const ranks = new BoundRanks(inventory, needs);
  const verdicts = tallies.map((t) => verdictOf(t, memory.arrival.get(t.row.demandKey) ?? now, market, ranks));
  return {
    at: now,
    actions: draft.actions,
    verdicts,
    machineReasons,
    memory: draft.memoryChanges(),
    ...(draft.earliestWake !== undefined && { wakeAt: draft.earliestWake }),
    stats: {
      machines: inventory.size,
      needs: rows.length,
      unmet: verdicts.filter((v) => !v.satisfied).length,
      byState: { ...inventory.byState },
      microUsdPerHour: inventory.paid.microUsdPerHour,
      actions: countActions(draft.actions),
    },
  };
}

/** Idle machines first, then Speculative ones, each in the order in which they were chosen. */
function acquire(tally: Tally, state: EngineState, draft: PlanDraft): void {
  for (const pick of [...tally.picks].sort((a, b) => Number(a.speculative) - Number(b.speculative))) {
    draft.act(pick.slot, acquisition(pick, tally, state));
  }
}

function acquisition(pick: Pick, tally: Tally, state: EngineState): Action {
  const machine = state.inventory.machine(pick.slot);
  const { need, assignment } = tally.row;
  const { cluster, fingerprint, profile } = need;
  return {
    kind: pick.speculative ? 'Provision' : 'Bootstrap',
    machineId: machine.id,
    to: assignment,
    need,
    cluster,
    graceSeconds: 0,
    preemptorPriority: 0,
    reason: {
      code: pick.speculative ? 'AcquiredSpeculative' : 'AcquiredIdle',
      cluster,
      fingerprint,
      priority: profile.priority,
      effectiveMicroUsdPerHour: Math.round(effectiveCost(machine, profile.interruptionBucket)),
    },
  };
}

/** A demand's age starts when it is first seen and ends when its cluster stops asking (D5); silence ends nothing. */
function rememberArrivals(rows: readonly NeedRow[], state: EngineState, draft: PlanDraft): void {
  const present = new Set<string>();
  for (const { demandKey } of rows) {
    if (present.has(demandKey)) continue;
    present.add(demandKey);
    if (!state.memory.arrival.has(demandKey)) draft.remember('arrival', demandKey, draft.now);
  }
  for (const key of state.memory.arrival.keys()) {
    if (present.has(key)) continue;
    const cluster = clusterOfArrivalKey(key);
    if (cluster === undefined || state.needs.hasReported(cluster)) draft.remember('arrival', key, null);
  }
}

function countActions(actions: readonly Action[]): Partial<Record<ActionKind, number>> {
  const counts: Partial<Record<ActionKind, number>> = {};
  for (const { kind } of actions) counts[kind] = (counts[kind] ?? 0) + 1;
  return counts;
}
