/**
 * What our informers keep of each object. A cluster has tens of thousands of Pods, and most of a Pod (images, volumes,
 * probes, managedFields) means nothing here.
 */
import type { CapacityRequest, Condition, Container, Node, Pod, UpcomingNode } from '../api/types.ts';
import type { ObjectMeta } from '../runtime/types.ts';
import {
  DO_NOT_DISRUPT_ANNOTATION, INTERRUPTION_PENALTY_ANNOTATION, KARPENTER_DO_NOT_DISRUPT_ANNOTATION, MIRROR_POD_ANNOTATION,
  POD_DELETION_COST_ANNOTATION, RECLAMATION_PENALTY_ANNOTATION,
} from './labels.ts';

const POD_ANNOTATIONS = [
  DO_NOT_DISRUPT_ANNOTATION, INTERRUPTION_PENALTY_ANNOTATION, KARPENTER_DO_NOT_DISRUPT_ANNOTATION, MIRROR_POD_ANNOTATION,
  POD_DELETION_COST_ANNOTATION, RECLAMATION_PENALTY_ANNOTATION,
];

export function projectPod(pod: Pod): Pod {
  const { spec, status } = pod;
  const annotations = picked(pod.metadata.annotations, POD_ANNOTATIONS);
  const nodeAffinity = spec.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const podAffinity = spec.affinity?.podAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const scheduled = status?.conditions?.find((c) => c.type === 'PodScheduled');
  return compact<Pod>({
    metadata: metadata(pod.metadata, annotations),
    spec: compact<Pod['spec']>({
      nodeName: spec.nodeName,
      priority: spec.priority,
      priorityClassName: spec.priorityClassName,
      nodeSelector: spec.nodeSelector,
      affinity: nodeAffinity || podAffinity
        ? {
            ...(nodeAffinity ? { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: nodeAffinity } } : {}),
            ...(podAffinity ? { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: podAffinity } } : {}),
          }
        : undefined,
      topologySpreadConstraints: spec.topologySpreadConstraints,
      overhead: spec.overhead,
      resources: spec.resources?.requests ? { requests: spec.resources.requests } : undefined,
      containers: spec.containers.map(projectContainer),
      initContainers: spec.initContainers?.map(projectContainer),
    }),
    status: compact<NonNullable<Pod['status']>>({
      phase: status?.phase,
      conditions: scheduled ? [scheduled] : undefined,
    }),
  });
}

export function projectNode(node: Node): Node {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  return compact<Node>({
    metadata: metadata(node.metadata, node.metadata.annotations),
    spec: compact<NonNullable<Node['spec']>>({
      providerID: node.spec?.providerID,
      unschedulable: node.spec?.unschedulable,
      taints: node.spec?.taints,
    }),
    // Without the time of the last heartbeat, which would look like news.
    status: compact<NonNullable<Node['status']>>({
      allocatable: node.status?.allocatable,
      conditions: ready ? [{ type: ready.type, status: ready.status, ...(ready.lastTransitionTime ? { lastTransitionTime: ready.lastTransitionTime } : {}) }] : undefined,
    }),
  });
}

export function projectCapacityRequest(request: CapacityRequest): CapacityRequest {
  return compact<CapacityRequest>({ metadata: metadata(request.metadata, undefined), spec: request.spec, status: request.status });
}

export function projectUpcomingNode(node: UpcomingNode): UpcomingNode {
  return compact<UpcomingNode>({ metadata: metadata(node.metadata, node.metadata.annotations), spec: node.spec, status: node.status });
}

export function conditionOf(conditions: readonly Condition[] | undefined, type: string): Condition | undefined {
  return conditions?.find((c) => c.type === type);
}

function metadata(meta: ObjectMeta, annotations: Record<string, string> | undefined): ObjectMeta {
  return compact<ObjectMeta>({
    name: meta.name,
    namespace: meta.namespace,
    uid: meta.uid,
    resourceVersion: meta.resourceVersion,
    generation: meta.generation,
    creationTimestamp: meta.creationTimestamp,
    deletionTimestamp: meta.deletionTimestamp,
    labels: meta.labels,
    annotations,
    ownerReferences: meta.ownerReferences,
  });
}

function projectContainer(container: Container): Container {
  return compact<Container>({
    name: container.name,
    restartPolicy: container.restartPolicy,
    resources: container.resources?.requests ? { requests: container.resources.requests } : undefined,
  });
}

function picked(from: Readonly<Record<string, string>> | undefined, keys: readonly string[]): Record<string, string> | undefined {
  if (!from) return undefined;
  const kept: Record<string, string> = {};
  for (const key of keys) if (from[key] !== undefined) kept[key] = from[key];
  return Object.keys(kept).length > 0 ? kept : undefined;
}

type Loose<T> = { [K in keyof T]: T[K] | undefined };

/** Drops absent fields, so that an object keeps only what it has. */
function compact<T extends object>(fields: Loose<T>): T {
  for (const key of Object.keys(fields) as (keyof T)[]) if (fields[key] === undefined) delete fields[key];
  return fields as T;
}
