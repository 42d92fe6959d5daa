import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { formatResources } from '../api/resource-vector.ts';
import { explainNeed } from '../engine/explain.ts';
import type { NeedVerdict } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { Paced } from '../lib/paced.ts';
import { inTurns } from '../lib/turns.ts';
import { rowKey } from './bind-refusals.ts';
import type { MachineRecord } from './record.ts';
import { reasonNumber } from './wire-names.ts';

const MIN_INTERVAL_MS = 1_000;

export interface NeedStatusDeps {
  readonly clock: Clock;
  readonly clusters: () => readonly string[];
  readonly timestampOf: (cluster: string) => bigint;
  /** Why machines that rows count on do not come, by `rowKey`. */
  readonly obstacles: () => ReadonlyMap<string, string>;
  /** What was said when machines were refused to rows, by `rowKey`: others may be tried now. */
  readonly refusals: () => ReadonlyMap<string, string>;
  readonly send: (cluster: string, statuses: { rollupTimestampUnixNanos: bigint; items: NeedStatus[] }) => void;
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
    this.paced = new Paced(deps.clock, MIN_INTERVAL_MS, () => this.publish());
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
    await inTurns(this.latest, (verdict) => reports.get(verdict.need.cluster)?.add(verdict));
    if (this.paced.isStopped) return;
    for (const [cluster, report] of reports) {
      // A session that began meanwhile knows nothing of this; it has asked for its turn.
      if (this.told.get(cluster) === report.previous) this.tell(cluster, report);
    }
  }

  private reports(timestamps: ReadonlyMap<string, bigint>): Map<string, ClusterReport> {
    const obstacles = { present: this.deps.obstacles(), past: this.deps.refusals() };
    const reports = new Map<string, ClusterReport>();
    for (const cluster of this.deps.clusters()) {
      const timestamp = timestamps.get(cluster) ?? 0n;
      // Without a timestamp no plan has seen a roll-up of it yet: there is no verdict to tell.
      if (timestamp !== 0n) reports.set(cluster, new ClusterReport(timestamp, this.told.get(cluster), obstacles));
    }
    return reports;
  }

  private tell(cluster: string, report: ClusterReport): void {
    report.forgetOthers();
    this.told.set(cluster, report.told);
    if (report.isNews) this.deps.send(cluster, { rollupTimestampUnixNanos: report.told.timestamp, items: report.items });
  }
}

interface Obstacles {
  readonly present: ReadonlyMap<string, string>;
  readonly past: ReadonlyMap<string, string>;
}

/** What one cluster is to be told of one plan. */
class ClusterReport {
  readonly previous: Told | undefined;
  readonly told: Told;
  readonly items: NeedStatus[] = [];
  private readonly obstacles: Obstacles;

  constructor(timestamp: bigint, previous: Told | undefined, obstacles: Obstacles) {
    this.previous = previous;
    this.obstacles = obstacles;
    this.told = { timestamp, verdicts: new Set(), hindered: new Set(), rows: previous?.rows ?? new Map<string, { text: string; verdict: NeedVerdict }>() };
  }

  get isNews(): boolean {
    return this.items.length > 0 || this.previous?.timestamp !== this.told.timestamp;
  }

  add(verdict: NeedVerdict): void {
    const { need } = verdict;
    const { verdicts, hindered, rows } = this.told;
    const obstacle = this.obstacleOf(verdict);
    verdicts.add(verdict);
    if (obstacle !== undefined) hindered.add(verdict);
    else if (this.previous?.verdicts.has(verdict) && !this.previous.hindered.has(verdict)) return;
    const status = needStatus(verdict, obstacle);
    const key = JSON.stringify([status.fingerprint, status.group, need.unitClass]);
    const text = JSON.stringify([status.satisfied, status.reason, status.reasonText, status.machines, status.inFlight, [...status.minUnit]]);
    if (rows.get(key)?.text !== text) this.items.push(status);
    rows.set(key, { text, verdict });
  }

  /** What keeps the row from what it counts on, or from what it lacks. */
  private obstacleOf({ need, satisfied, inFlight, reason }: NeedVerdict): string | undefined {
    const { present, past } = this.obstacles;
    if (present.size === 0 && past.size === 0) return undefined;
    const key = rowKey(need);
    // Machines that were refused rest: the plan cannot tell that from machines which are not there.
    const isMissed = satisfied ? inFlight > 0 : reason === 'NO_MATCHING_SUPPLY' || reason === 'SUPPLY_EXHAUSTED';
    return (satisfied ? present.get(key) : undefined) ?? (isMissed ? past.get(key) : undefined);
  }

  /** A row that is gone and comes back is told again. */
  forgetOthers(): void {
    const { rows, verdicts } = this.told;
    if (rows.size === verdicts.size) return;
    for (const [key, { verdict }] of rows) if (!verdicts.has(verdict)) rows.delete(key);
  }
}

/** What keeps machines from coming to the rows that they were chosen for; of several machines the first one's. */
export function bindObstacles(hindered: Iterable<MachineRecord>): Map<string, string> {
  const found = new Map<string, string>();
  for (const { intent, obstacle } of hindered) {
    if (intent?.kind !== 'bind') continue;
    const key = rowKey(intent.to);
    if (!found.has(key)) found.set(key, obstacle);
  }
  return found;
}

/** A row is not satisfied by a machine that cannot come (spec: engine 20). */
function needStatus(verdict: NeedVerdict, obstacle: string | undefined): NeedStatus {
  const isHindered = obstacle !== undefined;
  return {
    fingerprint: verdict.need.fingerprint,
    group: verdict.need.group,
    minUnit: formatResources(verdict.need.minUnit),
    satisfied: verdict.satisfied && !isHindered,
    reason: reasonNumber(isHindered ? undefined : verdict.reason),
    reasonText: isHindered ? `A machine chosen for it does not come: ${obstacle}.` : verdict.satisfied ? '' : explainNeed(verdict),
    machines: verdict.machines,
    inFlight: verdict.inFlight,
  };
}
