import { isDeepStrictEqual } from 'node:util';
import { canonicalQuantity, parseQuantity } from '../api/quantity.ts';
import { capacityRequestName } from '../api/names.ts';
import type { CapacityRequest, CapacityRequestRequirement, CapacityRequestSpec, Pod } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { apiVersionOf, CapacityRequestResource } from '../api/resources.ts';
import { INSTANCE_TYPE_LABEL, INTERRUPTION_PENALTY_ANNOTATION, OWNED_BY_POD_LABEL, RECLAMATION_PENALTY_ANNOTATION } from './labels.ts';
import { podResources } from './pod-resources.ts';
import { isDaemonSetPod, isFinished, isMirrorPod } from './pod-traits.ts';

export interface Penalties {
  readonly interruptionPenalty?: string;
  readonly reclamationPenalty?: string;
}

export interface PodRequestOptions {
  /** Penalties by PriorityClass, in canonical quantities. */
  readonly priorityClassDefaults?: ReadonlyMap<string, Penalties>;
  readonly includeDaemonSetPods?: boolean;
  /**
   * Whether the Node is a machine of BigFleet; undefined = not known yet. Absent: every Pod counts wherever it runs (D1's
   * `--foreign-nodes=count`).
   */
  readonly isFleetNode?: (nodeName: string) => boolean | undefined;
}

export interface DemandWarning {
  readonly reason: 'InvalidPenalty' | 'UnsupportedOperator';
  readonly message: string;
}

export type PodDemand =
  | { readonly kind: 'request'; readonly request: CapacityRequest; readonly warnings: readonly DemandWarning[] }
  | { readonly kind: 'none'; readonly because: 'finished' | 'daemonset' | 'mirror' | 'foreign-node' }
  /** The Pod is bound to a Node that the cache has not seen yet: leave things as they are. */
  | { readonly kind: 'unknown' };

/** The one place that says what a Pod asks of the fleet (spec: pod-controller 3; D1, D4, D28). Pure. */
export function capacityRequestFor(pod: Pod, options: PodRequestOptions = {}): PodDemand {
  if (isFinished(pod)) return { kind: 'none', because: 'finished' };
  if (!options.includeDaemonSetPods && isDaemonSetPod(pod)) return { kind: 'none', because: 'daemonset' };
  if (!options.includeDaemonSetPods && isMirrorPod(pod)) return { kind: 'none', because: 'mirror' };
  if (pod.spec.nodeName && options.isFleetNode) {
    const ours = options.isFleetNode(pod.spec.nodeName);
    if (ours === undefined) return { kind: 'unknown' };
    if (!ours) return { kind: 'none', because: 'foreign-node' };
  }
  const warnings: DemandWarning[] = [];
  return { kind: 'request', request: requestObject(pod, specFor(pod, options, warnings)), warnings };
}

/** Whether two demands are the same one, so that an update would change nothing. */
export function sameDemand(a: CapacityRequestSpec, b: CapacityRequestSpec): boolean {
  return isDeepStrictEqual(a, b);
}

function requestObject(pod: Pod, spec: CapacityRequestSpec): CapacityRequest {
  const { name, namespace, uid = '' } = pod.metadata;
  return {
    apiVersion: apiVersionOf(CapacityRequestResource),
    kind: 'CapacityRequest',
    metadata: {
      name: capacityRequestName(uid),
      ...(namespace === undefined ? {} : { namespace }),
      labels: { [OWNED_BY_POD_LABEL]: uid },
      ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name, uid, controller: true }],
    },
    spec,
  };
}

function specFor(pod: Pod, options: PodRequestOptions, warnings: DemandWarning[]): CapacityRequestSpec {
  const spread = pod.spec.topologySpreadConstraints?.filter((term) => term.whenUnsatisfiable !== 'ScheduleAnyway') ?? [];
  const near = pod.spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.[0];
  const requirements = requirementsOf(pod, warnings);
  return {
    ...(requirements.length > 0 ? { requirements } : {}),
    resources: podResources(pod),
    priority: pod.spec.priority ?? 0,
    ...(spread.length > 0
      ? { topologySpread: spread.map(({ topologyKey, maxSkew, whenUnsatisfiable }) => ({ topologyKey, maxSkew, whenUnsatisfiable })) }
      : {}),
    ...(near
      ? { coLocation: { topologyKey: near.topologyKey, ...(near.labelSelector ? { labelSelector: near.labelSelector } : {}) } }
      : {}),
    ...penaltiesOf(pod, options, warnings),
  };
}

function requirementsOf(pod: Pod, warnings: DemandWarning[]): CapacityRequestRequirement[] {
  const required = pod.spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const found: CapacityRequestRequirement[] = (required?.nodeSelectorTerms[0]?.matchExpressions ?? []).map(
    ({ key, operator, values }) => ({ key, operator, ...(values && values.length > 0 ? { values: [...values] } : {}) }),
  );
  for (const { key, operator } of found) {
    if (operator !== 'Gt' && operator !== 'Lt') continue;
    const message = `node affinity on ${key} uses ${operator}; a fleet request knows In, NotIn, Exists and DoesNotExist only, so no capacity is asked for`;
    warnings.push({ reason: 'UnsupportedOperator', message });
  }
  for (const [key, value] of Object.entries(pod.spec.nodeSelector ?? {}).sort(([a], [b]) => compareText(a, b))) {
    found.push({ key, operator: 'In', values: [value] });
  }
  // Without any wish the Pod still needs a machine, and a machine has an instance type.
  if (found.length === 0 && !required) found.push({ key: INSTANCE_TYPE_LABEL, operator: 'Exists' });
  return found;
}

function penaltiesOf(pod: Pod, options: PodRequestOptions, warnings: DemandWarning[]): Penalties {
  const defaults = options.priorityClassDefaults?.get(pod.spec.priorityClassName ?? '');
  const interruption = penalty(pod, INTERRUPTION_PENALTY_ANNOTATION, warnings) ?? defaults?.interruptionPenalty;
  const reclamation = penalty(pod, RECLAMATION_PENALTY_ANNOTATION, warnings) ?? defaults?.reclamationPenalty;
  return {
    ...(interruption === undefined ? {} : { interruptionPenalty: interruption }),
    ...(reclamation === undefined ? {} : { reclamationPenalty: reclamation }),
  };
}

function penalty(pod: Pod, annotation: string, warnings: DemandWarning[]): string | undefined {
  const text = pod.metadata.annotations?.[annotation];
  if (text === undefined || text === '') return undefined;
  try {
    if (parseQuantity(text).nanos >= 0n) return canonicalQuantity(text);
  } catch {
    // Reported below, together with negative amounts.
  }
  warnings.push({ reason: 'InvalidPenalty', message: `annotation ${annotation}: "${text}" is not an amount of dollars such as "8000" or "0.5"; it is ignored` });
  return undefined;
}
