import type { Pod } from '../../api/core.ts';
import type { KubeObject } from '../../runtime/types.ts';
import { DEMO_NAMESPACE } from '../labels.ts';
import type { PlannedPod } from './plan.ts';

/** Name of the Pod that lives the r-th life of a planned one. */
export function podName(planned: PlannedPod, r: number): string {
  return r === 0 ? planned.name : `${planned.name}-r${r}`;
}

/** Of which planned Pod's replacements this could be the name; undefined if of none's. */
export function replacedName(name: string): string | undefined {
  return /^(.+)-r[1-9]\d*$/.exec(name)?.[1];
}

export function podManifest(planned: PlannedPod, r: number): Pod {
  return {
    apiVersion: 'v1',
    kind: 'Pod',
    metadata: { name: podName(planned, r), namespace: DEMO_NAMESPACE, ...(planned.labels ? { labels: { ...planned.labels } } : {}) },
    spec: {
      restartPolicy: 'Never',
      terminationGracePeriodSeconds: 1,
      ...(planned.priority === 0 ? {} : { priorityClassName: priorityClassName(planned.priority) }),
      ...(planned.placement as Partial<Pod['spec']> | undefined),
      containers: [{ name: 'main', image: 'simulated', resources: { requests: { ...planned.requests } } }],
    },
  };
}

/** Pods name their priority by class, as in any cluster; 0 needs none. */
export function priorityClass(value: number): KubeObject & { value: number } {
  return { apiVersion: 'scheduling.k8s.io/v1', kind: 'PriorityClass', metadata: { name: priorityClassName(value) }, value };
}

function priorityClassName(value: number): string {
  return `demo-${value}`;
}
