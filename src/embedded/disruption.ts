/**
 * PodDisruptionBudgets: their status, and evictions that honour it. The number of expected Pods is the number of Pods
 * that match and are not finished: this server has no workload controllers whose scale it could ask, which the real
 * one does for maxUnavailable and for percentages.
 */
import { asArray, asObject, equalJson, isObject, stringAt } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import { podDisruptionBudgets, pods as podType } from './builtin-types.ts';
import type { Change, Revision } from './database.ts';
import type { DeleteRequest, Operations } from './operations.ts';
import { objectSelector } from './selectors.ts';
import { StatusError, internal } from './status-error.ts';

export class DisruptionController {
  private readonly operations: Operations;
  private readonly defer: (task: () => void) => void;
  private readonly dirty = new Set<string>();
  private scheduled = false;

  /** `defer` runs a task soon after the present one. */
  constructor(operations: Operations, defer: (task: () => void) => void) {
    this.operations = operations;
    this.defer = defer;
    operations.database.listen(podDisruptionBudgets, (change) => {
      if (change.type !== 'DELETED') this.mark(change.after);
    });
    operations.database.listen(podType, (change) => this.podChanged(change));
  }

  /** Brings every budget up to date, after a restart. */
  markAll(): void {
    for (const budget of this.operations.database.values(this.kind)) this.mark(budget);
  }

  /** Deletes the Pod if every budget allows it; 429 otherwise, as the real eviction subresource. */
  evict(namespace: string, name: string, request: DeleteRequest): void {
    const podKind = this.operations.kind('', 'pods')!;
    const { object: pod } = this.operations.need(podKind, namespace, name);
    const phase = stringAt(pod, 'status', 'phase');
    const free = pod.metadata.deletionTimestamp !== undefined || ['Pending', 'Succeeded', 'Failed'].includes(phase);
    if (!free) this.consume(namespace, pod, request.dryRun === true);
    this.operations.delete(podKind, namespace, name, request);
  }

  private consume(namespace: string, pod: Stored, dryRun: boolean): void {
    const matching = [...this.operations.database.values(this.kind, namespace)].filter((budget) => selects(budget.object, pod));
    if (matching.length > 1) throw internal(`This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.`);
    const found = matching[0];
    if (!found) return;
    const { object: budget } = this.refresh(found);
    const status = asObject(budget['status']);
    if (!isReady(pod)) {
      const policy = stringAt(budget, 'spec', 'unhealthyPodEvictionPolicy');
      const enough = Number(status['currentHealthy']) >= Number(status['desiredHealthy']) && Number(status['desiredHealthy']) > 0;
      if (policy === 'AlwaysAllow' || enough) return;
    }
    const allowed = Number(status['disruptionsAllowed']);
    if (allowed <= 0) throw blocked(budget);
    if (dryRun) return;
    const disrupted = { ...asObject(status['disruptedPods']), [pod.metadata.name]: this.operations.timestamp() };
    this.operations.update(this.kind, namespace, budget.metadata.name, { ...budget, status: { ...status, disruptionsAllowed: allowed - 1, disruptedPods: disrupted } }, 'status');
  }

  private get kind() {
    return this.operations.kind(podDisruptionBudgets.group, podDisruptionBudgets.plural)!;
  }

  private podChanged({ before, after }: Change): void {
    if (this.operations.database.count(this.kind, after.namespace) === 0) return;
    for (const budget of this.operations.database.values(this.kind, after.namespace)) {
      if (selects(budget.object, after.object) || (before && selects(budget.object, before.object))) this.mark(budget);
    }
  }

  private mark(budget: Revision): void {
    this.dirty.add(budget.key);
    if (this.scheduled) return;
    this.scheduled = true;
    this.defer(() => {
      this.scheduled = false;
      const keys = [...this.dirty];
      this.dirty.clear();
      for (const key of keys) {
        const [namespace, name] = key.split('/') as [string, string];
        const present = this.operations.database.get(this.kind, namespace, name);
        if (present) this.refresh(present);
      }
    });
  }

