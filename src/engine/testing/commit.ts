/** What the world looks like once a plan's decisions are written down and nothing has moved yet. */
import { sameRequirement } from '../../api/profile.ts';
import type { EngineMachine, MemoryChange, NeedVerdict, Plan, Snapshot } from '../types.ts';
import { decided } from './simulation.ts';

/** With all of the plan's actions, or with those that `isDone` admits. */
export function committed(world: Snapshot, plan: Plan, isDone: (machineId: string) => boolean = () => true): Snapshot {
  const actionOf = new Map(plan.actions.map((a) => [a.machineId, a]));
  return {
    ...world,
    memory: remembered(world.memory, plan.memory),
    machines: world.machines.map((m): EngineMachine => {
      const action = actionOf.get(m.id);
      return action && isDone(m.id) ? decided(m, action) : m;
    }),
  };
}

function remembered(before: readonly MemoryChange[], changes: readonly MemoryChange[]): MemoryChange[] {
  const byKey = new Map(before.map((m) => [`${m.what} ${m.key}`, m]));
  for (const change of changes) byKey.set(`${change.what} ${change.key}`, change);
  return [...byKey.values()].filter((m) => (m.what === 'reservation' ? m.to : m.at) !== null);
}

/** What a withdrawal frees, or a reservation that is over, is new supply for somebody; so is what has arrived and is somebody else's now. */
export function freesSupply(world: Snapshot, { actions, memory }: Plan): boolean {
  const idle = new Set(world.machines.filter(({ state }) => state === 'Idle').map(({ id }) => id));
  return actions.some(({ kind }) => kind === 'Withdraw') || memory.some((m) => m.what === 'reservation' && (m.to === null || idle.has(m.key)));
}

/** Without bindings that have been decided: nothing is on its way but what is being bound already. */
export function undecided(world: Snapshot): Snapshot {
  const machines = world.machines.map((machine): EngineMachine => {
    const { intent, ...rest } = machine;
    return intent?.kind === 'bind' ? rest : machine;
  });
  return { ...world, machines };
}

/**
 * The known exception from rest: why a plan may decide more right after `first` was written down. Undefined = it may not.
 *
 * `folding`: gangs share a machine if their cluster has one that holds them, or one is free. The plan itself has just taken the
 * last one back, given it to somebody who ranks above, or bought one that holds more of them than it was bought for.
 */
export function exceptionFromRest(first: Plan, second: Plan): 'folding' | undefined {
  return first.verdicts.some((verdict, i) => verdict.foldedAs !== second.verdicts[i]?.foldedAs) ? 'folding' : undefined;
}

/** Rows of one demand in several unit classes, or gangs planned as one: what is on its way may serve the one or the other. */
export function mayChangePlaces({ need, foldedAs }: NeedVerdict, { verdicts }: Plan): boolean {
  if (foldedAs !== undefined || sameRequirement(need.profile) !== undefined) return true;
  return verdicts.some(({ need: other }) => other !== need && other.cluster === need.cluster && other.fingerprint === need.fingerprint && other.group === need.group);
}
