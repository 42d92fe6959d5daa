/** The decision engine (D6): facts in by `apply`, decisions out by `plan`. README.md lists what it promises. */
import { finish, PER_STEP } from '../lib/steps.ts';
import { Planner } from './decide/planner.ts';
import { audit } from './facts/audit.ts';
import type { FrozenFacts } from './facts/frozen-facts.ts';
import { Facts } from './facts/facts.ts';
import { assertPolicy, assertValid } from './validate.ts';
import type { Change, Engine, EngineMachine, Millis, Plan, Policy, Snapshot } from './types.ts';

export { arrivalKey } from './keys.ts';

/** An engine that knows nothing yet. Throws if the policy names an impossible value. */
export function createEngine(policy: Policy): Engine {
  assertPolicy(policy);
  let facts = new Facts(policy);
  let planner = new Planner(facts);
  /** What is told while the facts are rebuilt. */
  let meanwhile: Change[] | undefined;
  return {
    apply(change) {
      assertValid(change);
      facts.apply(change);
      meanwhile?.push(change);
    },
    plan: (now) => planner.plan(now),
    planInFull: (now) => planner.planInFull(now),
    audit: () => audit(facts),
    *rebuild() {
      const told: Change[] = (meanwhile = []);
      try {
        const fresh = yield* rebuilt(facts.freeze());
        for (const change of told) fresh.apply(change);
        facts = fresh;
        planner = new Planner(fresh);
      } finally {
        meanwhile = undefined;
      }
    },
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

/** What a fresh engine would know that is told all of it. */
function* rebuilt(frozen: FrozenFacts): Generator<undefined, Facts> {
  const { memory, ...rest } = yield* frozen.rest();
  const fresh = new Facts(frozen.policy);
  for (const change of changesOf({ ...rest, machines: [], memory: [] })) {
    fresh.apply(change);
    yield;
  }
  let upserted: EngineMachine[] = [];
  for (const machine of frozen) {
    upserted.push(machine);
    if (upserted.length < PER_STEP) continue;
    fresh.apply({ kind: 'machines', upserted, removed: [] });
    upserted = [];
    yield;
  }
  fresh.apply({ kind: 'machines', upserted, removed: [] });
  for (let from = 0; from < memory.length; from += PER_STEP) {
    fresh.apply({ kind: 'memory', changes: memory.slice(from, from + PER_STEP) });
    yield;
  }
  while (fresh.inventory.settle(PER_STEP)) yield;
  return fresh;
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
