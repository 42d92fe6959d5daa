import type { CapacityNeed, ClusterCapacityNeeds, NodeHint as WireHint } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { canonicalProfile, fingerprint, isPenaltyBucket, operatorOf, unitClass, whenUnsatisfiableOf } from '../api/profile.ts';
import type { Profile, Requirement, SpreadTerm } from '../api/profile.ts';
import { parseResources } from '../api/resource-vector.ts';
import type { Need, NodeHint, ResourceVector } from '../engine/types.ts';
import { nextTurn } from '../lib/turns.ts';

/** A roll-up as the engine wants it. */
export interface Rollup {
  readonly needs: readonly Need[];
  /** null = this operator sends no hints. */
  readonly hints: readonly NodeHint[] | null;
  /** Node name by machine id, as far as hinted. */
  readonly nodeNames: ReadonlyMap<string, string>;
  /** What holds up the drain of a machine, in the operator's words, by its id; only those that something holds up. */
  readonly heldBy: ReadonlyMap<string, string>;
  readonly timestampUnixNanos: bigint;
}

/** The roll-up is refused whole: the message names the row and the field (spec: wire 1.1, engine 12.4). */
export class MalformedRollupError extends Error {
  override readonly name = 'MalformedRollupError';
}

/** More rows than this from one cluster is refused loudly rather than left to slow everybody. */
export const MAX_ROWS_PER_CLUSTER = 100_000;

/** What an operator says for people is kept in every record and every object: longer than this it is cut. */
const MAX_WORDS = 1_000;

/** A row costs some 20 µs. */
const ROWS_PER_TURN = 200;

/** Parses every quantity once; throws MalformedRollupError. */
export function ingestRollup(cluster: string, rollup: ClusterCapacityNeeds): Rollup {
  const work = ingesting(cluster, rollup);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
  }
}

/** The same, with a turn for others after every few rows; of few rows it is done at once. */
export async function ingestRollupInTurns(cluster: string, rollup: ClusterCapacityNeeds): Promise<Rollup> {
  const work = ingesting(cluster, rollup);
  for (;;) {
    const { done, value } = work.next();
    if (done) return value;
    await nextTurn();
  }
}

/** Pauses after every few rows. */
function* ingesting(cluster: string, rollup: ClusterCapacityNeeds): Generator<undefined, Rollup, void> {
  if (rollup.needs.length > MAX_ROWS_PER_CLUSTER) {
    throw new MalformedRollupError(`needs: ${rollup.needs.length} rows, at most ${MAX_ROWS_PER_CLUSTER} are accepted`);
  }
  const needs: Need[] = [];
  for (const [i, row] of rollup.needs.entries()) {
    if (i > 0 && i % ROWS_PER_TURN === 0) yield;
    needs.push(ingestNeed(cluster, row, `needs[${i}]`));
  }
  return {
    needs,
    hints: rollup.nodeHints?.items.map((hint, i) => ingestHint(hint, `node_hints.items[${i}]`)) ?? null,
    nodeNames: new Map((rollup.nodeHints?.items ?? []).filter((hint) => hint.nodeName !== '').map((hint) => [hint.machineId, hint.nodeName])),
    heldBy: new Map((rollup.nodeHints?.items ?? []).filter((hint) => hint.heldBy !== '').map((hint) => [hint.machineId, hint.heldBy.slice(0, MAX_WORDS)])),
    timestampUnixNanos: rollup.timestampUnixNanos,
  };
}

function ingestNeed(cluster: string, row: CapacityNeed, path: string): Need {
  const profile = canonicalProfile({
    requirements: row.requirements.map((r, i): Requirement => {
      const operator = operatorOf(r.operator);
      if (!operator) throw new MalformedRollupError(`${path}.requirements[${i}].operator: ${r.operator} is none of In, NotIn, Exists, DoesNotExist, Same`);
      return { key: r.key, operator, values: r.values };
    }),
    spread: row.spread.map((s, i): SpreadTerm => {
      if (s.maxSkew < 1) throw new MalformedRollupError(`${path}.spread[${i}].max_skew: ${s.maxSkew}, must be at least 1`);
      return { topologyKey: s.topologyKey, maxSkew: s.maxSkew, whenUnsatisfiable: whenUnsatisfiableOf(s.whenUnsatisfiable) };
    }),
    priority: row.priority,
    interruptionBucket: bucket(row.interruptionPenaltyBucket, `${path}.interruption_penalty_bucket`),
    reclamationBucket: bucket(row.reclamationPenaltyBucket, `${path}.reclamation_penalty_bucket`),
  });
  checkSame(profile, path);
  const aggregate = vector(row.aggregateResources, `${path}.aggregate_resources`);
  const minUnit = vector(row.minUnit, `${path}.min_unit`);
  checkUnit(aggregate, minUnit, path);
  return { cluster, profile, fingerprint: fingerprint(profile), group: row.group, unitClass: unitClass(minUnit), aggregate, minUnit };
}

function ingestHint(hint: WireHint, path: string): NodeHint {
  if (hint.pods < 0) throw new MalformedRollupError(`${path}.pods: ${hint.pods}, must be 0 or more`);
  if (hint.disruptionCost < 0) throw new MalformedRollupError(`${path}.disruption_cost: ${hint.disruptionCost}, must be 0 or more`);
  const { machineId, ready, pods, disruptionCost, doNotDisrupt } = hint;
  return { machineId, ready, pods, disruptionCost, doNotDisrupt };
}

function checkSame(profile: Profile, path: string): void {
  const same = profile.requirements.filter((r) => r.operator === 'Same').length;
  if (same > 1) throw new MalformedRollupError(`${path}.requirements: ${same} Same requirements, at most one is supported`);
}

/** What every machine must hold is the largest of what is summed up: never more than the sum. A zero aggregate asks for nothing (D4). */
function checkUnit(aggregate: ResourceVector, minUnit: ResourceVector, path: string): void {
  if (aggregate.every(([, amount]) => amount === 0)) return;
  if (minUnit.every(([, amount]) => amount === 0)) throw new MalformedRollupError(`${path}.min_unit: empty although aggregate_resources asks for something`);
  const total = new Map(aggregate);
  const [name] = minUnit.find(([dimension, amount]) => amount > (total.get(dimension) ?? 0)) ?? [];
  if (name !== undefined) throw new MalformedRollupError(`${path}.min_unit: more ${name} than aggregate_resources asks for in all`);
}

function bucket(value: number, path: string): number {
  if (!isPenaltyBucket(value)) throw new MalformedRollupError(`${path}: ${value}, must be 0 to 27`);
  return value;
}

function vector(quantities: ReadonlyMap<string, string>, path: string): ResourceVector {
  try {
    return parseResources(quantities, 'up');
  } catch (error) {
    throw new MalformedRollupError(`${path}: ${error instanceof Error ? error.message : String(error)}`);
  }
}
