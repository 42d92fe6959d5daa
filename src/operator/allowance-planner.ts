import type { Node, Pod, UpcomingNode } from '../api/types.ts';
import type { Store, StoreEvent } from '../runtime/types.ts';
import { Allowances, type EmptyMachine, type RowView } from './allowances.ts';
import type { ExactAmounts } from './contribution.ts';
import type { DemandRow } from './demand-row.ts';
import type { FateLedger } from './fate-ledger.ts';
import { isReady, machineIdOfUpcomingNode, type FleetNodes } from './fleet-nodes.ts';
import type { NodeLoad } from './node-load.ts';
import { isFinished, unschedulableMessage } from './pod-traits.ts';
import { RoomForecast, type Rest } from './room-forecast.ts';
import type { DemandBook } from './rollup.ts';
import { covers, labelsMatch, offered } from './row-matching.ts';

export interface AllowancePlannerDeps {
  readonly book: DemandBook;
  readonly ledger: FateLedger;
  readonly load: NodeLoad;
  readonly nodes: Store<Node>;
  readonly upcoming: Store<UpcomingNode>;
  readonly fleet: FleetNodes;
  readonly podsOn: (nodeName: string) => readonly Pod[];
  readonly requestOf: (pod: Pod) => string | undefined;
  /** Requests whose condition Fits may have changed. */
  readonly misfitsChanged: (keys: readonly string[]) => void;
}

/** Longer than kube-scheduler's longest pause between two tries of one Pod (10 s). */
const SCHEDULERS_TURN_NANOS = 15_000_000_000n;

interface Empty extends EmptyMachine {
  readonly labels: Readonly<Record<string, string>>;
}

/** Feeds the allowances (D3) with what the caches show, and puts their result into the rows. */
export class AllowancePlanner {
  readonly allowances = new Allowances({ turnNanos: SCHEDULERS_TURN_NANOS });
  private readonly deps: AllowancePlannerDeps;
  private readonly unplaced = new Map<string, Pod>();
  private readonly forecast: RoomForecast;

  constructor(deps: AllowancePlannerDeps) {
    this.deps = deps;
    this.forecast = new RoomForecast(deps);
  }

  /** Feed it every event of the Pod informer. */
  observe(event: StoreEvent<Pod>): void {
    this.forecast.observe(event);
    if (event.type === 'deleted') this.unplaced.delete(event.key);
    else if (isFinished(event.object) || unschedulableMessage(event.object) === undefined) this.unplaced.delete(event.key);
    else this.unplaced.set(event.key, event.object);
  }

  /** One step, for the roll-up with this timestamp: sets the allowance of every row. Costs little while every Pod has a place. */
  apply(timestamp: bigint): void {
    const { book, misfitsChanged } = this.deps;
    const before = [...this.allowances.misfitKeys()];
    const waiting = this.waitingByRow();
    const rows = book.sortedRows().filter((row) => row.identity.group === '');
    const rests = this.forecast.step(timestamp, this.staying());
    const sigma = this.allowances.step(rows.map((row) => this.view(row, waiting.get(row) ?? [], rests.get(row))), this.emptyMachines(), timestamp, {
      inUse: (machineId) => this.isInUse(machineId), surplus: (since) => this.surplus(since),
    });
    for (const row of rows) row.setAllowance(sigma.get(row.statusKey) ?? []);
    const changed = new Set([...before, ...this.allowances.misfitKeys()]);
    if (changed.size > 0) misfitsChanged([...changed]);
  }

  private waitingByRow(): Map<DemandRow, { requestKey: string; amounts: ExactAmounts; message: string }[]> {
    const { book, requestOf } = this.deps;
    const waiting = new Map<DemandRow, { requestKey: string; amounts: ExactAmounts; message: string }[]>();
    for (const pod of this.unplaced.values()) {
      const requestKey = requestOf(pod);
      const row = requestKey === undefined ? undefined : book.rowOf(requestKey);
      if (requestKey === undefined || !row) continue;
      const entry = { requestKey, amounts: book.amountsOf(requestKey), message: unschedulableMessage(pod) ?? '' };
      const known = waiting.get(row);
      if (known) known.push(entry);
      else waiting.set(row, [entry]);
    }
    return waiting;
  }

  private view(row: DemandRow, unplaced: RowView['unplaced'], rest: Rest | undefined): RowView {
    const { profile } = row.identity;
    const { ledger } = this.deps;
    let unit: ExactAmounts | undefined;
    const fits = (labels: Readonly<Record<string, string>>, amounts: ExactAmounts): boolean =>
      labelsMatch(profile, labels) && covers(amounts, (unit ??= row.minUnit()));
    return {
      key: row.statusKey,
      requests: () => row.requests(),
      unplaced,
      ...(rest && { rest }),
      isAwaited: () => this.forecast.isAwaited(row),
      granted: (since) => ledger.isGranted(row.statusKey, since),
      satisfied: (since) => ledger.isServed(row.statusKey, since),
      onItsWay: () => this.announcedAndMissing().some((un) => fits(un.spec.labels ?? {}, offered(un.spec.resources))),
      matches: (machine) => fits((machine as Empty).labels, machine.allocatable),
    };
  }

  private announcedAndMissing(): UpcomingNode[] {
    return this.staying().filter((un) => {
      const node = this.deps.fleet.nodeOf(machineIdOfUpcomingNode(un));
      return !node || !isReady(node);
    });
  }

  private staying(): UpcomingNode[] {
    return [...this.deps.upcoming.values()].filter((un) => {
      const phase = un.status?.phase;
      return phase !== 'Draining' && phase !== 'Drained' && phase !== 'Failed';
    });
  }

  private surplus(since: bigint): number | undefined {
    const inDemand = this.deps.ledger.machinesInDemand(since);
    return inDemand === undefined ? undefined : Math.max(0, this.staying().length - inDemand);
  }

  private isInUse(machineId: string): boolean {
    const node = this.deps.fleet.nodeOf(machineId);
    return node !== undefined && this.deps.load.podsOn(node.metadata.name) > 0;
  }

  private emptyMachines(): Empty[] {
    const { nodes, fleet, load } = this.deps;
    const empty: Empty[] = [];
    for (const node of nodes.values()) {
      if (!isReady(node) || node.spec?.unschedulable || load.podsOn(node.metadata.name) > 0) continue;
      const machineId = fleet.machineIdOf(node);
      if (machineId === undefined) continue;
      empty.push({ machineId, allocatable: offered(node.status?.allocatable), labels: node.metadata.labels ?? {} });
    }
    return empty.sort((a, b) => (a.machineId < b.machineId ? -1 : 1));
  }
}
