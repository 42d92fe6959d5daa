import type { Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import type { KubeClient, ListWatchClient, Log } from '../types.ts';
import type { ClusterConfig } from './kubeconfig.ts';

export interface KubeClientOptions {
  readonly config: ClusterConfig;
  readonly clock: Clock;
  readonly random: Random;
  readonly qps?: number; // default 50
  readonly burst?: number; // default 100
  readonly fieldManager: string;
  readonly userAgent: string;
  readonly log?: Log;
  /** Called once per HTTP answer or transport failure (code 0). */
  readonly onRequest?: (method: string, code: number) => void;
}

export interface KubeClientHandle extends KubeClient, ListWatchClient {
  /** Closes all connections; calls in flight fail. */
  close(): Promise<void>;
}

export function createKubeClient(_options: KubeClientOptions): KubeClientHandle {
  throw new Error('not implemented yet');
}
