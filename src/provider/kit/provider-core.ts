import type { Clock } from '../../lib/clock.ts';
import type { ProviderBackend } from './backend.ts';
import type { ChangeCause, ProviderEvents } from './events.ts';
import { FenceTable, isAbove, isUnfenced, type FenceMark, type FencingToken } from './fences.ts';
import { encodedMachine, Inventory, withPending, type Entry, type ListQuery } from './inventory.ts';
import { isReplayState, transitions } from './lifecycle.ts';
import type { Machine } from './machine.ts';
import type { Mutation } from './mutation.ts';
import { RpcError } from './rpc-error.ts';
import type { PendingOperation, StateChange, StateStore, StoredMachine } from './state-store.ts';
import { encodeAck } from './wire.ts';

export interface CoreOptions {
  readonly backend: ProviderBackend;
  readonly store: StateStore;
  readonly clock: Clock;
  readonly operationIdPrefix: string;
  readonly events: ProviderEvents;
}

/** More changes than a process can make between two syncs of its store. */
const MAX_UNSTORED_CHANGES = 1_000_000;

type Decision =
  | { readonly do: 'refuse'; readonly error: RpcError }
  | { readonly do: 'replay'; readonly operationId: string }
  | { readonly do: 'start'; readonly pending: PendingOperation; readonly machine: Machine };

/**
 * The provider's memory and its rules. Every mutation is decided, persisted and applied in one synchronous step, which
 * is what serialises the calls on a machine: nothing can come between the check of a fence and its advance.
 */
export class ProviderCore {
  readonly inventory: Inventory;
  /** Runs an operation that has been accepted; set by the runner. */
  onAccepted: (entry: Entry, pending: PendingOperation) => void = () => {};
  private readonly options: CoreOptions;
  private readonly fences = new FenceTable();
  private nextOperation = 1;
  private storeId = '';
  private seeded = false;

  constructor(options: CoreOptions) {
    this.options = options;
    const machines = new Map<string, StoredMachine>();
    let newest = 0;
    const marks: FenceMark[] = [];
    for (const change of options.store.load() ?? []) {
      if (change.machine) machines.set(change.machine.machine.id, change.machine);
      newest = Math.max(newest, change.machine?.revision ?? 0);
      this.storeId = change.storeId ?? this.storeId;
      if (change.fence) marks.push(change.fence);
      if (change.nextOperation === undefined) continue;
      this.nextOperation = Math.max(this.nextOperation, change.nextOperation);
      this.seeded = true;
    }
    // Revisions start above any that an earlier process can have handed out. With a fresh store its cursors get everything;
    // with this one only those beyond what was stored, whose changes nobody acknowledged and a loss of power can have undone.
    const head = Math.max(options.clock.now() * 1_000, newest + MAX_UNSTORED_CHANGES);
    this.inventory = new Inventory(head, machines.values(), machines.size > 0 ? { after: newest, before: head } : undefined);
    for (const mark of marks) this.fences.restore(mark, machines.has(mark.machineId));
  }

  /** False until `finishSeeding`: a first start that was cut short is made again. */
  get isSeeded(): boolean {
    return this.seeded;
  }

  /** Decides and applies one mutating call (spec: provider 2.2). Returns the encoded ack and its operation id. */
  dispatch(mutation: Mutation): { readonly ack: Buffer; readonly operationId: string } {
    const { kind, machineId, token, notAfterMs } = mutation;
    if (machineId === '') throw new RpcError('INVALID_ARGUMENT', 'machine_id must not be empty');
    if (notAfterMs !== undefined && this.options.clock.now() > notAfterMs) {
      throw new RpcError('FAILED_PRECONDITION', `too late: the call was good until ${notAfterMs} (bigfleet-not-after), and it is ${this.options.clock.now()}`);
    }
    if (kind === 'Delete' && !this.options.backend.deleteInstance) {
      throw new RpcError('UNIMPLEMENTED', 'this provider has fixed capacity and deletes nothing');
    }
    const entry = this.inventory.get(machineId);
    const fence = this.checkFence(token, machineId, entry !== undefined);
    const decision = entry ? this.decide(mutation, entry) : unknownMachine(machineId);
    const started = decision.do === 'start' && entry ? this.startedRecord(entry, decision) : undefined;
    this.persist({
      ...(fence && { fence }),
      ...(started && { machine: started, nextOperation: this.nextOperation + 1 }),
    });
    if (fence) this.fences.advance(fence, entry !== undefined);
    if (decision.do === 'refuse') throw decision.error;
    if (decision.do === 'start' && started) {
      this.nextOperation += 1;
      this.apply(started, 'call');
      this.onAccepted(entry!, decision.pending);
    }
    const operationId = decision.do === 'start' ? decision.pending.operationId : decision.operationId;
    return { ack: encodeAck(operationId, encodedMachine(entry!)), operationId };
  }

  get(machineId: string): Buffer {
    if (machineId === '') throw new RpcError('INVALID_ARGUMENT', 'id must not be empty');
    const entry = this.inventory.get(machineId);
    if (!entry) throw notFound(machineId);
    return Buffer.from(encodedMachine(entry));
  }

  list(query: ListQuery): Promise<Buffer> {
    return this.inventory.list(query);
  }

  /** Replaces a machine's record, persisted first. Throws, and changes nothing, when it cannot be persisted. */
  commit(machine: Machine, pending: PendingOperation | undefined, cause: ChangeCause): Entry {
    const operations = this.inventory.get(machine.id)?.stored.operations ?? {};
    const stored = withPending({ machine, revision: this.inventory.head + 1, operations }, pending);
    this.persist({ machine: stored });
    return this.apply(stored, cause);
  }

