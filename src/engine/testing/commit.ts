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

/** What a withdrawal frees, or a reservation that is over, is new supply for somebody. */
export function freesSupply({ actions, memory }: Plan): boolean {
  return actions.some(({ kind }) => kind === 'Withdraw') || memory.some((m) => m.what === 'reservation' && m.to === null);
}

/** Rows that differ in unit class alone share what is decided for them: the larger unit may be credited with what was just bought, or taken, for the smaller one. */
export function hasSharedDemands(world: Snapshot): boolean {
  const demands = [...world.needs.values()].flat().map((n) => `${n.cluster} ${n.fingerprint} ${n.group}`);
  return new Set(demands).size < demands.length;
}

/** Without what was decided for it. */
export function undecided(machine: EngineMachine): EngineMachine {
  const { intent, ...rest } = machine;
  return intent?.kind === 'bind' ? rest : machine;
}
