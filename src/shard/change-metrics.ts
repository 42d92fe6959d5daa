import type { Clock } from '../lib/clock.ts';
import type { InventoryChange } from './inventory.ts';
import type { ShardMetrics } from './metrics.ts';
import type { MachineRecord, OperationKind } from './record.ts';

type Instruments = Pick<ShardMetrics, 'provisioningSeconds' | 'configureSeconds' | 'drainSeconds' | 'idleReleases' | 'reclaimsCapped'>;

/** What one change of a machine means for the measures (spec: engine 18). Feed it every change. */
export function measureChange({ before, after }: InventoryChange, metrics: Instruments, clock: Pick<Clock, 'now'>): void {
  if (!before || !after) return;
  const seconds = (since: number): number => (clock.now() - since) / 1000;
  const [was, is] = [before.seen.state, after.seen.state];
  if (is === 'Configured' && was !== 'Configured') {
    if (before.intent?.kind === 'bind') metrics.provisioningSeconds.observe(seconds(before.intent.decidedAt));
    const since = begunAt(before, 'Configure', 'Configuring');
    if (since !== undefined) metrics.configureSeconds.observe(seconds(since));
  }
  if (is === 'Idle' && (was === 'Draining' || was === 'Configured')) {
    const since = begunAt(before, 'Drain', 'Draining');
    if (since !== undefined) metrics.drainSeconds.observe(seconds(since));
  }
  if (was === 'Deleting' && is === 'Speculative') metrics.idleReleases.inc();
  if (after.why?.code === 'ExcessCapped' && before.why?.code !== 'ExcessCapped') metrics.reclaimsCapped.inc();
}

/** When the call that led here began, else the state that it led to; undefined: none of ours did. */
function begunAt({ operation, seen, since }: MachineRecord, kind: OperationKind, state: MachineRecord['seen']['state']): number | undefined {
  if (operation?.kind === kind) return operation.startedAt;
  return seen.state === state ? since : undefined;
}
