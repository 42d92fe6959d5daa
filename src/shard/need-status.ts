import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import type { NeedVerdict } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { Paced } from '../lib/paced.ts';
import { inTurns } from '../lib/turns.ts';
import { isHindered, tellNeed } from './need-telling.ts';
import type { NeedTelling } from './need-telling.ts';
import type { Troubles } from './row-troubles.ts';
import { reasonNumber } from './wire-names.ts';

const MIN_INTERVAL_MS = 1_000;

export interface NeedStatusDeps {
  readonly clock: Clock;
  readonly clusters: () => readonly string[];
  readonly timestampOf: (cluster: string) => bigint;
  /** What keeps machines from rows, by `rowKey`. */
  readonly troubles: () => Troubles;
  readonly send: (cluster: string, statuses: { rollupTimestampUnixNanos: bigint; items: NeedStatus[] }) => void;
  /** What was not told is told after the next plan. */
  readonly onError: (error: unknown) => void;
}

/** What one cluster was told last. */
interface Told {
  readonly timestamp: bigint;
  /** Verdicts that were looked at: the same object again is no news, … */
  readonly verdicts: Set<NeedVerdict>;
  /** … unless something was in the way of its machines. */
  readonly hindered: Set<NeedVerdict>;
  readonly rows: Map<string, { text: string; verdict: NeedVerdict }>;
}

/**
 * Tells operators what became of their rows (D18): all of them after a session begins, then what changed, at most once a
 * second. A roll-up timestamp that advanced is news even if no row changed: it says which roll-up the verdicts are about.
 */
export class NeedStatusPublisher {
  private readonly deps: NeedStatusDeps;
  private readonly told = new Map<string, Told>();
  private latest: readonly NeedVerdict[] = [];
  /** Of the roll-ups that the latest plan saw: one that was accepted since is not answered yet. */
  private timestamps = new Map<string, bigint>();
  private readonly paced: Paced;

  constructor(deps: NeedStatusDeps) {
    this.deps = deps;
    this.paced = new Paced(deps.clock, MIN_INTERVAL_MS, () => this.publish(), deps.onError);
  }

  /** A new session knows nothing yet. */
  forget(cluster: string): void {
    this.told.delete(cluster);
    this.paced.ask();
  }

  /** Call in the same turn as the plan, before another roll-up can be accepted. */
  planned(verdicts: readonly NeedVerdict[]): void {
    this.latest = verdicts;
    this.timestamps = new Map(this.deps.clusters().map((cluster) => [cluster, this.deps.timestampOf(cluster)]));
    this.paced.ask();
  }

  stop(): void {
    this.paced.stop();
  }

  /** Of the plan that is the latest now, in turns; news that arrive meanwhile are told the next time. */
  private async publish(): Promise<void> {
    const reports = this.reports(this.timestamps);
    try {
      await inTurns(this.latest, (verdict) => reports.get(verdict.need.cluster)?.add(verdict));
      if (this.paced.isStopped) return;
      for (const [cluster, report] of reports) {
        // A session that began meanwhile knows nothing of this; it has asked for its turn.
        if (this.told.get(cluster) === report.previous) this.tell(cluster, report);
      }
    } catch (error) {
      this.told.clear(); // what was noted and not sent looks like what was told: everything is told once more
      throw error;
    }
  }

  private reports(timestamps: ReadonlyMap<string, bigint>): Map<string, ClusterReport> {
    const troubles = this.deps.troubles();
    const reports = new Map<string, ClusterReport>();
    for (const cluster of this.deps.clusters()) {
      const timestamp = timestamps.get(cluster) ?? 0n;
      // Without a timestamp no plan has seen a roll-up of it yet: there is no verdict to tell.
      if (timestamp !== 0n) reports.set(cluster, new ClusterReport(timestamp, this.told.get(cluster), troubles));
    }
    return reports;
  }

  private tell(cluster: string, report: ClusterReport): void {
    report.forgetOthers();
    this.told.set(cluster, report.told);
    if (report.isNews) this.deps.send(cluster, { rollupTimestampUnixNanos: report.told.timestamp, items: report.items });
  }
}

/** What one cluster is to be told of one plan. */
class ClusterReport {
  readonly previous: Told | undefined;
  readonly told: Told;
  readonly items: NeedStatus[] = [];
  private readonly troubles: Troubles;

  constructor(timestamp: bigint, previous: Told | undefined, troubles: Troubles) {
    this.previous = previous;
    this.troubles = troubles;
    this.told = { timestamp, verdicts: new Set(), hindered: new Set(), rows: previous?.rows ?? new Map<string, { text: string; verdict: NeedVerdict }>() };
  }

  get isNews(): boolean {
    return this.items.length > 0 || this.previous?.timestamp !== this.told.timestamp;
  }

  add(verdict: NeedVerdict): void {
    const { need } = verdict;
    const { verdicts, hindered, rows } = this.told;
    const isUntold = !this.previous?.verdicts.has(verdict) || this.previous.hindered.has(verdict);
    verdicts.add(verdict);
    if (isHindered(verdict, this.troubles)) hindered.add(verdict);
    else if (!isUntold) return;
    const status = needStatus(verdict, tellNeed(verdict, this.troubles));
    const key = JSON.stringify([status.fingerprint, status.group, need.unitClass]);
    const text = JSON.stringify([status.satisfied, status.reason, status.reasonText, status.machines, status.inFlight, [...status.minUnit]]);
    if (rows.get(key)?.text !== text) this.items.push(status);
    rows.set(key, { text, verdict });
  }

  /** A row that is gone and comes back is told again. */
  forgetOthers(): void {
    const { rows, verdicts } = this.told;
    if (rows.size === verdicts.size) return;
    for (const [key, { verdict }] of rows) if (!verdicts.has(verdict)) rows.delete(key);
  }
}

function needStatus({ need, machines, inFlight }: NeedVerdict, { satisfied, reason, text }: NeedTelling): NeedStatus {
  return {
    fingerprint: need.fingerprint,
    group: need.group,
    minUnit: formatResources(need.minUnit),
    satisfied,
    reason: reasonNumber(reason),
    reasonText: satisfied ? '' : text,
    machines,
    inFlight,
  };
}
