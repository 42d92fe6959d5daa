import { pipeline, Readable } from 'node:stream';
import { createGzip } from 'node:zlib';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import type { NeedView } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import type {
  ExplainClusterRequest, ExplainClusterResponse, ExplainMachineResponse, ExplainNeedRequest, ExplainNeedResponse,
  Explanation, ListMachinesRequest, ListMachinesResponse, MachineView, TakeSnapshotResponse,
} from '../api/gen/bigfleet/v1alpha1/view.ts';
import { unitClass } from '../api/profile.ts';
import { formatResources, parseResources } from '../api/resource-vector.ts';
import type { MachineReason, NeedVerdict, NodeHint } from '../engine/types.ts';
import { capacityTypeToWire, stateToWire } from '../provider/kit/wire.ts';
import { finishInTurns, inTurns, nextTurn, sortedInTurns } from '../lib/turns.ts';
import { codeOf, tellMachine } from '../shard/machine-telling.ts';
import { isSatisfied } from '../shard/need-telling.ts';
import type { PlannedState } from '../shard/planned-state.ts';
import { clusterOf } from '../shard/record.ts';
import type { MachineRecord } from '../shard/record.ts';
import { creditOf, isFor, plannedKey, plannedKeyOf, promisedTo } from '../shard/source-rows.ts';
import { formatInSteps } from '../snapshot/format.ts';
import { reportInSteps } from '../snapshot/plan-report.ts';
import { machineExplanation, nanos, needExplanation, obstacle } from './explanation.ts';
import { heldMachines, rowsAhead } from './rivals.ts';
import { needView } from './shard-read.ts';
import type { NeedViews } from './shard-read.ts';

/** What ShardView looks at; everything is as of the last plan or newer. */
export interface ShardSight {
  readonly needViews: () => NeedViews;
  readonly machine: (id: string) => MachineRecord | undefined;
  readonly machines: () => Iterable<MachineRecord>;
  /** The machines that the cluster has, or that are meant for it. */
  readonly machinesOf: (cluster: string) => Iterable<MachineRecord>;
  readonly hintOf: (cluster: string, machineId: string) => NodeHint | undefined;
  readonly nodeNameOf: (cluster: string, machineId: string) => string | undefined;
  readonly clusterFacts: (cluster: string) => { connected: boolean; lastRollupUnixNanos: bigint; held: boolean };
  /** What the engine knew when it made its newest plan, and that plan. */
  readonly plannedState: () => Promise<PlannedState>;
  /** Why the shard as a whole does not act, if it does not. */
  readonly withheld: () => readonly Explanation[];
}

const BATCH = 500;
const MACHINES_PER_NEED = 20;
const NEEDS_AHEAD = 5;
/** Very many gangs may be planned as one. */
const NEEDS_PER_MACHINE = 1_000;
const SNAPSHOT_PIECE_BYTES = 512 * 1024;

/** The answers of ShardView (D18): why a machine, a need, a cluster is as it is. Errors are GrpcErrors. */
export class ShardView {
  private readonly sight: ShardSight;
  private takingSnapshot = false;

  constructor(sight: ShardSight) {
    this.sight = sight;
  }

  explainMachine(machineId: string): ExplainMachineResponse {
    const record = this.sight.machine(machineId);
    if (!record) throw new GrpcError(GrpcCode.NOT_FOUND, `machine_id: this shard knows no machine ${JSON.stringify(machineId)}`);
    const views = this.sight.needViews();
    const credit = creditOf(record.why);
    const serves = credit ? views.verdicts.filter((verdict) => isFor(credit, verdict)).slice(0, NEEDS_PER_MACHINE) : [];
    return { ...this.stamp(views), machine: this.view(record), creditedTo: serves.map((v) => this.need(v, views)), history: [] };
  }

  async explainNeed(request: ExplainNeedRequest): Promise<ExplainNeedResponse> {
    const views = this.sight.needViews();
    const wantedClass = request.minUnit.size > 0 ? unitClass(parseMinUnit(request.minUnit)) : undefined;
    const rows = views.verdicts.filter(({ need }) =>
      need.cluster === request.clusterId &&
      (request.fingerprint === '' || need.fingerprint === request.fingerprint) &&
      (!(request.matchGroup && request.fingerprint !== '') || need.group === request.group) &&
      (wantedClass === undefined || need.unitClass === wantedClass));
    if (rows.length === 0) throw new GrpcError(GrpcCode.NOT_FOUND, `no row of cluster ${JSON.stringify(request.clusterId)} fits the selector`);
    const limit = request.machineLimit > 0 ? request.machineLimit : MACHINES_PER_NEED;
    const serving = byDemand(this.sight.machinesOf(request.clusterId), creditOf);
    const promised = await this.promised(rows);
    const ahead = await this.ahead(rows, views);
    return {
      ...this.stamp(views),
      needs: rows.map((verdict) => {
        const key = plannedKeyOf(verdict);
        const machines = [...(serving.get(key) ?? []), ...(promised.get(key) ?? [])];
        return {
          need: this.need(verdict, views),
          why: needExplanation(verdict, views.troubles),
          machines: machines.slice(0, limit).map((record) => this.view(record)),
          machinesTruncated: machines.length > limit,
          ahead: ahead.get(verdict) ?? [],
        };
      }),
    };
  }

