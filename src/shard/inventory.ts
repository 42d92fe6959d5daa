import type { Clock } from '../lib/clock.ts';
import { KeySet } from '../lib/key-set.ts';
import { TextMap, TextSet } from '../lib/text-map.ts';
import { inTurns } from '../lib/turns.ts';
import type { EngineMachine, MachineReason, Millis } from '../engine/types.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import { InventoryTally } from './inventory-tally.ts';
import { toEngineMachine } from './record.ts';
import type { MachineIntent, MachineRecord, Operation, Refusal } from './record.ts';
import { differs, isSame, settleAssignment, settleIntent } from './settle.ts';
import { SupplyTally } from './supply-tally.ts';

/** What changed about one machine. `before` is absent for a new one, `after` for one that was removed. */
export interface InventoryChange {
  readonly id: string;
  readonly before: MachineRecord | undefined;
  readonly after: MachineRecord | undefined;
  /** It lives on, as another shard's: nobody is to be told that it is gone. */
  readonly disowned?: true;
}

/** Whether there may be something to do about the machine now. Whoever has just met an obstacle waits before the next try. */
export function isWork({ before, after }: InventoryChange): boolean {
  if (!after || after.busy || !(after.intent || after.recheck)) return false;
  return after.obstacle === '' || after.obstacle === before?.obstacle;
}

/**
 * The machines of this shard, in memory: the provider's word on their state, our decisions about them. Records are
 * immutable; every change goes through here, marks the machine for the engine and tells the listeners.
 */
export class Inventory {
  /** Counts and lists that are kept up with every change. */
  readonly tally = new InventoryTally();
  private readonly supplies = new Map<string, SupplyTally>();
  /** Providers whose machines the engine is told to leave as they are; and those of which it is not told yet what has become so. */
  private readonly untrusted = new Set<string>();
  private readonly untold = new Map<string, number>();
  private readonly clock: Clock;
  private readonly isHeld: (id: string) => boolean;
  private readonly records = new TextMap<MachineRecord>();
  private readonly listeners: ((change: InventoryChange) => void)[] = [];
  private readonly dirty = new KeySet(this.records);
  private readonly gone = new TextSet();
  private readonly hinderedIds = new Set<string>();
  /** Grows with every start and end of a provider call; a List that began earlier may be older than that call's answer. */
  private touches = 0;
  private readonly touched = new TextMap<number>();

  /** `isHeld`: whether a person holds the machine; asked when it is first seen, so that not even one plan passes it over. */
  constructor(clock: Clock, isHeld: (id: string) => boolean = () => false) {
    this.clock = clock;
    this.isHeld = isHeld;
  }

  get size(): number {
    return this.records.size;
  }

  get(id: string): MachineRecord | undefined {
    return this.records.get(id);
  }

  all(): Iterable<MachineRecord> {
    return this.records.values();
  }

  /** The machines that the cluster should know about. Live: it may be walked in turns while it changes. */
  *ofCluster(cluster: string): Iterable<MachineRecord> {
    for (const id of this.tally.ofCluster(cluster)) yield this.mustGet(id);
  }

  /** The machines about which something is decided. Live. */
  *withIntent(): Iterable<MachineRecord> {
    for (const id of this.tally.withIntent()) yield this.mustGet(id);
  }

  /** The machines in a state that ends by itself. Live. */
  *inTransition(): Iterable<MachineRecord> {
    for (const id of this.tally.inTransition()) yield this.mustGet(id);
  }

  /** The machines about which something is decided that could not be carried out, or is not begun. */
  *hindered(): Iterable<MachineRecord> {
    for (const id of this.hinderedIds) yield this.mustGet(id);
  }

  /** For ids of which most are those of machines here. */
  newIdSet(): KeySet {
    return new KeySet(this.records);
  }

  onChange(listener: (change: InventoryChange) => void): void {
    this.listeners.push(listener);
  }

  /** Take before a List or Get is sent and hand to `observe`: what was touched since is not overwritten by its answer. */
  mark(): number {
    return this.touches;
  }