  private refresh(budget: Revision): Revision {
    const { namespace, name, object } = budget;
    const matching = [...this.operations.database.values(podType_id, namespace)].map((r) => r.object).filter((pod) => selects(object, pod));
    const status = computeStatus(object, matching, this.operations.timestamp());
    if (equalJson(status, object['status'])) return budget;
    return this.operations.update(this.kind, namespace, name, { ...object, status }, 'status');
  }
}

const podType_id = { id: podType.plural };

/** The status a budget should have, given the Pods that it selects. `now` is used where something changed. */
export function computeStatus(budget: Stored, matching: readonly Stored[], now: string): JsonObject {
  const old = asObject(budget['status']);
  const alive = matching.filter((pod) => !['Succeeded', 'Failed'].includes(stringAt(pod, 'status', 'phase')));
  // A Pod that was allowed to go counts as gone until it is seen to go.
  const disruptedPods = Object.fromEntries(Object.entries(asObject(old['disruptedPods'])).filter(([name]) => alive.some((pod) => pod.metadata.name === name && pod.metadata.deletionTimestamp === undefined)));
  const currentHealthy = alive.filter((pod) => pod.metadata.deletionTimestamp === undefined && disruptedPods[pod.metadata.name] === undefined && isReady(pod)).length;
  const expectedPods = alive.length;
  const desiredHealthy = desired(asObject(budget['spec']), expectedPods);
  const disruptionsAllowed = expectedPods === 0 ? 0 : Math.max(0, currentHealthy - desiredHealthy);
  const generation = budget.metadata.generation ?? 1;
  const fine = disruptionsAllowed > 0 ? 'True' : 'False';
  const previous = asArray(old['conditions']).filter(isObject).find((condition) => condition['type'] === 'DisruptionAllowed');
  const condition = {
    type: 'DisruptionAllowed',
    status: fine,
    reason: fine === 'True' ? 'SufficientPods' : 'InsufficientPods',
    message: '',
    observedGeneration: generation,
    lastTransitionTime: previous?.['status'] === fine ? previous['lastTransitionTime'] : now,
  };
  return {
    ...(Object.keys(disruptedPods).length > 0 ? { disruptedPods } : {}),
    currentHealthy,
    desiredHealthy,
    disruptionsAllowed,
    expectedPods,
    observedGeneration: generation,
    conditions: [condition],
  };
}

function desired(spec: JsonObject, expected: number): number {
  const { minAvailable, maxUnavailable } = spec;
  if (maxUnavailable !== undefined) return Math.max(0, expected - scaled(maxUnavailable, expected));
  return minAvailable === undefined ? 1 : scaled(minAvailable, expected);
}

/** Both bounds round percentages up, as upstream does. */
function scaled(value: unknown, total: number): number {
  return typeof value === 'string' ? Math.ceil((Number.parseInt(value, 10) * total) / 100) : Number(value);
}

function selects(budget: Stored, pod: Stored): boolean {
  const selector = asObject(budget['spec'])['selector'];
  return isObject(selector) && objectSelector(selector)(pod.metadata.labels);
}

function isReady(pod: Stored): boolean {
  return asArray(asObject(pod['status'])['conditions']).filter(isObject).some((condition) => condition['type'] === 'Ready' && condition['status'] === 'True');
}

function blocked(budget: Stored): StatusError {
  const status = asObject(budget['status']);
  const message = `The disruption budget ${budget.metadata.name} needs ${String(status['desiredHealthy'])} healthy pods and has ${String(status['currentHealthy'])} currently`;
  return new StatusError(429, 'TooManyRequests', "Cannot evict pod as it would violate the pod's disruption budget.", { causes: [{ reason: 'DisruptionBudget', message }], retryAfterSeconds: 10 });
}
