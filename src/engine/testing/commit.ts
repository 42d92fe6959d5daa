/** What the world looks like once a plan's decisions are written down and nothing has moved yet. */
import { sameRequirement, strictSpread } from '../../api/profile.ts';
import type { Action, EngineMachine, MemoryChange, Need, NeedVerdict, Plan, Snapshot } from '../types.ts';
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

/** Without bindings that have been decided: nothing is on its way but what is being bound already. */
export function undecided(world: Snapshot): Snapshot {
  const machines = world.machines.map((machine): EngineMachine => {
    const { intent, ...rest } = machine;
    return intent?.kind === 'bind' ? rest : machine;
  });
  return { ...world, machines };
}

/**
 * Known exceptions from rest: why a plan may decide more right after `first` was written down, by name. Undefined = it may not.
 *
 * - `moved`: whoever preempts spares what an equal gang is expected to keep; the gang has just settled somewhere else.
 * - `incomplete`: a gang without a whole place prefers, of places that give it as much, the one with more free supply; the
 *   plan itself has just changed what is free.
 * - `folding`: gangs share a machine if their cluster has one that holds them, or one is free. The plan itself has just taken the
 *   last one back, or given it to somebody who ranks above.
 * - `spread`: a strict spread buys where the price is least (spec: engine 6.6), and is credited with what it bought in order
 *   of cost, in which interruptions count. The last machine that it bought may so make an earlier one superfluous.
 * - `units`: the same of what was on its way for rows of several unit classes before the plan, where nobody knows for which of
 *   them, or one lacks so much that it takes the other's too: the larger unit comes first. Nothing more is decided for that, or
 *   what nobody knows the class of is bought anew.
 */
export function exceptionFromRest(world: Snapshot, first: Plan, second: Plan): string | undefined {
  const pairs = first.verdicts.map((verdict, i) => [verdict, second.verdicts[i] as NeedVerdict] as const);
  const gangs = pairs.filter(([{ need }]) => sameRequirement(need.profile) !== undefined && need.aggregate.some(([, amount]) => amount > 0));
  if (gangs.some(([a, b]) => a.sameSatisfiable === false && (a.sameDomain !== b.sameDomain || a.machines !== b.machines))) return 'incomplete';
  const settled = new Set(gangs.filter(([a]) => a.satisfied && a.bootstraps + a.provisions > 0).map(([{ need }]) => need.cluster));
  if (second.actions.length > 0 && second.actions.every(({ kind, cluster }) => kind === 'Preempt' && settled.has(cluster))) return 'moved';
  if (pairs.some(([a, b]) => a.foldedAs !== b.foldedAs)) return 'folding';
  const rows = first.verdicts.map(({ need }) => need);
  const concerns = (of: (need: Need) => boolean): boolean => second.actions.every((action) => rows.some((need) => of(need) && isFor(action, need)));
  if (second.actions.length > 0 && second.actions.every(({ kind }) => kind === 'Withdraw') && concerns(({ profile }) => strictSpread(profile) !== undefined)) return 'spread';
  const several = (need: Need): boolean => rows.filter((other) => other.cluster === need.cluster && other.fingerprint === need.fingerprint && other.group === need.group).length > 1;
  const lost = pairs.flatMap(([a, b]) => (a.satisfied && !b.satisfied ? [a.need] : []));
  if (second.actions.length === 0 ? lost.length > 0 && lost.every(several) : world.machines.some(({ intent }) => intent?.kind === 'bind') && concerns(several)) return 'units';
  return undefined;
}

function isFor({ kind, to, reason }: Action, { cluster, fingerprint, group }: Need): boolean {
  if (kind === 'Preempt' && reason.code === 'Preempted') return reason.forCluster === cluster && reason.fingerprint === fingerprint;
  return to?.cluster === cluster && to.fingerprint === fingerprint && to.group === group;
}
