import type { Pod } from '../api/types.ts';
import { DO_NOT_DISRUPT_ANNOTATION, KARPENTER_DO_NOT_DISRUPT_ANNOTATION, MIRROR_POD_ANNOTATION, POD_DELETION_COST_ANNOTATION } from './labels.ts';

const MAX_INT32 = 2_147_483_647;

export function isFinished(pod: Pod): boolean {
  return pod.status?.phase === 'Succeeded' || pod.status?.phase === 'Failed';
}

/** Nodes bring these with them: they are neither demand nor anything that a drain could move. */
export function isDaemonSetPod(pod: Pod): boolean {
  return pod.metadata.ownerReferences?.some((owner) => owner.kind === 'DaemonSet') ?? false;
}

export function isMirrorPod(pod: Pod): boolean {
  return pod.metadata.annotations?.[MIRROR_POD_ANNOTATION] !== undefined;
}

/** A Pod that has to move when its machine goes (D13). */
export function isMovable(pod: Pod): boolean {
  return !isFinished(pod) && !isDaemonSetPod(pod) && !isMirrorPod(pod);
}

/** 1 plus the Pod's own positive deletion cost (D13); what cannot be read counts as no statement. */
export function disruptionCost(pod: Pod): number {
  const text = pod.metadata.annotations?.[POD_DELETION_COST_ANNOTATION];
  const declared = text !== undefined && /^[+-]?\d+$/.test(text) ? Number(text) : 0;
  return 1 + Math.min(MAX_INT32, Math.max(0, declared));
}

export function refusesDisruption(annotations: Readonly<Record<string, string>> | undefined): boolean {
  return annotations?.[DO_NOT_DISRUPT_ANNOTATION] === 'true' || annotations?.[KARPENTER_DO_NOT_DISRUPT_ANNOTATION] === 'true';
}

/** The scheduler's own words if it could not place the Pod. */
export function unschedulableMessage(pod: Pod): string | undefined {
  if (pod.spec.nodeName) return undefined;
  const scheduled = pod.status?.conditions?.find((c) => c.type === 'PodScheduled');
  return scheduled?.status === 'False' && scheduled.reason === 'Unschedulable' ? (scheduled.message ?? '') : undefined;
}
