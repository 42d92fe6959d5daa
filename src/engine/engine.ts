/** The decision engine (D6): facts in by `apply`, decisions out by `plan`. README.md lists what it promises. */
import { keysOf } from './match.ts';
import { makePlan } from './plan.ts';
import { EngineState } from './state.ts';
import { compareText } from '../lib/compare-text.ts';
import { assertPolicy, assertValid } from './validate.ts';
import type { Change, Engine, Millis, Plan, Policy, Snapshot } from './types.ts';

export { arrivalKey } from './keys.ts';

/** An engine that knows nothing yet. Throws if the policy names an impossible value. */
export function createEngine(policy: Policy): Engine {
  assertPolicy(policy);
  const state = new EngineState(policy);
  return {
    apply(change) {
      assertValid(change);
      applyTo(state, change);
    },
    plan: (now) => makePlan(state, now),
    planInFull: (now) => makePlan(state, now),
    settle: () => false,
    snapshot: () => snapshotOf(state),
  };
}

/** The plan of a fresh engine that is told everything at once: the same, byte for byte, as that of the engine which was told bit by bit. */
export function planOnce(snapshot: Snapshot, now: Millis): Plan {
  const engine = createEngine(snapshot.policy);
  for (const change of changesOf(snapshot)) engine.apply(change);
  return engine.plan(now);
}

/** What a fresh engine has to be told to know as much as `snapshot` says. */
export function changesOf(snapshot: Snapshot): Change[] {
  return [
    { kind: 'supply', trusted: snapshot.supplyTrusted },
    { kind: 'memory', changes: snapshot.memory },
    ...[...snapshot.needs].map(([cluster, needs]): Change => ({ kind: 'needs', cluster, needs })),
    { kind: 'machines', upserted: snapshot.machines, removed: [] },
    ...[...snapshot.hints].map(([cluster, hints]): Change => ({ kind: 'hints', cluster, hints })),
    ...[...snapshot.sessions].map((cluster): Change => ({ kind: 'session', cluster, connected: true })),
  ];
}

function applyTo(state: EngineState, change: Change): void {
  switch (change.kind) {
    case 'machines':
      for (const id of change.removed) state.inventory.remove(id);
      for (const machine of change.upserted) state.inventory.upsert(machine);
      return;
    case 'needs':
      state.needs.replace(change.cluster, change.needs);
      state.inventory.distinguishBy(change.needs.flatMap((need) => keysOf(need.profile)));
      return;
    case 'hints':
      state.inventory.hints.set(change.cluster, change.hints);
      state.inventory.hintsChanged(change.cluster);
      return;
    case 'session':
      if (change.connected) state.sessions.add(change.cluster);
      else state.sessions.delete(change.cluster);
      return;
    case 'supply':
      state.supplyTrusted = change.trusted;
      return;
    case 'policy':
      state.policy = change.policy;
      return;
    case 'memory':
      for (const memory of change.changes) state.memory.commit(memory);
      state.needs.arrivalsChanged();
      return;
  }
}

function snapshotOf(state: EngineState): Snapshot {
  const { inventory } = state;
  return {
    machines: inventory.all().map((slot) => inventory.machine(slot)),
    needs: state.needs.all(),
    hints: inventory.hints.all(),
    sessions: new Set([...state.sessions].sort(compareText)),
    supplyTrusted: state.supplyTrusted,
    policy: state.policy,
    memory: state.memory.all(),
  };
}
