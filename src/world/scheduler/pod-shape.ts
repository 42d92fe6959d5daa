import { podKey } from '../objects.ts';
import type { NodeSelectorTerm, Pod, PodAffinityTerm, Toleration, TopologySpreadConstraint } from '../../api/core.ts';
import { podRequests } from './pod-requests.ts';
import type { Amounts } from './pod-requests.ts';

/** Everything about a Pod that decides where it fits. Pods of equal shape fit on the same Nodes, so one attempt speaks for all. */
export interface PodShape {
  readonly key: string;
  readonly namespace: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly priority: number;
  readonly requests: Amounts;
  readonly nodeSelector: Readonly<Record<string, string>>;
  /** Alternatives; absent = any Node. */
  readonly nodeTerms: readonly NodeSelectorTerm[] | undefined;
  readonly tolerations: readonly Toleration[];
  readonly spread: readonly TopologySpreadConstraint[];
  readonly affinity: readonly PodAffinityTerm[];
  readonly antiAffinity: readonly PodAffinityTerm[];
  /** Whether the placement of other Pods matters. */
  readonly relational: boolean;
}

export class PodShapes {
  private readonly byKey = new Map<string, PodShape>();

  /** Throws on a request that is no quantity, naming Pod and resource. */
  of(pod: Pod): PodShape {
    const shape = describe(pod);
    const known = this.byKey.get(shape.key);
    if (known) return known;
    this.byKey.set(shape.key, shape);
    return shape;
  }
}

function describe(pod: Pod): PodShape {
  const { spec, metadata } = pod;
  const requests = podRequests(spec ?? {}, podKey(pod));
  const affinity = spec?.affinity;
  const parts = {
    namespace: metadata.namespace ?? '',
    labels: metadata.labels ?? {},
    priority: spec?.priority ?? 0,
    requests,
    nodeSelector: spec?.nodeSelector ?? {},
    nodeTerms: affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution?.nodeSelectorTerms,
    tolerations: spec?.tolerations ?? [],
    spread: (spec?.topologySpreadConstraints ?? []).filter((c) => c.whenUnsatisfiable === 'DoNotSchedule'),
    affinity: affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
    antiAffinity: affinity?.podAntiAffinity?.requiredDuringSchedulingIgnoredDuringExecution ?? [],
  };
  const relational = parts.spread.length + parts.affinity.length + parts.antiAffinity.length > 0;
  return { key: JSON.stringify(parts), ...parts, relational };
}
