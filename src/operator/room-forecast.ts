import type { Node, Pod, UpcomingNode } from '../api/types.ts';
import type { Store, StoreEvent } from '../runtime/types.ts';
import type { ExactAmounts } from './contribution.ts';
import type { DemandRow } from './demand-row.ts';
import type { FateLedger } from './fate-ledger.ts';
import { machineIdOfUpcomingNode, type FleetNodes } from './fleet-nodes.ts';
import { leftOver, type Bin, type Item } from './packing.ts';
import { isFinished } from './pod-traits.ts';
import type { DemandBook } from './rollup.ts';
import { labelsMatch, offered } from './row-matching.ts';

export interface RoomForecastDeps {
  readonly book: Pick<DemandBook, 'rowOf' | 'amountsOf'>;
  readonly ledger: Pick<FateLedger, 'judgedTo' | 'machinesInDemand'>;
  readonly nodes: Store<Node>;
  readonly fleet: FleetNodes;
  readonly podsOn: (nodeName: string) => readonly Pod[];
  readonly requestOf: (pod: Pod) => string | undefined;
}

/** Of one row: what is lost between the Pods on its machines. */
export interface Rest {
  readonly amounts: ExactAmounts;
  /** It has been asked for. */
  taken(): void;
}

interface Waiting {
  pod: Pod;
  /** Timestamp of the first roll-up that held it. */
  firstAt: bigint | undefined;
  asked: number;
}

/** So often one Pod may add to what its row asks for: what comes for it may be used by others, but not for ever. */
export const ASKED_AT_MOST = 3;
/** A scheduler that has not bound a Pod by then is no reason to keep machines empty for it. */
const PATIENCE_NANOS = 300_000_000_000n;

/**
 * Which Pods will find no room on the machines that there are or that are announced, by arithmetic alone and before a scheduler
 * has tried (see docs/adr). It speaks only of Pods that the shard has answered for, and only when all machines are announced that
 * the shard counts for the rows. It never says that a Pod fits.
 */
export class RoomForecast {
  private readonly deps: RoomForecastDeps;
  private readonly waiting = new Map<string, Waiting>();
  /** Bound Pods that the shard has not yet answered for: others may have their room, since machines will come for them. */
  private readonly young = new Map<string, bigint>();
  private readonly awaited = new Set<DemandRow>();
  /** By Node; absent: to be counted anew. */
  private readonly used = new Map<string, ReadonlyMap<string, bigint>>();

  constructor(deps: RoomForecastDeps) {
    this.deps = deps;
  }

  /** Feed it every event of the Pod informer. */
  observe(event: StoreEvent<Pod>): void {
    if (event.type !== 'added' && event.old.spec.nodeName) this.used.delete(event.old.spec.nodeName);
    const known = this.waiting.get(event.key);
    if (event.type === 'deleted' || isFinished(event.object)) {
      this.waiting.delete(event.key);
      this.young.delete(event.key);
      return;
    }
    const pod = event.object;
    if (pod.spec.nodeName) {
      this.used.delete(pod.spec.nodeName);
      if (!known) return;
      this.waiting.delete(event.key);
      if (known.firstAt !== undefined) this.young.set(event.key, known.firstAt);
    } else if (known && known.pod.metadata.uid === pod.metadata.uid) {
      known.pod = pod;
    } else {
      this.waiting.set(event.key, { pod, firstAt: undefined, asked: 0 });
    }
  }

  /** To be called once for each roll-up, with its timestamp and the machines that stay; what each row lacks. */
  step(timestamp: bigint, machines: readonly UpcomingNode[]): ReadonlyMap<DemandRow, Rest> {
    const { book, ledger, requestOf } = this.deps;
    const answered = ledger.judgedTo;
    this.awaited.clear();
    for (const [key, firstAt] of this.young) if (firstAt <= answered) this.young.delete(key);
    const subjects: { key: string; row: DemandRow; request: string; entry: Waiting }[] = [];
    for (const [key, entry] of this.waiting) {
      const request = requestOf(entry.pod);
      const row = request === undefined ? undefined : book.rowOf(request);
      if (request === undefined || !row) continue;
      entry.firstAt ??= timestamp;
      if (timestamp - entry.firstAt <= PATIENCE_NANOS) this.awaited.add(row);
      if (entry.firstAt <= answered && row.identity.group === '') subjects.push({ key, row, request, entry });
    }
    const wanted = subjects.length === 0 ? undefined : ledger.machinesInDemand(answered);
    if (wanted === undefined || machines.length < wanted) return new Map();
    return this.lacking(subjects, machines);
  }