  explainCluster({ clusterId, needLimit }: ExplainClusterRequest): ExplainClusterResponse {
    const views = this.sight.needViews();
    const facts = this.sight.clusterFacts(clusterId);
    const rows = views.verdicts.filter(({ need }) => need.cluster === clusterId);
    const machines = [...this.sight.machinesOf(clusterId)];
    if (clusterId === '' || (!facts.connected && facts.lastRollupUnixNanos === 0n && machines.length === 0)) {
      throw new GrpcError(GrpcCode.NOT_FOUND, `cluster_id: ${JSON.stringify(clusterId)} has neither session, nor demand, nor machines here`);
    }
    const byState = new Map<string, number>();
    for (const { seen } of machines) byState.set(seen.state, (byState.get(seen.state) ?? 0) + 1);
    const isMet = (verdict: NeedVerdict): boolean => isSatisfied(verdict, views.troubles);
    const unmetFirst = [...rows].sort((a, b) => Number(isMet(a)) - Number(isMet(b)));
    return {
      ...this.stamp(views),
      clusterId,
      connected: facts.connected,
      sessionChangedUnixNanos: 0n,
      lastRollupUnixNanos: facts.lastRollupUnixNanos,
      rollupHeld: facts.held,
      machinesByState: byState,
      priceMicroUsdPerHour: priceOf(machines),
      needsTotal: rows.length,
      needsUnmet: rows.filter((verdict) => !isMet(verdict)).length,
      needs: (needLimit > 0 ? unmetFirst.slice(0, needLimit) : unmetFirst).map((verdict) => this.need(verdict, views)),
      recent: [],
      conditions: [
        ...(facts.connected ? [] : [obstacle('NoSession', 'The cluster is not connected: nothing is acquired for it and nothing is taken from it.')]),
        ...(facts.held ? [obstacle('RollupHeld', 'Its last report asks for suspiciously little and waits for confirmation.')] : []),
        ...this.sight.withheld(),
      ],
    };
  }

  async *listMachines(request: ListMachinesRequest): AsyncIterable<ListMachinesResponse> {
    const cycle = BigInt(this.sight.needViews().cycle);
    const states = new Set<number>(request.states);
    const candidates = request.clusterId === '' ? this.sight.machines() : this.sight.machinesOf(request.clusterId);
    const fitting: MachineRecord[] = [];
    await inTurns(candidates, (record) => {
      const { seen } = record;
      const fits =
        (states.size === 0 || states.has(stateToWire(seen.state))) &&
        (request.instanceType === '' || seen.instanceType === request.instanceType) &&
        (request.zone === '' || seen.zone === request.zone) &&
        ((request.capacityType as number) === 0 || capacityTypeToWire(seen.capacityType) === request.capacityType) &&
        (request.provider === '' || request.provider === record.provider);
      if (fits) fitting.push(record);
    });
    let left = request.limit > 0 ? request.limit : Infinity;
    let batch: MachineView[] = [];
    let isFirst = true;
    for await (const record of sortedInTurns(fitting, (a, b) => (a.seen.id < b.seen.id ? -1 : 1))) {
      if (left-- <= 0) break;
      if (batch.push(this.view(record)) < BATCH) continue;
      yield { cycle, machines: batch };
      batch = [];
      isFirst = false;
    }
    if (isFirst || batch.length > 0) yield { cycle, machines: batch };
  }

