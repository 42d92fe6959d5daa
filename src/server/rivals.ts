import { matches } from '../engine/match.ts';
import type { MachineReason, Need, NeedVerdict, ResourceVector, ServedDemand } from '../engine/types.ts';
import { inTurns } from '../lib/turns.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import { creditOf, isFor, promisedTo } from '../shard/source-rows.ts';
import type { MachineRecord } from '../shard/record.ts';

/** A machine that some demand holds, or one that stands for several of the kind which the same demand holds. */
interface Held {
  readonly by: ServedDemand;
  readonly machine: ProviderMachine;
}

/** What all demand holds, in turns: one machine of each kind for each demand, as far as equal machines share their labels. */
export async function heldMachines(machines: Iterable<MachineRecord>): Promise<readonly Held[]> {
  const held: Held[] = [];
  const kinds = new Map<MachineReason, Map<ProviderMachine['labels'], ProviderMachine[]>>();
  await inTurns(machines, ({ seen, why }) => {
    const by = holderOf(why);
    if (!why || !by) return;
    let byLabels = kinds.get(why);
    if (!byLabels) kinds.set(why, (byLabels = new Map()));
    const alike = byLabels.get(seen.labels);
    if (alike?.some((other) => other.instanceType === seen.instanceType && other.zone === seen.zone && other.allocatable === seen.allocatable)) return;
    if (alike) alike.push(seen);
    else byLabels.set(seen.labels, [seen]);
    held.push({ by, machine: seen });
  });
  return held;
}

/**
 * Rows that choose before this one and hold machines which it could use, in the order in which they choose, at most `limit`.
 * `verdicts` in the engine's order; in turns, for there may be very many.
 */
export async function rowsAhead(verdict: NeedVerdict, verdicts: readonly NeedVerdict[], held: readonly Held[], limit: number): Promise<readonly NeedVerdict[]> {
  const rivals = new Map<string, ServedDemand[]>();
  await inTurns(held, ({ by, machine }) => {
    const name = nameOf(by);
    const known = rivals.get(name);
    if (known?.includes(by) || !couldUse(verdict.need, machine)) return;
    if (known) known.push(by);
    else rivals.set(name, [by]);
  });
  const found: NeedVerdict[] = [];
  if (rivals.size === 0) return found;
  await inTurns(upTo(verdict, verdicts), (other) => {
    const candidates = rivals.get(other.foldedAs ?? other.need.fingerprint);
    if (found.length < limit && candidates?.some((by) => isFor(by, other))) found.push(other);
  });
  return found;
}

/** Machines that are on their way to a preemptor are its own, too. */
function holderOf(why: MachineReason | undefined): ServedDemand | undefined {
  return promisedTo(why) ?? creditOf(why);
}

function nameOf({ foldedAs, fingerprint }: ServedDemand): string {
  return foldedAs ?? fingerprint;
}

function couldUse({ profile, minUnit }: Need, machine: ProviderMachine): boolean {
  return matches(profile, machine) && minUnit.every(([name, amount]) => amountOf(machine.allocatable, name) >= amount);
}

function amountOf(vector: ResourceVector, name: string): number {
  return vector.find(([of]) => of === name)?.[1] ?? 0;
}

function* upTo(end: NeedVerdict, verdicts: readonly NeedVerdict[]): Iterable<NeedVerdict> {
  for (const verdict of verdicts) {
    if (verdict === end) return;
    yield verdict;
  }
}
