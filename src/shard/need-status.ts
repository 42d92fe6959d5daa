import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import { explainNeed } from '../engine/explain.ts';
import type { NeedVerdict } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { MachineRecord } from './record.ts';
import { reasonNumber } from './wire-names.ts';

const MIN_INTERVAL_MS = 1_000;

export interface NeedStatusDeps {
  readonly clock: Clock;
  readonly clusters: () => readonly string[];
  readonly timestampOf: (cluster: string) => bigint;
  /** Why machines that rows count on do not come, by `rowKey`. */
  readonly obstacles: () => ReadonlyMap<string, string>;
  readonly send: (cluster: string, statuses: { rollupTimestampUnixNanos: bigint; items: NeedStatus[] }) => void;
}

/**
 * Tells operators what became of their rows (D18): all of them after a session begins, then what changed, at most once a
 * second. A roll-up timestamp that advanced is news even if no row changed: it says which roll-up the verdicts are about.
 */
export class NeedStatusPublisher {
  private readonly deps: NeedStatusDeps;
  private readonly sent = new Map<string, { timestamp: bigint; rows: Map<string, string> }>();
  private latest = new Map<string, NeedVerdict[]>();
  /** Of the roll-ups that the latest plan saw: one that was accepted since is not answered yet. */
  private timestamps = new Map<string, bigint>();
  private lastAt = -Infinity;
  private timer: (() => void) | undefined;

  constructor(deps: NeedStatusDeps) {
    this.deps = deps;
  }

  /** A new session knows nothing yet. */
  forget(cluster: string): void {
    this.sent.delete(cluster);
    this.schedule();
  }

  /** Call in the same turn as the plan, before another roll-up can be accepted. */
  planned(verdicts: readonly NeedVerdict[]): void {
    const latest = new Map<string, NeedVerdict[]>();
    for (const verdict of verdicts) {
      const rows = latest.get(verdict.need.cluster);
      if (rows) rows.push(verdict);
      else latest.set(verdict.need.cluster, [verdict]);
    }
    this.latest = latest;
    this.timestamps = new Map(this.deps.clusters().map((cluster) => [cluster, this.deps.timestampOf(cluster)]));
    this.schedule();
  }

  stop(): void {
    this.timer?.();
    this.timer = undefined;
  }

  private schedule(): void {
    if (this.timer) return;
    const due = this.lastAt + MIN_INTERVAL_MS - this.deps.clock.monotonic();
    this.timer = this.deps.clock.after(Math.max(0, due), () => {
      this.timer = undefined;
      this.publish();
    });
  }

  private publish(): void {
    this.lastAt = this.deps.clock.monotonic();
    const obstacles = this.deps.obstacles();
    for (const cluster of this.deps.clusters()) {
      const timestamp = this.timestamps.get(cluster) ?? 0n;
      if (timestamp === 0n) continue; // no plan has seen a roll-up of it yet: there is no verdict to tell
      const previous = this.sent.get(cluster);
      const rows = new Map<string, string>();
      const items: NeedStatus[] = [];
      for (const verdict of this.latest.get(cluster) ?? []) {
        const status = needStatus(verdict, obstacles.get(rowKey(cluster, verdict.need.fingerprint, verdict.need.group)));
        const key = JSON.stringify([status.fingerprint, status.group, verdict.need.unitClass]);
        const text = JSON.stringify([status.satisfied, status.reason, status.reasonText, status.machines, status.inFlight, [...status.minUnit]]);
        rows.set(key, text);
        if (previous?.rows.get(key) !== text) items.push(status);
      }
      if (items.length === 0 && previous?.timestamp === timestamp) continue;
      this.sent.set(cluster, { timestamp, rows });
      this.deps.send(cluster, { rollupTimestampUnixNanos: timestamp, items });
    }
  }
}

function rowKey(cluster: string, fingerprint: string, group: string): string {
  return JSON.stringify([cluster, fingerprint, group]);
}

/** What keeps machines from coming to the rows that they were chosen for; of several machines the first one's. */
export function bindObstacles(hindered: Iterable<MachineRecord>): Map<string, string> {
  const found = new Map<string, string>();
  for (const { intent, obstacle } of hindered) {
    if (intent?.kind !== 'bind') continue;
    const key = rowKey(intent.to.cluster, intent.to.fingerprint, intent.to.group);
    if (!found.has(key)) found.set(key, obstacle);
  }
  return found;
}

/** A row is not satisfied by a machine that cannot come (spec: engine 20). */
function needStatus(verdict: NeedVerdict, obstacle: string | undefined): NeedStatus {
  const isHindered = verdict.satisfied && obstacle !== undefined;
  return {
    fingerprint: verdict.need.fingerprint,
    group: verdict.need.group,
    minUnit: formatResources(verdict.need.minUnit),
    satisfied: verdict.satisfied && !isHindered,
    reason: reasonNumber(verdict.reason),
    reasonText: isHindered ? `A machine chosen for it does not come: ${obstacle}.` : verdict.satisfied ? '' : explainNeed(verdict),
    machines: verdict.machines,
    inFlight: verdict.inFlight,
  };
}
