/** Operators of many clusters, as far as a shard sees them: sessions that roll demand up and hand out bootstrap blobs. */
import { credentials } from '@grpc/grpc-js';
import { NodeSelectorRequirement_Operator, type CapacityNeed } from '../../src/api/gen/bigfleet/v1alpha1/capacity.ts';
import { systemClock } from '../../src/lib/clock.ts';
import { silentLog } from '../../src/runtime/types.ts';
import { SessionClient } from '../../src/session/client/session-client.ts';
import { instanceType } from './processes.ts';

const ROWS = 3;
const CPU_PER_MACHINE = 8;
const metrics = { reconnected: ignore, state: ignore, outboxDropped: ignore, staleRefused: ignore, refused: () => undefined, rejected: ignore, ackLag: ignore };

/** So many clusters, each with three rows; `ask` sets how many machines each row takes. */
export class Operators {
  readonly rows: number;
  private readonly clusters: number;
  private readonly abort = new AbortController();
  private machinesPerRow = 0;
  private sessions: Promise<void>[] = [];

  constructor(clusters: number) {
    this.clusters = clusters;
    this.rows = clusters * ROWS;
  }

  ask(machinesPerRow: number): void {
    this.machinesPerRow = machinesPerRow;
  }

  connect(address: string): void {
    this.sessions = Array.from({ length: this.clusters }, (_, index) => this.session(address, `cluster-${index}`, index).run(this.abort.signal));
  }

  async stop(): Promise<void> {
    this.abort.abort();
    await Promise.allSettled(this.sessions);
  }

  private session(address: string, clusterId: string, index: number): SessionClient {
    return new SessionClient({
      address, clusterId, metrics, clock: systemClock, random: Math.random, log: silentLog, credentials: () => credentials.createInsecure(), intervalMs: 1_000, reconnectMaxMs: 1_000,
      handlers: {
        buildRollup: () => ({ message: { clusterId, needs: this.needs(index), timestampUnixNanos: BigInt(Date.now()) * 1_000_000n, nodeHints: undefined } }),
        bootstrap: ({ requestId }) => ({ requestId, userData: new Uint8Array(512), ttlSeconds: 3_600n, error: '' }),
        rollupSent: ignore, rollupAcked: ignore, nodeState: ignore, replayComplete: ignore, needStatuses: ignore, availableCapacity: ignore, reclaim: ignore,
      },
    });
  }

  private needs(cluster: number): CapacityNeed[] {
    if (this.machinesPerRow === 0) return [];
    return Array.from({ length: ROWS }, (_, row) => ({
      requirements: [{ key: 'node.kubernetes.io/instance-type', operator: NodeSelectorRequirement_Operator.OPERATOR_IN, values: [instanceType(cluster + row)] }],
      aggregateResources: new Map([['cpu', String(this.machinesPerRow * CPU_PER_MACHINE)]]), minUnit: new Map([['cpu', String(CPU_PER_MACHINE)]]),
      priority: 1_000 * (row + 1), spread: [], interruptionPenaltyBucket: 0, reclamationPenaltyBucket: 0, group: '',
    }));
  }
}

function ignore(): void {}
