/** The operator of a simulated cluster: rows, allowances and hints, made by the operator's own functions. */
import { parseResources } from '../api/resource-vector.ts';
import type { CapacityNeed } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { unitClass } from '../api/profile.ts';
import { Allowances } from '../operator/allowances.ts';
import type { EmptyMachine, RowView } from '../operator/allowances.ts';
import { statusKey } from '../operator/contribution.ts';
import type { ExactAmounts } from '../operator/contribution.ts';
import type { DemandRow } from '../operator/demand-row.ts';
import { DemandBook } from '../operator/rollup.ts';
import { covers, labelsMatch } from '../operator/row-matching.ts';
import { isByteDimension } from '../api/quantity.ts';
import type { EngineMachine, Millis, Need, NeedVerdict, NodeHint } from '../engine/types.ts';
import { nodeLabels } from './cluster.ts';
import type { Cluster, SimulatedNode } from './cluster.ts';
import { requestOf } from './pod.ts';
import type { SimulatedPod } from './pod.ts';

export interface DemandModel {
  /** False: one row per profile and gang, whatever the sizes of its Pods (without D2). */
  readonly unitClasses: boolean;
  /** 'pending' reports only Pods that wait: a fault, known to make a fleet churn. */
  readonly of: 'all' | 'pending';
  /** Whether rows whose Pods find no place report more (D3). */
  readonly allowances: boolean;
  /** How long a scheduler may take to try a Pod again; absent: it does so at once. */
  readonly turnMs?: Millis;
  /** Whether hints about Nodes are sent (D13). */
  readonly hints: boolean;
}

export class DemandReporter {
  readonly #cluster: Cluster;
  readonly #model: DemandModel;
  readonly #book = new DemandBook();
  readonly #allowances: Allowances;
  readonly #needs = new WeakMap<CapacityNeed, Need>();
  readonly #verdicts = new Map<string, boolean>();
  #sigma: ReadonlyMap<string, ExactAmounts> = new Map();
  #reported: Millis = 0;
  #judged = -1n;
  #machinesInDemand = 0;

  constructor(cluster: Cluster, model: DemandModel) {
    this.#cluster = cluster;
    this.#model = model;
    this.#allowances = new Allowances({ turnNanos: nanos(model.turnMs ?? 0) });
  }

  created(pod: SimulatedPod): void {
    this.#book.set(pod.id, requestOf(pod.id, pod.template.spec));
  }

  gone(pod: SimulatedPod): void {
    this.#book.remove(pod.id);
  }