  /** Takes in a machine that the backend describes for the first time. Throws when it cannot be persisted. */
  discover(machine: Machine): void {
    const marks = this.fences.marksOfNew(machine.id);
    for (const fence of marks) this.persist({ fence });
    this.commit(machine, undefined, 'seed');
    this.fences.discovered(machine.id, marks);
  }

  /** Marks the first discovery complete: from now on the store is the truth about which machines there are. */
  finishSeeding(): void {
    const storeId = this.options.clock.now().toString(36);
    this.persist({ nextOperation: this.nextOperation, storeId });
    this.storeId = storeId;
    this.seeded = true;
  }

  /** Everything as changes: what a compacted store consists of. */
  *snapshot(): Iterable<StateChange> {
    yield { nextOperation: this.nextOperation, ...(this.storeId !== '' && { storeId: this.storeId }) };
    for (const entry of this.inventory.entries()) yield { machine: this.storable(entry.stored) };
    for (const fence of this.fences.all()) yield { fence };
  }

  private checkFence(token: FencingToken, machineId: string, known: boolean): FenceMark | undefined {
    if (isUnfenced(token)) return undefined;
    const mark = this.fences.markFor(token.shardId, machineId, known);
    if (mark && !isAbove(token, mark)) {
      throw new RpcError(
        'FAILED_PRECONDITION',
        `fenced: (${token.epoch}, ${token.sequence}) of shard ${JSON.stringify(token.shardId)} is not above (${mark.epoch}, ${mark.sequence}) for machine ${machineId}`,
      );
    }
    return { ...token, machineId };
  }

  private decide(mutation: Mutation, entry: Entry): Decision {
    const { kind } = mutation;
    const { machine, operations } = entry.stored;
    const recorded = operations[kind];
    if (recorded !== undefined && isReplayState(kind, machine.state)) {
      this.warnOnOtherCluster(mutation, machine);
      return { do: 'replay', operationId: recorded };
    }
    if (machine.state !== transitions[kind].from) {
      const text = `${kind} needs state ${transitions[kind].from}; machine ${machine.id} is ${machine.state}`;
      return { do: 'refuse', error: new RpcError('INTERNAL', text) };
    }
    const operationId = [this.options.operationIdPrefix, ...(this.storeId === '' ? [] : [this.storeId]), this.nextOperation].join('-');
    const next = { ...machine, state: transitions[kind].during };
    switch (mutation.kind) {
      case 'Create':
      case 'Delete':
        return { do: 'start', pending: { kind, operationId }, machine: next };
      case 'Configure': {
        if (mutation.clusterId === '') return invalid('cluster_id must not be empty');
        // The binding shows from now on, so that nobody takes the machine for free while it joins.
        const bound = { ...next, cluster: mutation.clusterId, shardMetadata: new Map(mutation.shardMetadata) };
        return { do: 'start', pending: { kind, operationId, bootstrapBlob: mutation.bootstrapBlob }, machine: bound };
      }
      case 'Drain': {
        const { gracePeriodSeconds } = mutation;
        if (gracePeriodSeconds < 0n) return invalid(`grace_period_seconds must be 0 or more, not ${gracePeriodSeconds}`);
        return { do: 'start', pending: { kind, operationId, gracePeriodSeconds }, machine: next };
      }
    }
  }

  private startedRecord(entry: Entry, { pending, machine }: Decision & { do: 'start' }): StoredMachine {
    const operations = { ...entry.stored.operations, [pending.kind]: pending.operationId };
    return { machine, revision: this.inventory.head + 1, operations, pending };
  }

  private persist(change: StateChange): void {
    if (!change.fence && !change.machine && change.nextOperation === undefined) return;
    try {
      this.options.store.append(change.machine ? { ...change, machine: this.storable(change.machine) } : change);
    } catch (error) {
      const reason = error instanceof Error ? error.message : String(error);
      this.options.events.onWarning?.(`a change was refused because it could not be persisted: ${reason}`);
      throw new RpcError('UNAVAILABLE', `the change could not be persisted and was not made: ${reason}`);
    }
  }

  private apply(stored: StoredMachine, cause: ChangeCause): Entry {
    const before = this.inventory.get(stored.machine.id)?.stored.machine.state;
    const entry = this.inventory.put(stored);
    const from = before ?? 'Speculative';
    if (from !== stored.machine.state) this.options.events.onStateChange?.({ from, machine: stored.machine, cause });
    this.options.store.maybeCompact(() => this.snapshot());
    return entry;
  }

  /** Blobs hold credentials: they reach the disk only where a restart needs them. */
  private storable(stored: StoredMachine): StoredMachine {
    if (this.options.backend.resumable || !stored.pending?.bootstrapBlob) return stored;
    const { bootstrapBlob: _secret, ...pending } = stored.pending;
    return { ...stored, pending };
  }

  private warnOnOtherCluster(mutation: Mutation, machine: Machine): void {
    if (mutation.kind !== 'Configure' || mutation.clusterId === machine.cluster) return;
    this.options.events.onClusterMismatch?.({ machineId: machine.id, asked: mutation.clusterId, bound: machine.cluster });
    this.options.events.onWarning?.(
      `Configure of ${machine.id} for cluster ${JSON.stringify(mutation.clusterId)} was answered as a repeat: it is bound to ${JSON.stringify(machine.cluster)}`,
    );
  }
}

function unknownMachine(machineId: string): Decision {
  return { do: 'refuse', error: notFound(machineId) };
}

function notFound(machineId: string): RpcError {
  return new RpcError('NOT_FOUND', `no machine has the id ${JSON.stringify(machineId)}`);
}

function invalid(text: string): Decision {
  return { do: 'refuse', error: new RpcError('INVALID_ARGUMENT', text) };
}
