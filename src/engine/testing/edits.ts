/** Random changes to what an engine knows, those included that follow from its own plans. */
import fc from 'fast-check';
import { expect } from 'vitest';
import type { Change, Engine, EngineMachine, MemoryChange, NodeHint, Plan, Snapshot } from '../types.ts';
import { amounts, assignmentOf } from './builders.ts';
import { decided, moved } from './simulation.ts';

const KINDS = ['machine', 'trait', 'remove', 'needs', 'hints', 'hint', 'session', 'supply', 'policy', 'commit', 'part', 'move', 'fail', 'reserve', 'nothing'] as const;
/** One of these changes, and nothing else: all other parts of the machine are the very same objects. */
const TRAITS: readonly Partial<EngineMachine>[] = [
  { priceMicroUsdPerHour: 3_000_000 }, { interruptionProbability: 0.25 }, { zone: 'za' }, { zone: 'zb' }, { instanceType: 't2' }, { capacityType: 'Spot' }, { capacityType: 'BareMetal' }, { hold: true }, { stuck: true },
  { allocatable: amounts({ cpu: 2, memory: 2 }) }, { labels: { rack: 'v2' } },
];
/** What happens most often in a running shard. */
const OFTEN = ['machine', 'trait', 'hint', 'commit', 'commit', 'part', 'move', 'move'] as const;

export interface Edit {
  readonly pick: number;
  readonly kind: (typeof KINDS)[number];
}

export const edits: fc.Arbitrary<Edit[]> = fc.array(fc.record({ pick: fc.nat(1000), kind: fc.constantFrom<Edit['kind']>(...KINDS, ...OFTEN) }), {
  minLength: 1,
  maxLength: 12,
  size: 'max',
});

/** `plan` is the engine's last one; `other` is where new machines, demands, hints and policies come from. The engine must know then what it was told. */
export function applyEdit({ kind, pick }: Edit, engine: Engine, plan: Plan, other: Snapshot): void {
  const change = (what: Change): void => {
    engine.apply(what);
    const known = engine.snapshot();
    if (what.kind === 'machines') for (const machine of what.upserted) expect(known.machines.find(({ id }) => id === machine.id)).toEqual(machine);
    if (what.kind === 'hints') expect(byMachine(known.hints.get(what.cluster) ?? [])).toEqual(byMachine(what.hints ?? []));
  };
  const known = engine.snapshot();
  const clusters = [...other.needs.keys(), 'c1'];
  const cluster = clusters[pick % clusters.length] as string;
  const own = known.machines[pick % Math.max(1, known.machines.length)];
  const hints = known.hints.get(cluster) ?? [];
  const next = { trait: own && { ...own, ...TRAITS[pick % TRAITS.length] }, machine: other.machines[pick % Math.max(1, other.machines.length)], move: own && moved(own), fail: own && failed(own) };
  switch (kind) {
    case 'machine':
    case 'trait':
    case 'move':
    case 'fail': {
      const machine = next[kind];
      return machine && change({ kind: 'machines', upserted: [machine], removed: [] });
    }
    case 'remove':
      return change({ kind: 'machines', upserted: [], removed: known.machines.slice(pick % 3, (pick % 3) + 1).map(({ id }) => id) });
    case 'needs':
      return change({ kind: 'needs', cluster, needs: other.needs.get(cluster) ?? [] });
    case 'hints':
      return change({ kind: 'hints', cluster, hints: other.hints.get(cluster) ?? null });
    case 'hint':
      return change({ kind: 'hints', cluster, hints: hints.map((hint, i) => (i === pick % hints.length ? { ...hint, disruptionCost: pick % 5 } : hint)) });
    case 'session':
      return change({ kind: 'session', cluster, connected: !known.sessions.has(cluster) });
    case 'supply':
      return change({ kind: 'supply', trusted: !known.supplyTrusted });
    case 'policy':
      return change({ kind: 'policy', policy: other.policy });
    case 'reserve':
      return own && change({ kind: 'memory', changes: [reservation(own, [...known.needs.values()].flat(), pick)] });
    case 'commit':
      return commit(engine, known, plan, () => true);
    case 'part':
      return commit(engine, known, plan, (i) => (i + pick) % 3 !== 0);
    case 'nothing':
      return;
  }
}

/** Writes down those of the plan's decisions that could be carried out. */
function commit(engine: Engine, known: Snapshot, plan: Plan, isDone: (i: number) => boolean): void {
  engine.apply({ kind: 'memory', changes: plan.memory.filter((_, i) => isDone(i)) });
  const byId = new Map(known.machines.map((m) => [m.id, m]));
  const upserted = plan.actions.flatMap((action, i): EngineMachine[] => {
    const target = byId.get(action.machineId);
    return target && isDone(i) ? [decided(target, action)] : [];
  });
  engine.apply({ kind: 'machines', upserted, removed: [] });
}

function byMachine(hints: readonly NodeHint[]): NodeHint[] {
  return hints.toSorted((a, b) => (a.machineId < b.machineId ? -1 : 1));
}

function failed({ intent: _, assigned: __, ...rest }: EngineMachine): EngineMachine {
  return { ...rest, state: 'Failed', cluster: '' };
}

function reservation({ id }: EngineMachine, asked: Parameters<typeof assignmentOf>[0][], pick: number): MemoryChange {
  const preemptor = asked[pick % Math.max(1, asked.length)];
  return { what: 'reservation', key: id, to: preemptor === undefined || pick % 5 === 0 ? null : assignmentOf(preemptor) };
}