  /** Whether, at the last step, a Pod of the row had its first minutes of waiting before it. */
  isAwaited(row: DemandRow): boolean {
    return this.awaited.has(row);
  }

  private lacking(subjects: readonly { key: string; row: DemandRow; request: string; entry: Waiting }[], machines: readonly UpcomingNode[]): ReadonlyMap<DemandRow, Rest> {
    const { book } = this.deps;
    const keys = [...new Set(subjects.flatMap(({ row }) => row.identity.profile.requirements.map(({ key }) => key)))].sort();
    const kinds = new Map<string, Readonly<Record<string, string>>>();
    const kindOf = (labels: Readonly<Record<string, string>>): string => {
      const kind = JSON.stringify(keys.map((key) => (Object.hasOwn(labels, key) ? labels[key] : null)));
      if (!kinds.has(kind)) kinds.set(kind, labels);
      return kind;
    };
    const uses = new Map<DemandRow, Item['mayUse']>();
    const useOf = (row: DemandRow): Item['mayUse'] => {
      let use = uses.get(row);
      if (!use) {
        const known = new Map<string, boolean>();
        use = (kind) => {
          let may = known.get(kind);
          if (may === undefined) known.set(kind, (may = labelsMatch(row.identity.profile, kinds.get(kind) ?? {})));
          return may;
        };
        uses.set(row, use);
      }
      return use;
    };
    const bins = machines.flatMap((machine) => this.binOf(machine, kindOf) ?? []);
    // What there is room for on Nodes of others, nobody here knows.
    const foreign = this.foreignKinds(kindOf);
    const open = subjects.filter(({ row }) => !foreign.some((kind) => useOf(row)(kind)));
    const left = leftOver(bins, open.map(({ key, row, request }) => ({ key, amounts: book.amountsOf(request), mayUse: useOf(row) })));
    const rests = new Map<DemandRow, { amounts: Map<string, bigint>; entries: Waiting[] }>();
    for (const { key, row, request, entry } of open) {
      if (!left?.has(key) || entry.asked >= ASKED_AT_MOST) continue;
      const rest = rests.get(row) ?? { amounts: new Map<string, bigint>(), entries: [] };
      rests.set(row, rest);
      rest.entries.push(entry);
      for (const [dimension, nanos] of book.amountsOf(request)) rest.amounts.set(dimension, (rest.amounts.get(dimension) ?? 0n) + nanos);
    }
    return new Map([...rests].map(([row, { amounts, entries }]) => [row, {
      amounts: [...amounts],
      taken: () => {
        for (const entry of entries) entry.asked++;
      },
    }]));
  }

  private binOf(machine: UpcomingNode, kindOf: (labels: Readonly<Record<string, string>>) => string): Bin | undefined {
    const node = this.deps.fleet.nodeOf(machineIdOfUpcomingNode(machine));
    if (node?.spec?.unschedulable) return undefined;
    const kind = kindOf({ ...machine.spec.labels, ...node?.metadata.labels });
    const has = offered(node?.status?.allocatable ?? machine.spec.resources);
    if (!node) return { kind, free: has };
    const used = this.usedOf(node.metadata.name);
    return { kind, free: has.map(([dimension, nanos]) => [dimension, nanos - (used.get(dimension) ?? 0n)] as const) };
  }

  private usedOf(nodeName: string): ReadonlyMap<string, bigint> {
    const known = this.used.get(nodeName);
    if (known) return known;
    const { podsOn, requestOf, book } = this.deps;
    const used = new Map<string, bigint>();
    let lasts = true;
    for (const pod of podsOn(nodeName)) {
      const request = requestOf(pod);
      if (request === undefined || isFinished(pod)) continue;
      if (this.young.has(`${pod.metadata.namespace ?? ''}/${pod.metadata.name}`)) {
        lasts = false;
        continue;
      }
      for (const [dimension, nanos] of book.amountsOf(request)) used.set(dimension, (used.get(dimension) ?? 0n) + nanos);
    }
    if (lasts) this.used.set(nodeName, used);
    return used;
  }

  private foreignKinds(kindOf: (labels: Readonly<Record<string, string>>) => string): string[] {
    const found = new Set<string>();
    for (const node of this.deps.nodes.values()) {
      if (!node.spec?.unschedulable && this.deps.fleet.machineIdOf(node) === undefined) found.add(kindOf(node.metadata.labels ?? {}));
    }
    return [...found];
  }
}
