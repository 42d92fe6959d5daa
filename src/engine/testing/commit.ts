/** What the world looks like once a plan's decisions are written down and nothing has moved yet. */
import type { EngineMachine, MemoryChange, Plan, Snapshot } from '../types.ts';
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
