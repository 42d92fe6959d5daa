import type { Registry } from 'prom-client';
import type { ControllerMetrics } from './controller.ts';
import type { InformerMetrics } from './informer.ts';
import type { QueueMetrics } from './queue/work-queue.ts';

/** The runtime's instruments under the names controller-runtime made customary. */
export interface RuntimeMetrics {
  controller(name: string, workers: number): ControllerMetrics;
  queue(name: string): QueueMetrics;
  readonly informers: InformerMetrics;
  readonly request: (method: string, code: number) => void;
  leader(name: string, isLeader: boolean): void;
}

export function createRuntimeMetrics(_registry: Registry): RuntimeMetrics {
  throw new Error('not implemented yet');
}
