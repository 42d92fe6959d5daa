import type { ClusterCapacityNeeds } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { Assignment, Need, NodeHint } from '../engine/types.ts';
import type { Requirement } from '../api/profile.ts';
import type { Clock } from '../lib/clock.ts';
import type { Log } from '../runtime/types.ts';
import { ingestRollup, ingestRollupInTurns } from './rollup-ingest.ts';
import type { Rollup } from './rollup-ingest.ts';
import { judgeRollup } from './rollup-guard.ts';
import type { Accepted } from './rollup-guard.ts';

export interface DemandOptions {
  readonly clock: Clock;
  readonly log: Log;
  readonly guardEnabled: () => boolean;
  readonly onRejected: (cluster: string) => void;
}

/** What changed about one cluster: its rows, if any were accepted, and what its operator says of its Nodes (null = nothing). */
export interface DemandChange {
  readonly cluster: string;
  readonly needs: readonly Need[] | undefined;
  readonly hints: Rollup['hints'];
}

interface ClusterDemand {
  readonly rollup: Rollup;
  readonly requirements: ReadonlyMap<string, readonly Requirement[]>;
}

/** The accepted demand of every cluster: silence is not zero, so it stays while the operator is away. */
export class Demand {
  private readonly options: DemandOptions;
  private readonly clusters = new Map<string, ClusterDemand>();
  /** Memory only: the first roll-up after a restart is accepted. */
  private readonly guarded = new Map<string, Accepted>();
  /** Roll-ups offered so far, and by cluster the number of the last that was accepted. */
  private offers = 0;
  private readonly accepted = new Map<string, number>();
  private readonly changed = new Set<string>();
  private readonly hints = new Map<string, ReadonlyMap<string, NodeHint>>();
  private readonly nodes = new Map<string, Pick<Rollup, 'hints' | 'nodeNames' | 'heldBy'>>();

  constructor(options: DemandOptions) {
    this.options = options;
  }

  /** True = the roll-up is to be acked: it was applied, or held by the guard. False = refused whole (counted). */
  offer(cluster: string, message: ClusterCapacityNeeds): boolean {
    try {
      return this.accept(cluster, ingestRollup(cluster, message));
    } catch (error) {
      return this.refuse(cluster, error);
    }
  }

  /** The same, with turns for others in between where there are many rows. One that a newer one has overtaken changes nothing. */
  async offerInTurns(cluster: string, message: ClusterCapacityNeeds): Promise<boolean> {
    const order = ++this.offers;
    try {
      const rollup = await ingestRollupInTurns(cluster, message);
      if ((this.accepted.get(cluster) ?? 0) > order) return true;
      this.accepted.set(cluster, order);
      return this.accept(cluster, rollup);
    } catch (error) {
      return this.refuse(cluster, error);
    }
  }

  private refuse(cluster: string, error: unknown): false {
    this.options.onRejected(cluster);
    this.options.log.error({ cluster, error: error instanceof Error ? error.message : String(error) }, 'roll-up refused whole: the last accepted one stays');
    return false;
  }

  private accept(cluster: string, rollup: Rollup): true {
    // Hints describe Nodes, not demand: those of a held roll-up apply (D13).
    this.nodes.set(cluster, rollup);
    this.hints.set(cluster, new Map((rollup.hints ?? []).map((hint) => [hint.machineId, hint])));
    this.changed.add(cluster);
    if (this.options.guardEnabled() && this.isHeld(cluster, rollup)) return true;
    this.clusters.set(cluster, { rollup, requirements: requirementsByProfile(rollup.needs) });
    return true;
  }

  private isHeld(cluster: string, { needs }: Rollup): boolean {
    const { state, verdict } = judgeRollup(this.guarded.get(cluster), needs, this.options.clock.now());
    this.guarded.set(cluster, state);
    if (verdict.accept) return false;
    const { held, since, shrunk } = verdict;
    this.options.log.warn({ cluster, rows: needs.length, shrunk, held, since }, 'roll-up keeps less than a tenth of the accepted demand: held until confirmed');
    return true;
  }

  hasReported(cluster: string): boolean {
    return this.clusters.has(cluster);
  }

  rows(): number {
    let rows = 0;
    for (const { rollup } of this.clusters.values()) rows += rollup.needs.length;
    return rows;
  }

  /** Timestamp of the roll-up that the cluster's current rows come from. */
  timestampOf(cluster: string): bigint {
    return this.clusters.get(cluster)?.rollup.timestampUnixNanos ?? 0n;
  }

  requirementsOf(to: Assignment): readonly Requirement[] | undefined {
    return this.clusters.get(to.cluster)?.requirements.get(to.fingerprint);
  }

  /** What the operator last said about a machine's Node. */
  hintOf(cluster: string, machineId: string): NodeHint | undefined {
    return this.hints.get(cluster)?.get(machineId);
  }

  /** The Node of a bound machine, if its operator has named it. */
  nodeNameOf(cluster: string, machineId: string): string | undefined {
    return this.nodes.get(cluster)?.nodeNames.get(machineId);
  }

  /** What its operator last said holds up the drains of the cluster's machines. */
  holdsOf(cluster: string): ReadonlyMap<string, string> {
    return this.nodes.get(cluster)?.heldBy ?? NONE;
  }

  /** Its last roll-up waits for confirmation. */
  isHolding(cluster: string): boolean {
    return (this.guarded.get(cluster)?.held ?? 0) > 0;
  }

  /** How many roll-ups in a row are held, of the clusters of which one is. */
  heldByCluster(): ReadonlyMap<string, number> {
    return new Map([...this.guarded].flatMap(([cluster, { held }]) => (held > 0 ? [[cluster, held]] : [])));
  }

  /** Clusters whose rows or hints changed since the last call, as the engine wants them. */
  takeChanges(): DemandChange[] {
    const changes = [...this.changed].map((cluster) => ({
      cluster,
      needs: this.clusters.get(cluster)?.rollup.needs,
      hints: this.nodes.get(cluster)?.hints ?? null,
    }));
    this.changed.clear();
    return changes;
  }
}

const NONE: ReadonlyMap<string, string> = new Map();

function requirementsByProfile(needs: readonly Need[]): Map<string, readonly Requirement[]> {
  return new Map(needs.map((need) => [need.fingerprint, need.profile.requirements]));
}