  bound(pod: SimulatedPod): void {
    if (this.#model.of === 'pending') this.#book.remove(pod.id);
  }

  /** The roll-up of this moment. `onItsWay`: machines decided for the cluster that are no Ready Nodes yet. */
  report(now: Millis, onItsWay: () => readonly EngineMachine[]): { needs: Need[]; hints: NodeHint[] | null } {
    this.#reported = now;
    if (this.#model.allowances) this.#stepAllowances(now, onItsWay);
    const needs = this.#book.sortedRows().map((row) => this.#needOf(row));
    return { needs: this.#model.unitClasses ? needs : foldUnitClasses(needs), hints: this.#model.hints ? this.#hints() : null };
  }

  /** What the shard says of the rows of the last report. */
  judged(verdicts: Iterable<NeedVerdict>): void {
    this.#judged = nanos(this.#reported);
    this.#verdicts.clear();
    this.#machinesInDemand = 0;
    for (const { need, satisfied, machines } of verdicts) {
      this.#verdicts.set(statusKey(need), satisfied);
      this.#machinesInDemand += machines;
    }
  }

  /** Present allowances by row, amounts in billionths. */
  get allowances(): ReadonlyMap<string, ExactAmounts> {
    return this.#sigma;
  }

  /** Pods that were told that nothing more is bought for them although they do not fit. */
  get misfits(): number {
    return [...this.#allowances.misfitKeys()].length;
  }

  #stepAllowances(now: Millis, onItsWay: () => readonly EngineMachine[]): void {
    const waiting = new Map<DemandRow, SimulatedPod[]>();
    for (const pod of this.#cluster.unplaced) {
      const row = this.#book.rowOf(pod.id);
      if (row === undefined) continue;
      const others = waiting.get(row);
      if (others) others.push(pod);
      else waiting.set(row, [pod]);
    }
    const rows = this.#book.sortedRows().filter((row) => row.identity.group === '');
    this.#sigma = this.#allowances.step(rows.map((row) => this.#view(row, waiting.get(row) ?? [], onItsWay)), this.#emptyMachines(), nanos(now), {
      inUse: (id) => (this.#cluster.nodes.get(id)?.pods.size ?? 0) > 0,
      surplus: (since) => (this.#judged >= since ? Math.max(0, this.#readyNodes().length + onItsWay().length - this.#machinesInDemand) : undefined),
    });
    for (const row of rows) row.setAllowance(this.#sigma.get(row.statusKey) ?? []);
  }

  #view(row: DemandRow, unplaced: readonly SimulatedPod[], onItsWay: () => readonly EngineMachine[]): RowView {
    const fits = (machine: EngineMachine): boolean => labelsMatch(row.identity.profile, nodeLabels(machine)) && covers(exact(machine), row.minUnit());
    return {
      key: row.statusKey,
      requests: () => row.requests(),
      unplaced: unplaced.map((pod) => ({ requestKey: pod.id, amounts: this.#book.amountsOf(pod.id), message: this.#cluster.wordsOn(pod) })),
      satisfied: (since) => (this.#judged >= since ? this.#verdicts.get(row.statusKey) : undefined),
      onItsWay: () => onItsWay().some(fits),
      matches: ({ machineId }) => {
        const node = this.#cluster.nodes.get(machineId);
        return node !== undefined && fits(node.machine);
      },
    };
  }

  #readyNodes(): SimulatedNode[] {
    return [...this.#cluster.nodes.values()].filter((node) => node.ready && !node.cordoned);
  }

  #emptyMachines(): EmptyMachine[] {
    return this.#readyNodes()
      .filter((node) => node.pods.size === 0)
      .map(({ machine }) => ({ machineId: machine.id, allocatable: exact(machine) }))
      .sort((a, b) => (a.machineId < b.machineId ? -1 : 1));
  }

  #hints(): NodeHint[] {
    return [...this.#cluster.nodes.values()]
      .map(({ machine, ready, pods }) => ({ machineId: machine.id, ready, pods: pods.size, disruptionCost: pods.size, doNotDisrupt: false }))
      .sort((a, b) => (a.machineId < b.machineId ? -1 : 1));
  }

  #needOf(row: DemandRow): Need {
    const wire = row.toNeed();
    let need = this.#needs.get(wire);
    if (need === undefined) {
      const minUnit = parseResources(wire.minUnit, 'up');
      const { profile, fingerprint, group } = row.identity;
      const aggregate = parseResources(wire.aggregateResources, 'up');
      need = { cluster: this.#cluster.name, profile, fingerprint, group, unitClass: unitClass(minUnit), aggregate, minUnit };
      this.#needs.set(wire, need);
    }
    return need;
  }
}

/** One row per (profile, gang): sums add up, and every machine must cover the largest Pod. */
function foldUnitClasses(needs: readonly Need[]): Need[] {
  const folded = new Map<string, Need>();
  for (const need of needs) {
    const key = JSON.stringify([need.fingerprint, need.group]);
    const other = folded.get(key);
    if (other === undefined) folded.set(key, need);
    else {
      const minUnit = combined(other.minUnit, need.minUnit, Math.max);
      folded.set(key, { ...other, aggregate: combined(other.aggregate, need.aggregate, (a, b) => a + b), minUnit, unitClass: unitClass(minUnit) });
    }
  }
  return [...folded.values()];
}

function combined(a: Need['aggregate'], b: Need['aggregate'], how: (x: number, y: number) => number): Need['aggregate'] {
  const all = new Map(a);
  for (const [dimension, amount] of b) all.set(dimension, how(all.get(dimension) ?? 0, amount));
  return [...all].sort(([x], [y]) => (x < y ? -1 : 1));
}

function exact(machine: EngineMachine): ExactAmounts {
  return machine.allocatable.map(([dimension, amount]) => [dimension, BigInt(amount) * (isByteDimension(dimension) ? 1_000_000_000n : 1_000_000n)]);
}

function nanos(at: Millis): bigint {
  return BigInt(at) * 1_000_000n;
}