  /**
   * Merges one machine as its provider describes it; `mark` is from before the request. A machine stays with the provider that
   * named it first (see `Holdings`).
   */
  observe(seen: ProviderMachine, mark: number, provider = ''): void {
    const before = this.records.get(seen.id);
    if (before && (before.busy || (this.touched.get(seen.id) ?? 0) > mark)) {
      if (!before.recheck) this.replace(before, { ...before, recheck: true });
      return;
    }
    if (before && isAsKnown(before, seen)) return;
    this.adopt(before, seen, before && { ...before, recheck: false }, { provider });
  }

  /** Takes in a machine as its object describes it, for as long as its provider has not. */
  recall(seen: ProviderMachine, provider = ''): void {
    if (!this.records.has(seen.id)) this.adopt(undefined, seen, undefined, { provider, isListed: false });
  }

  /** Marks the start of a provider call for the machine. */
  begin(id: string, operation: Operation): void {
    this.touch(id);
    const before = this.mustGet(id);
    this.replace(before, { ...before, busy: true, operation });
  }

  /** The call that was begun is sent under this fencing sequence. */
  sent(id: string, sequence: bigint): void {
    const before = this.records.get(id);
    if (before?.operation) this.replace(before, { ...before, operation: { ...before.operation, sequence: Number(sequence) } });
  }

  /** Ends a provider call: with the machine as the answer describes it, or with the error text. */
  end(id: string, outcome: { readonly seen: ProviderMachine; readonly operationId: string; readonly retryAt?: Millis } | CallFailure): void {
    this.touch(id);
    const before = this.records.get(id);
    if (!before) return;
    if ('seen' in outcome) {
      // It was accepted under a token above those of all earlier tries: none of them can take effect any more.
      const operation = before.operation && { ...withoutDoubt(before.operation), operationId: outcome.operationId, lastError: '', ...(outcome.retryAt !== undefined && { retryAt: outcome.retryAt }) };
      this.adopt(before, outcome.seen, { ...before, busy: false, operation, obstacle: '' });
      return;
    }
    const refusals = (before.operation?.refusals ?? 0) + 1;
    const { error, retryAt, inDoubtUntilMonotonicMs, held } = outcome;
    const operation = before.operation && {
      ...before.operation, lastError: error, ...(outcome.isRefusal && { refusals }),
      ...(retryAt !== undefined && { retryAt }), ...(inDoubtUntilMonotonicMs !== undefined && { inDoubtUntilMonotonicMs }), ...(held && { held }),
    };
    this.replace(before, { ...before, busy: false, operation, recheck: before.recheck || outcome.recheck });
  }

  setIntent(id: string, intent: MachineIntent | undefined): void {
    const before = this.mustGet(id);
    // A decision starts a new story: the operation of the last one is over.
    const isOther = before.intent?.kind !== intent?.kind;
    this.replace(before, { ...before, intent, operation: before.busy ? before.operation : undefined, ...(isOther && { obstacle: '', standstill: undefined }) });
  }

  /** No try of the operation can take effect any more: whoever asks from now on learns whether one has. */
  endDoubt(id: string): void {
    this.touch(id);
    const before = this.mustGet(id);
    const { inDoubtUntilMonotonicMs: _over, ...operation } = before.operation ?? {};
    this.replace(before, { ...before, recheck: true, ...(before.operation && { operation: operation as Operation }) });
  }

  /** What the provider said is the verdict now. */
  takeHeld(id: string): Refusal | undefined {
    const before = this.mustGet(id);
    if (before.operation) this.replace(before, { ...before, operation: withoutDoubt(before.operation) });
    return before.operation?.held;
  }

  forgetRecheck(id: string): void {
    const before = this.records.get(id);
    if (before?.recheck) this.replace(before, { ...before, recheck: false });
  }

  update(id: string, fields: Partial<Pick<MachineRecord, 'hold' | 'stuck' | 'coolUntil' | 'drainRefusal' | 'heldBy' | 'obstacle' | 'missedLists'>>): void {
    const before = this.records.get(id);
    if (before) this.replace(before, { ...before, ...fields });
  }

  /** Records the engine's reason, or that it has none any more; not a change that the engine needs to hear about. */
  explain(id: string, why: MachineReason | undefined): void {
    const before = this.records.get(id);
    if (!before || sameReason(before.why, why)) return;
    this.remark(before, { ...before, why });
  }

