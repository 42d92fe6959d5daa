import type { Node, Pod } from '../api/core.ts';
import { NodeResource, PodResource } from '../api/resources.ts';
import type { EmbeddedStore } from '../embedded/api.ts';
import { StatusError } from '../embedded/status-error.ts';
import type { Clock } from '../lib/clock.ts';
import { Scheduler } from './scheduler/scheduler.ts';

/** Connects a scheduler to an embedded control plane. Returns the function that ends it. */
export function runScheduler(store: EmbeddedStore, clock: Clock, report: (problem: string) => void): () => void {
  const timestamp = (): string => new Date(clock.now()).toISOString().replace(/\.\d+Z$/, 'Z');
  const scheduler = new Scheduler({
    clock,
    defer: (work) => void setImmediate(work),
    effects: {
      bind: (pod, node) => {
        try {
          store.bindPod(refOf(pod), node);
          return true;
        } catch (error) {
          if (error instanceof StatusError) return false;
          throw error;
        }
      },
      markUnschedulable: (pod, message) => {
        try {
          store.mutate<Pod>(PodResource, refOf(pod), (draft) => markUnschedulable(draft, message, timestamp()), { subresource: 'status' });
        } catch (error) {
          if (!(error instanceof StatusError)) throw error;
        }
      },
      report,
    },
  });
  const stops = [
    store.watch<Node>(NodeResource, (event) => {
      if (event.type === 'deleted') scheduler.nodeGone(event.old.metadata.name);
      else scheduler.nodeChanged(event.object);
    }),
    store.watch<Pod>(PodResource, (event) => {
      if (event.type === 'deleted') scheduler.podGone(event.old);
      else scheduler.podChanged(event.object);
    }),
  ];
  return () => {
    for (const stop of stops) stop();
  };
}

function refOf(key: string): { namespace: string; name: string } {
  const [namespace = '', name = ''] = key.split('/');
  return { namespace, name };
}

function markUnschedulable(pod: Pod, message: string, now: string): Pod {
  const conditions = pod.status?.conditions ?? [];
  const before = conditions.find((c) => c.type === 'PodScheduled');
  const lastTransitionTime = before?.status === 'False' ? before.lastTransitionTime : now;
  return {
    ...pod,
    status: {
      phase: 'Pending',
      ...pod.status,
      conditions: [
        ...conditions.filter((c) => c.type !== 'PodScheduled'),
        { type: 'PodScheduled', status: 'False', reason: 'Unschedulable', message, ...(lastTransitionTime === undefined ? {} : { lastTransitionTime }) },
      ],
    },
  };
}
