import type { PodDemandOptions } from './pod-demand.ts';
import { parsePriorityClassDefaults } from './priority-class-defaults.ts';

/** What an operator tells of itself in its cluster: there is nothing else in it that says which cluster of the fleet it is. */
export interface OperatorNote {
  readonly clusterId: string;
  /** By which choices Pods are demand themselves (D33). Absent: only CapacityRequests are demand. */
  readonly directPods?: PodDemandOptions;
}

/** The form kept in an annotation: a JSON object. Equal notes give equal text. */
export function formatNote({ clusterId, directPods }: OperatorNote): string {
  if (!directPods) return JSON.stringify({ clusterId });
  const { includeDaemonSetPods, foreignNodes, priorityClassDefaults = new Map() } = directPods;
  return JSON.stringify({ clusterId, directPods: { includeDaemonSetPods, foreignNodes, priorityClassDefaults: Object.fromEntries(priorityClassDefaults) } });
}

/** Undefined for what cannot be read: half of it would be believed like the whole. */
export function parseNote(text: string | undefined): OperatorNote | undefined {
  try {
    const { clusterId, directPods } = JSON.parse(text ?? '') as Record<string, unknown>;
    if (typeof clusterId !== 'string' || clusterId === '') return undefined;
    return { clusterId, ...(directPods !== undefined && { directPods: directPodsOf(directPods as Record<string, unknown>) }) };
  } catch {
    return undefined;
  }
}

function directPodsOf({ includeDaemonSetPods, foreignNodes, priorityClassDefaults }: Record<string, unknown>): PodDemandOptions {
  if (typeof includeDaemonSetPods !== 'boolean' || (foreignNodes !== 'ignore' && foreignNodes !== 'count')) throw new Error('not written by formatNote');
  return { includeDaemonSetPods, foreignNodes, priorityClassDefaults: parsePriorityClassDefaults(JSON.stringify(priorityClassDefaults), 'priorityClassDefaults') };
}