  /** What the last plan says of the machine is not done, and why; undefined = it is. */
  withhold(id: string, withheld: string | undefined): void {
    const before = this.records.get(id);
    if (before && before.withheld !== withheld) this.remark(before, { ...before, withheld });
  }

  /** What was decided about the machine is not begun, and why; undefined = it is, as far as it can be. */
  standStill(id: string, standstill: string | undefined): void {
    const before = this.records.get(id);
    if (before && before.standstill !== standstill) this.remark(before, { ...before, standstill });
  }

  /** The machine is no more. */
  remove(id: string): void {
    const before = this.forget(id);
    if (before) this.tell({ id, before, after: undefined });
  }

  /** The machine is another shard's (D15): it counts for nothing here, and nothing is done about it. */
  disown(id: string): void {
    const before = this.forget(id);
    if (before) this.tell({ id, before, after: undefined, disowned: true });
  }

  /** What one provider has, and offers. */
  supplyOf(provider: string): SupplyTally {
    let supply = this.supplies.get(provider);
    if (!supply) this.supplies.set(provider, (supply = new SupplyTally()));
    return supply;
  }

  /** What each provider has that the engine may choose from. */
  *trustedSupplies(): Iterable<SupplyTally> {
    for (const [provider, supply] of this.supplies) if (!this.untrusted.has(provider)) yield supply;
  }

  /** Whether the machines of a provider are to be left as they are. Its machines are told anew, in turns; no plan is made before that. */
  async setTrusted(provider: string, trusted: boolean): Promise<void> {
    if (this.untrusted.has(provider) === !trusted) return;
    if (trusted) this.untrusted.delete(provider);
    else this.untrusted.add(provider);
    this.untold.set(provider, (this.untold.get(provider) ?? 0) + 1);
    await inTurns(this.all(), ({ seen, provider: owner }) => {
      if (owner === provider) this.dirty.add(seen.id);
    });
    const left = (this.untold.get(provider) ?? 0) - 1;
    if (left > 0) this.untold.set(provider, left);
    else this.untold.delete(provider);
  }

  /** How many machines the engine has not heard of as they are now, at least. */
  get engineBacklog(): number {
    return this.dirty.size + this.gone.size + this.untold.size;
  }

  /** Whether the machine has changed since the engine last heard of it. */
  isNewsForTheEngine(id: string): boolean {
    if (this.dirty.has(id) || this.gone.has(id)) return true;
    const machine = this.untold.size > 0 ? this.records.get(id) : undefined;
    return machine !== undefined && this.untold.has(machine.provider);
  }

  /** Changes that were not taken yet, of at most so many machines, as the engine wants them; undefined when there are none. */
  takeEngineChanges(limit = Infinity): { upserted: EngineMachine[]; removed: string[] } | undefined {
    if (this.dirty.size + this.gone.size === 0) return undefined;
    const now = this.clock.now();
    const removed = take(this.gone, limit).filter((id) => !this.records.has(id));
    const upserted = take(this.dirty, limit - removed.length).map((id) => {
      const record = this.mustGet(id);
      return toEngineMachine(record, now, this.untrusted.has(record.provider));
    });
    return { upserted, removed };
  }

  private forget(id: string): MachineRecord | undefined {
    const before = this.records.get(id);
    if (!before) return undefined;
    this.dirty.delete(id); // before the record
    this.records.delete(id);
    this.count(before, undefined);
    this.touched.delete(id);
    this.hinderedIds.delete(id);
    this.gone.add(id);
    return before;
  }

