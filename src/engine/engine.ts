/** The decision engine (D6): facts in by `apply`, decisions out by `plan`. README.md lists what it promises. */
import { finish } from '../lib/steps.ts';
import { Planner } from './decide/planner.ts';
import type { FrozenFacts } from './facts/frozen-facts.ts';
import { Facts } from './facts/facts.ts';
import { assertPolicy, assertValid } from './validate.ts';
import type { Change, Engine, Millis, Plan, Policy, Snapshot } from './types.ts';

export { arrivalKey } from './keys.ts';

/** An engine that knows nothing yet. Throws if the policy names an impossible value. */
export function createEngine(policy: Policy): Engine {
  assertPolicy(policy);
  const facts = new Facts(policy);
  const planner = new Planner(facts);
  return {
    apply(change) {
      assertValid(change);
      facts.apply(change);
    },
    plan: (now) => planner.plan(now),
    planInFull: (now) => planner.planInFull(now),
    settle: (machines) => facts.inventory.settle(machines),
    snapshot: () => snapshotOf(facts.freeze()),
    capture() {
      const frozen = facts.freeze();
      return { machines: frozen, rest: () => frozen.rest(), machineReasons: planner.reasonsOf(frozen) };
    },
  };
}

function snapshotOf(frozen: FrozenFacts): Snapshot {
  return { machines: [...frozen], ...finish(frozen.rest()) };
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
