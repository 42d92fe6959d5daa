/** Which bound machine is credited first and which is given up first (D13; spec: engine 2.3, 9.1 with X15). */
import { compareCost } from './cost.ts';
import type { HintsById } from './node-hints.ts';
import { compareText } from '../lib/compare-text.ts';
import type { EngineMachine } from './types.ts';

interface Machines {
  machine(slot: number): EngineMachine;
}

interface Ranked {
  readonly slot: number;
  readonly id: string;
  readonly configuring: number;
  readonly disruptable: number;
  readonly disruptionCost: number;
  readonly price: number;
  readonly reclamation: number;
}

/** Busy machines first: what remains is then mostly empty. Without hints price decides. */
export function sortByKeepPriority(slots: number[], machines: Machines, hints: HintsById | undefined): number[] {
  return rank(slots, machines, hints)
    .sort(
      (a, b) =>
        a.configuring - b.configuring ||
        a.disruptable - b.disruptable ||
        b.disruptionCost - a.disruptionCost ||
        a.price - b.price ||
        b.reclamation - a.reclamation ||
        compareText(a.id, b.id),
    )
    .map((r) => r.slot);
}

/** What is given up first: cheapest to disturb, then dearest to keep. */
export function sortByReclaimOrder(slots: number[], machines: Machines, hints: HintsById | undefined): number[] {
  return rank(slots, machines, hints)
    .sort(
      (a, b) =>
        a.disruptionCost - b.disruptionCost || b.price - a.price || a.reclamation - b.reclamation || compareText(a.id, b.id),
    )
    .map((r) => r.slot);
}

const STATE_RANK = { Idle: 0, Creating: 1, Speculative: 2 } as const;

/**
 * What was decided and is not bound yet: what can no longer be withdrawn first, then what will be ready soonest, then in the
 * order in which it was chosen, so that each row of a demand is credited with what it chose.
 */
export function sortPromised(slots: number[], machines: Machines): number[] {
  const nearness = (m: EngineMachine): number => {
    const sent = m.intent?.kind === 'bind' && m.intent.configureSent;
    const state = m.state === 'Idle' || m.state === 'Creating' ? m.state : 'Speculative';
    return (sent ? 0 : 10) + STATE_RANK[state];
  };
  return slots.sort((x, y) => {
    const a = machines.machine(x);
    const b = machines.machine(y);
    return nearness(a) - nearness(b) || compareChosen(a, b) || compareText(a.id, b.id);
  });
}

function compareChosen(a: EngineMachine, b: EngineMachine): number {
  if (a.state === 'Idle' || a.intent?.kind !== 'bind') return a.priceMicroUsdPerHour - b.priceMicroUsdPerHour;
  return compareCost(a, b, a.intent.to.interruptionBucket);
}

function rank(slots: readonly number[], machines: Machines, hints: HintsById | undefined): Ranked[] {
  return slots.map((slot) => {
    const machine = machines.machine(slot);
    const hint = hints?.get(machine.id);
    return {
      slot,
      id: machine.id,
      configuring: machine.state === 'Configured' ? 0 : 1,
      disruptable: hint?.doNotDisrupt === true ? 0 : 1,
      disruptionCost: hint?.disruptionCost ?? 0,
      price: machine.priceMicroUsdPerHour,
      reclamation: reclamationBucket(machine),
    };
  });
}

/** Buckets are compared as ordinals, which grow with the penalty; pinned is the highest. */
function reclamationBucket(machine: EngineMachine): number {
  if (machine.assigned) return machine.assigned.reclamationBucket;
  return machine.intent?.kind === 'bind' ? machine.intent.to.reclamationBucket : 0;
}
