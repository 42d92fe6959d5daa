import { Counter, Gauge, Histogram } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ControllerMetrics } from './controller.ts';
import { eventLoopStalls } from './event-loop-stalls.ts';
import type { LongestStall } from './event-loop-stalls.ts';
import type { InformerMetrics } from './informer.ts';
import type { QueueMetrics } from './queue/work-queue.ts';

const RECONCILE_BUCKETS = [0.005, 0.01, 0.05, 0.1, 0.5, 1, 5, 10, 30, 60, 120];
const QUEUE_BUCKETS = [0.001, 0.01, 0.1, 1, 10, 100, 1_000];

/** The runtime's instruments under the names controller-runtime made customary. One per registry. */
export interface RuntimeMetrics {
  controller(name: string, workers: number): ControllerMetrics;
  queue(name: string): QueueMetrics;
  readonly informers: InformerMetrics;
  readonly request: (method: string, code: number) => void;
  leader(name: string, isLeader: boolean): void;
}

export function createRuntimeMetrics(registry: Registry, longestStall: LongestStall = eventLoopStalls()): RuntimeMetrics {
  new Gauge({
    name: 'event_loop_stall_seconds',
    help: 'Longest time that the event loop stood still since the last scrape.',
    registers: [registry],
    collect() {
      this.set(longestStall() / 1000);
    },
  });
  const requests = new Counter({
    name: 'rest_client_requests_total',
    help: 'Requests to the Kubernetes API by method and status code; code <error> when no answer came.',
    labelNames: ['method', 'code'] as const,
    registers: [registry],
  });
  const leaders = new Gauge({
    name: 'leader_election_master_status',
    help: '1 while this process holds the Lease.',
    labelNames: ['name'] as const,
    registers: [registry],
  });
  return {
    controller: controllerMetrics(registry),
    queue: queueMetrics(registry),
    informers: informerMetrics(registry),
    request: (method, code) => requests.inc({ method, code: code === 0 ? '<error>' : String(code) }),
    leader: (name, isLeader) => leaders.set({ name }, isLeader ? 1 : 0),
  };
}

function controllerMetrics(registry: Registry): RuntimeMetrics['controller'] {
  const labelNames = ['controller'] as const;
  const registers = [registry];
  const total = new Counter({
    name: 'controller_runtime_reconcile_total',
    help: 'Reconciles by result.',
    labelNames: ['controller', 'result'] as const,
    registers,
  });
  const errors = new Counter({ name: 'controller_runtime_reconcile_errors_total', help: 'Reconciles that failed.', labelNames, registers });
  const terminal = new Counter({
    name: 'controller_runtime_terminal_reconcile_errors_total',
    help: 'Reconciles that failed for good.',
    labelNames,
    registers,
  });
  const seconds = new Histogram({
    name: 'controller_runtime_reconcile_time_seconds',
    help: 'Duration of a reconcile.',
    labelNames,
    buckets: RECONCILE_BUCKETS,
    registers,
  });
  const active = new Gauge({ name: 'controller_runtime_active_workers', help: 'Reconciles running now.', labelNames, registers });
  const max = new Gauge({ name: 'controller_runtime_max_concurrent_reconciles', help: 'Workers of the controller.', labelNames, registers });
  return (controller, workers) => {
    max.set({ controller }, workers);
    const activeOf = active.labels({ controller });
    const secondsOf = seconds.labels({ controller });
    return {
      activeWorkers: (value) => activeOf.set(value),
      reconciled(outcome, duration) {
        secondsOf.observe(duration);
        total.inc({ controller, result: outcome === 'terminal' ? 'error' : outcome });
        if (outcome === 'error' || outcome === 'terminal') errors.inc({ controller });
        if (outcome === 'terminal') terminal.inc({ controller });
      },
    };
  };
}

function queueMetrics(registry: Registry): RuntimeMetrics['queue'] {
  const labelNames = ['name'] as const;
  const registers = [registry];
  const depth = new Gauge({ name: 'workqueue_depth', help: 'Keys ready to be handed out.', labelNames, registers });
  const adds = new Counter({ name: 'workqueue_adds_total', help: 'Keys added.', labelNames, registers });
  const retries = new Counter({ name: 'workqueue_retries_total', help: 'Keys added again after a failure.', labelNames, registers });
  const histogram = { labelNames, buckets: QUEUE_BUCKETS, registers };
  const waited = new Histogram({ name: 'workqueue_queue_duration_seconds', help: 'Time a ready key waited.', ...histogram });
  const worked = new Histogram({ name: 'workqueue_work_duration_seconds', help: 'Time a key was being processed.', ...histogram });
  return (name) => {
    const [depthOf, addsOf, retriesOf] = [depth.labels({ name }), adds.labels({ name }), retries.labels({ name })];
    const [waitedOf, workedOf] = [waited.labels({ name }), worked.labels({ name })];
    return {
      depth: (value) => depthOf.set(value),
      added: () => addsOf.inc(),
      retried: () => retriesOf.inc(),
      waited: (ms) => waitedOf.observe(ms / 1000),
      worked: (ms) => workedOf.observe(ms / 1000),
    };
  };
}

function informerMetrics(registry: Registry): InformerMetrics {
  const registers = [registry];
  const labelNames = ['kind'] as const;
  const errors = new Counter({ name: 'informer_handler_errors_total', help: 'Handlers or projections that threw.', labelNames, registers });
  const lists = new Counter({ name: 'informer_lists_total', help: 'Full lists begun.', labelNames, registers });
  const endings = new Counter({
    name: 'informer_watch_endings_total',
    help: 'Watches that ended, by how.',
    labelNames: ['kind', 'ending'] as const,
    registers,
  });
  return {
    handlerError: (kind) => errors.inc({ kind }),
    list: (kind) => lists.inc({ kind }),
    watchEnded: (kind, ending) => endings.inc({ kind, ending }),
  };
}