  /** One at a time: the objects of a large fleet take some memory. They and their text are made in turns, of one moment's facts. */
  async *takeSnapshot(): AsyncIterable<TakeSnapshotResponse> {
    if (this.takingSnapshot) throw new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, 'another snapshot is being taken; try again');
    this.takingSnapshot = true;
    try {
      const { facts, plan } = await this.sight.plannedState();
      const report = await finishInTurns(reportInSteps(plan, false));
      const texts = textsInTurns(formatInSteps({ ...(await finishInTurns(facts.rest())), machines: facts.machines }, plan.at, report));
      // An error ends both streams, and so the loop.
      const packed = pipeline(Readable.from(texts), createGzip({ chunkSize: SNAPSHOT_PIECE_BYTES }), () => undefined);
      for await (const data of packed) yield { data: data as Buffer };
    } finally {
      this.takingSnapshot = false;
    }
  }

  /** What was preempted for these rows and is on its way, by `plannedKey`: it may still be another cluster's. In turns. */
  private async promised(rows: readonly NeedVerdict[]): Promise<ReadonlyMap<string, readonly MachineRecord[]>> {
    const promised: MachineRecord[] = [];
    if (rows.some(({ preemption }) => preemption !== undefined)) await inTurns(this.sight.machines(), (record) => promisedTo(record.why) && promised.push(record));
    return byDemand(promised, promisedTo);
  }

  /** For each of the rows that lack something: who chooses before it and holds what it could use. */
  private async ahead(rows: readonly NeedVerdict[], views: NeedViews): Promise<ReadonlyMap<NeedVerdict, NeedView[]>> {
    const found = new Map<NeedVerdict, NeedView[]>();
    const lacking = rows.filter((verdict) => !isSatisfied(verdict, views.troubles));
    if (lacking.length === 0) return found;
    const held = await heldMachines(this.sight.machines());
    for (const verdict of lacking) {
      const ahead = await rowsAhead(verdict, views.verdicts, held, NEEDS_AHEAD);
      found.set(verdict, ahead.map((other) => this.need(other, views)));
    }
    return found;
  }

  private need(verdict: NeedVerdict, views: NeedViews): NeedView {
    return needView(verdict, views.ageOf(verdict), views.troubles);
  }

  private stamp(views: NeedViews): { cycle: bigint; computedAtUnixNanos: bigint } {
    return { cycle: BigInt(views.cycle), computedAtUnixNanos: nanos(views.computedAt) };
  }

  private view(record: MachineRecord): MachineView {
    const { seen, operation, intent } = record;
    const to = intent?.kind === 'bind' ? intent.to : record.assigned;
    const cluster = clusterOf(record);
    const hint = this.sight.hintOf(cluster, seen.id);
    return {
      id: seen.id,
      state: stateToWire(seen.state),
      clusterId: cluster,
      provider: record.provider,
      host: seen.host && { provider: seen.host.provider, ref: seen.host.ref },
      nodeName: this.sight.nodeNameOf(cluster, seen.id) ?? '',
      instanceType: seen.instanceType,
      zone: seen.zone,
      capacityType: capacityTypeToWire(seen.capacityType),
      priceMicroUsdPerHour: BigInt(seen.priceMicroUsdPerHour),
      interruptionProbability: seen.interruptionProbability,
      allocatable: { resources: formatResources(seen.allocatable) },
      labels: new Map(Object.entries(seen.labels)),
      sinceUnixNanos: nanos(record.since),
      needFingerprint: to?.fingerprint ?? '',
      group: to?.group ?? '',
      priority: to?.priority ?? 0,
      pods: hint?.pods ?? 0,
      hinted: hint !== undefined,
      doNotDisrupt: hint?.doNotDisrupt ?? false,
      lastError: seen.lastError,
      operation: operation && {
        kind: operation.kind,
        operationId: operation.operationId,
        startedAtUnixNanos: nanos(operation.startedAt),
        attempts: operation.attempts,
        lastError: operation.lastError,
        nextAttemptUnixNanos: 0n,
      },
      why: record.why && machineExplanation(record.why, { code: codeOf(record.why, record), text: tellMachine(record) }, intent?.decidedAt),
    };
  }
}

async function* textsInTurns(texts: Iterable<string>): AsyncGenerator<string, void, void> {
  for (const text of texts) {
    if (text !== '') yield text;
    await nextTurn();
  }
}

/** Micro-USD per hour, as far as the wire can say it; what is Speculative, or Failed and without a host, costs nothing. */
function priceOf(machines: readonly MachineRecord[]): bigint {
  const sum = machines.reduce((sum, { seen }) => sum + (seen.state === 'Speculative' || (seen.state === 'Failed' && !seen.host) ? 0 : seen.priceMicroUsdPerHour), 0);
  return BigInt(Math.min(sum, MOST_ON_WIRE));
}

/** The largest double below 2^63. */
const MOST_ON_WIRE = 2 ** 63 - 1024;

/** By `plannedKey` of the demand that they are for. */
function byDemand(machines: Iterable<MachineRecord>, demandOf: typeof creditOf): Map<string, MachineRecord[]> {
  const found = new Map<string, MachineRecord[]>();
  // Machines of one demand mostly share their reason: the key is made once for all of them.
  const byReason = new Map<MachineReason, MachineRecord[]>();
  for (const record of machines) {
    const { why } = record;
    const credit = demandOf(why);
    if (!why || !credit) continue;
    let others = byReason.get(why);
    if (!others) {
      const key = plannedKey(credit);
      others = found.get(key) ?? [];
      found.set(key, others);
      byReason.set(why, others);
    }
    others.push(record);
  }
  return found;
}

function parseMinUnit(minUnit: ReadonlyMap<string, string>): ReturnType<typeof parseResources> {
  try {
    return parseResources(minUnit, 'up');
  } catch (error) {
    throw new GrpcError(GrpcCode.INVALID_ARGUMENT, `min_unit: ${error instanceof Error ? error.message : String(error)}`);
  }
}