  private adopt(before: MachineRecord | undefined, seen: ProviderMachine, base: MachineRecord | undefined, { provider = '', isListed = true } = {}): void {
    const now: Millis = this.clock.now();
    const sameState = before?.seen.state === seen.state;
    const after: MachineRecord = {
      seen,
      isListed,
      provider: before?.provider ?? provider,
      assigned: settleAssignment(before, seen),
      intent: settleIntent(base?.intent, seen),
      hold: base?.hold ?? this.isHeld(seen.id),
      since: sameState && before ? before.since : now,
      operation: sameState || !base?.operation ? base?.operation : withoutDoubt(base.operation),
      busy: base?.busy ?? false,
      recheck: base?.recheck ?? false,
      stuck: sameState ? (base?.stuck ?? false) : false,
      coolUntil: base?.coolUntil ?? 0,
      drainRefusal: sameState ? base?.drainRefusal : undefined,
      heldBy: sameState ? base?.heldBy : undefined, // else the next roll-up says it again
      obstacle: sameState ? (base?.obstacle ?? '') : '',
      standstill: sameState ? base?.standstill : undefined,
      missedLists: 0,
      withheld: base?.withheld,
      why: base?.why,
    };
    const finished = after.intent === undefined && before?.intent !== undefined;
    this.replace(before, finished && !after.busy ? { ...after, operation: undefined } : after);
  }

  private replace(before: MachineRecord | undefined, after: MachineRecord): void {
    const id = after.seen.id;
    this.records.set(id, after);
    this.count(before, after);
    this.list(before, after);
    if (before && !matters(before, after)) return;
    this.dirty.add(id);
    this.tell({ id, before, after });
  }

  /** Something is to be said of the machine that the engine need not hear. */
  private remark(before: MachineRecord, after: MachineRecord): void {
    const { id } = after.seen;
    this.records.set(id, after);
    this.list(before, after);
    this.tell({ id, before, after });
  }

  private list(before: MachineRecord | undefined, after: MachineRecord): void {
    if (isHindered(after)) this.hinderedIds.add(after.seen.id);
    else if (before && isHindered(before)) this.hinderedIds.delete(after.seen.id);
  }

  private count(before: MachineRecord | undefined, after: MachineRecord | undefined): void {
    this.tally.change(before, after);
    const provider = (after ?? before)?.provider;
    if (provider !== undefined) this.supplyOf(provider).change(before, after);
  }

  private tell(change: InventoryChange): void {
    for (const listener of this.listeners) listener(change);
  }

  private touch(id: string): void {
    this.touched.set(id, ++this.touches);
  }

  private mustGet(id: string): MachineRecord {
    const record = this.records.get(id);
    if (!record) throw new Error(`machine ${id} is not in the inventory`);
    return record;
  }
}

/** No answer came, or no verdict; see `Operation` for what else is kept of it. */
interface CallFailure extends Pick<Operation, 'retryAt' | 'inDoubtUntilMonotonicMs' | 'held'> {
  readonly error: string;
  readonly recheck: boolean;
  readonly isRefusal?: boolean;
}

function isHindered({ obstacle, standstill }: MachineRecord): boolean {
  return obstacle !== '' || standstill !== undefined;
}

function withoutDoubt(operation: Operation): Operation {
  if (operation.inDoubtUntilMonotonicMs === undefined && !operation.held) return operation;
  const { inDoubtUntilMonotonicMs: _until, held: _refusal, ...settled } = operation;
  return settled;
}

/** Takes `limit` members out of the set, if it has so many. */
function take(set: KeySet | TextSet, limit: number): string[] {
  const taken: string[] = [];
  for (const id of set) {
    if (taken.length >= limit) break;
    set.delete(id);
    taken.push(id);
  }
  return taken;
}

/** To take it in would change nothing: most machines of most Lists. */
function isAsKnown(before: MachineRecord, seen: ProviderMachine): boolean {
  return before.isListed && before.intent === undefined && !before.recheck && before.missedLists === 0 && isSame(before.seen, seen);
}

function matters(a: MachineRecord, b: MachineRecord): boolean {
  return (
    a.intent !== b.intent ||
    a.hold !== b.hold ||
    a.busy !== b.busy ||
    a.recheck !== b.recheck ||
    a.stuck !== b.stuck ||
    a.coolUntil !== b.coolUntil ||
    a.drainRefusal !== b.drainRefusal ||
    a.heldBy !== b.heldBy ||
    a.obstacle !== b.obstacle ||
    a.operation !== b.operation ||
    a.assigned !== b.assigned ||
    differs(a.seen, b.seen)
  );
}

function sameReason(a: MachineReason | undefined, b: MachineReason | undefined): boolean {
  return a === b || (a !== undefined && b !== undefined && JSON.stringify(a) === JSON.stringify(b));
}
