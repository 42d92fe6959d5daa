import { GrpcCode, GrpcError } from '../api/grpc.ts';
import type { InspectNeedsRequest, InspectNeedsResponse, NeedView } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { formatResources } from '../api/resource-vector.ts';
import type { NeedVerdict } from '../engine/types.ts';
import { sortedInTurns } from '../lib/turns.ts';
import { tellNeed } from '../shard/need-telling.ts';
import type { Troubles } from '../shard/row-troubles.ts';
import { reasonNumber, wireNeed } from '../shard/wire-names.ts';

/** What the last plan said of every Need, swapped in whole after each cycle (spec: engine 16). */
export interface NeedViews {
  readonly cycle: number;
  readonly computedAt: number;
  readonly verdicts: readonly NeedVerdict[];
  /** Cycles that the Need has been unmet, by need key. */
  readonly ageOf: (verdict: NeedVerdict) => number;
  /** What keeps machines from rows, by `rowKey`; absent = nothing. */
  readonly troubles?: Troubles;
}

const NANOS_PER_MS = 1_000_000n;

/** ShardRead.InspectNeeds: a header, then rows by priority, arrival and cluster. Throws INVALID_ARGUMENT. */
export async function* inspectNeeds({ clusterId, limit }: InspectNeedsRequest, views: NeedViews): AsyncIterable<InspectNeedsResponse> {
  if (limit < 0) throw new GrpcError(GrpcCode.INVALID_ARGUMENT, `limit: ${limit}, must be 0 (all) or positive`);
  const rows = clusterId === '' ? views.verdicts : views.verdicts.filter((v) => v.need.cluster === clusterId);
  yield {
    frame: {
      $case: 'header',
      value: { cycle: BigInt(views.cycle), computedAtUnixNanos: BigInt(views.computedAt) * NANOS_PER_MS, totalNeeds: rows.length },
    },
  };
  let left = limit > 0 ? limit : Infinity;
  for await (const verdict of sortedInTurns(rows, byPriorityArrivalCluster)) {
    if (left-- <= 0) return;
    yield { frame: { $case: 'need', value: needView(verdict, views.ageOf(verdict), views.troubles) } };
  }
}

/** One verdict as the wire tells it (spec: engine 16). */
export function needView(verdict: NeedVerdict, ageCyclesUnmet: number, troubles?: NeedViews['troubles']): NeedView {
  const { need, preemption } = verdict;
  const { satisfied, reason, text } = tellNeed(verdict, troubles);
  const supply = verdict.matchingSupply;
  return {
    need: wireNeed(need),
    clusterId: need.cluster,
    arrivalUnixNanos: BigInt(verdict.arrival) * NANOS_PER_MS,
    profileFingerprint: need.fingerprint,
    satisfied,
    residualDeficit: satisfied ? undefined : { resources: formatResources(verdict.deficit) },
    claimedMachineCount: verdict.machines,
    bootstrapCount: verdict.bootstraps,
    provisionCount: verdict.provisions,
    sameDomain: verdict.sameDomain ?? '',
    sameSatisfiable: verdict.sameSatisfiable ?? false,
    acquisitionParked: false,
    parkedAgeCycles: 0,
    ageCyclesUnmet,
    unmetReason: reasonNumber(reason),
    matchingSupply: verdict.satisfied ? undefined : supply && { ...supply },
    preemption: preemption && { victimsFound: preemption.victims, capacityFreed: { resources: formatResources(preemption.freed) } },
    sameCandidates: verdict.satisfied ? [] : (verdict.sameCandidates ?? []).map((candidate) => ({ ...candidate })),
    reasonText: satisfied ? '' : text,
  };
}

function byPriorityArrivalCluster(a: NeedVerdict, b: NeedVerdict): number {
  return (
    b.need.profile.priority - a.need.profile.priority ||
    a.arrival - b.arrival ||
    (a.need.cluster < b.need.cluster ? -1 : a.need.cluster > b.need.cluster ? 1 : 0)
  );
}
