import { CapacityType, type ListFilter, type Machine, type MachineList, MachineState, type TransitionAck } from '../../../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../../../api/grpc.ts';
import type { Clock } from '../../../lib/clock.ts';
import { CREATE_FAULT_LABEL } from '../slot-pool.ts';

export type Kind = 'create' | 'configure' | 'drain' | 'delete';

/** A mutating call. */
export interface Call {
  readonly kind: Kind;
  readonly id: string;
  readonly shard: string;
  readonly epoch: bigint;
  readonly sequence: bigint;
  readonly cluster: string;
  readonly metadata: ReadonlyMap<string, string>;
  readonly blobBytes: number;
  readonly grace: bigint;
  readonly peer: string;
}

export interface Mark {
  readonly epoch: bigint;
  readonly sequence: bigint;
}

export interface Slot {
  readonly machine: Machine;
  /** Operation id per kind, and that of the one that runs. */
  readonly operations: Map<Kind, string>;
  running: string | undefined;
  revision: number;
}

/** What survives a crash. */
export interface Saved {
  slots: Map<string, Slot>;
  marks: Map<string, Mark>;
  revision: number;
  minted: number;
}

export interface ModelOptions {
  readonly seeds: number;
  /** After how long a transition that the cluster's name holds up is FAILED. Others end once they were seen. */
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly saved?: Saved;
}

const S = {
  speculative: MachineState.MACHINE_STATE_SPECULATIVE, creating: MachineState.MACHINE_STATE_CREATING, idle: MachineState.MACHINE_STATE_IDLE,
  configuring: MachineState.MACHINE_STATE_CONFIGURING, configured: MachineState.MACHINE_STATE_CONFIGURED,
  draining: MachineState.MACHINE_STATE_DRAINING, deleting: MachineState.MACHINE_STATE_DELETING, failed: MachineState.MACHINE_STATE_FAILED,
} as const;
export const state = S;

export const steps: Readonly<Record<Kind, { readonly from: MachineState; readonly during: MachineState; readonly target: MachineState }>> = {
  create: { from: S.speculative, during: S.creating, target: S.idle },
  configure: { from: S.idle, during: S.configuring, target: S.configured },
  drain: { from: S.configured, during: S.draining, target: S.idle },
  delete: { from: S.idle, during: S.deleting, target: S.speculative },
};

/**
 * A provider in the fewest words, which keeps every promise in memory. Each rule is a method of its own, so that a fault is
 * the replacement of one method.
 */
export class ModelProvider implements Saved {
  slots = new Map<string, Slot>();
  marks = new Map<string, Mark>();
  revision = 1;
  minted = 0;
  readonly options: ModelOptions;
  rotation = 0;
  private readonly timers = new Set<() => void>();
  private readonly watched = new Map<Slot, { left: number; readonly done: () => void }>();

  constructor(options: ModelOptions) {
    this.options = options;
    if (options.saved) Object.assign(this, options.saved);
    else this.seed();
  }

  /** Goes on where a crash left off; once, before the first call. */
  recover(): void {
    for (const slot of this.slots.values()) {
      slot.running = undefined;
      const isInterrupted = Object.values(steps).some(({ during }) => during === slot.machine.state);
      if (isInterrupted) this.fail(slot, 'interrupted by a restart');
    }
  }

  /** Everything that a restart finds again. */
  save(): Saved {
    const { slots, marks, revision, minted } = this;
    return structuredClone({ slots, marks, revision, minted });
  }

  stop(): void {
    for (const cancel of this.timers) cancel();
    this.timers.clear();
  }

  /** A mutating call: the fence first, then the machine, then repeats, then the state it starts from. */
  dispatch(call: Call): TransitionAck | Promise<TransitionAck> {
    if (call.id === '') return this.emptyId();
    this.fence(call);
    const slot = this.slots.get(call.id);
    if (!slot) return this.unknown(call);
    if (this.isRepeat(call, slot)) return this.repeat(call, slot);
    if (slot.machine.state !== steps[call.kind].from) return this.illegal(call, slot);
    return this.start(call, slot);
  }

  get(id: string): Machine | Promise<Machine> {
    if (id === '') return this.emptyId();
    const slot = this.slots.get(id);
    if (!slot) throw new GrpcError(GrpcCode.NOT_FOUND, `no machine ${id}`);
    const shown = this.shown(slot);
    this.countLook(slot);
    return shown;
  }

  list(filter: ListFilter): MachineList | Promise<MachineList> {
    const since = this.cursor(filter.sinceRevision);
    const wanted = [...this.slots.values()].filter((slot) => this.isWanted(slot, filter));
    const max = filter.maxResults > 0 ? filter.maxResults : Infinity;
    if (since !== undefined) return this.delta(wanted, since, max);
    const page = max === Infinity ? wanted : this.page(wanted, max);
    return { machines: page.map((slot) => this.listed(slot)), revision: this.revisionBytes(this.revision) };
  }

  // Rules.

  emptyId(): never {
    throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'the machine id is empty');
  }

  fence(call: Call): void {
    if (this.isUnfenced(call)) return;
    const key = this.markKey(call);
    const mark = this.marks.get(key);
    if (mark && !this.isAbove(call, mark)) throw this.fenced(call, mark);
    this.marks.set(key, { epoch: call.epoch, sequence: call.sequence });
  }

  fenced(call: Mark, mark: Mark): GrpcError {
    return new GrpcError(GrpcCode.FAILED_PRECONDITION, `fenced: (${call.epoch}, ${call.sequence}) is not above (${mark.epoch}, ${mark.sequence})`);
  }

  isUnfenced({ shard, epoch, sequence }: Call): boolean {
    return shard === '' && epoch === 0n && sequence === 0n;
  }

  markKey({ shard, id }: Call): string {
    return JSON.stringify([shard, id]);
  }

  isAbove(token: Mark, mark: Mark): boolean {
    return token.epoch === mark.epoch ? token.sequence > mark.sequence : token.epoch > mark.epoch;
  }

  unknown({ id }: Call): TransitionAck {
    throw new GrpcError(GrpcCode.NOT_FOUND, `no machine ${id}`);
  }

  isRepeat({ kind }: Call, { machine, operations }: Slot): boolean {
    return operations.has(kind) && (machine.state === steps[kind].during || machine.state === steps[kind].target);
  }

  repeat({ kind }: Call, slot: Slot): TransitionAck {
    return this.ack(slot.operations.get(kind) ?? '', slot);
  }

  illegal({ kind, id }: Call, { machine }: Slot): TransitionAck {
    throw new GrpcError(GrpcCode.INTERNAL, `${kind}: ${id} is in state ${machine.state}`);
  }

  start(call: Call, slot: Slot): TransitionAck {
    const operation = this.mint(call, slot);
    slot.operations.set(call.kind, operation);
    slot.running = operation;
    slot.machine.state = steps[call.kind].during;
    if (call.kind === 'configure') this.bind(call, slot);
    this.touch(slot);
    void this.carryOut(call, slot, operation);
    return this.ack(operation, slot);
  }

  mint(_call: Call, _slot: Slot): string {
    return `op-${++this.minted}`;
  }

  bind(call: Call, { machine }: Slot): void {
    machine.cluster = call.cluster;
    machine.shardMetadata = this.stored(call.metadata);
  }

  unbind({ machine }: Slot): void {
    machine.cluster = '';
    machine.shardMetadata = new Map();
  }

  /** The copy of the metadata that is kept. */
  stored(metadata: ReadonlyMap<string, string>): Map<string, string> {
    return new Map(metadata);
  }

  async carryOut(call: Call, slot: Slot, operation: string): Promise<void> {
    const ended = this.work(call, slot);
    try {
      await (call.cluster.startsWith('fault-') && this.hasTimeout() ? Promise.race([ended, this.late(call)]) : ended);
      if (slot.running === operation) this.finish(call, slot);
    } catch (error) {
      if (slot.running === operation) this.fail(slot, (error as Error).message);
    }
  }

  hasTimeout(): boolean {
    return true;
  }

  /** The substrate: a transition is over once it was seen, so that nobody can miss it. What the cluster is called, or how the slot is labelled, decides whether it works. */
  async work(call: Call, slot: Slot): Promise<void> {
    const { machine } = slot;
    await this.seen(slot);
    if (call.kind === 'create' && machine.labels.get(CREATE_FAULT_LABEL) === 'error') throw new Error('no capacity');
    if (call.kind === 'drain' && machine.cluster === 'fault-drain-error') throw new Error('the host does not answer');
    if (call.kind !== 'configure') return;
    if (call.cluster === 'fault-error') throw new Error('the host did not boot');
    if (call.cluster === 'fault-timeout') await new Promise<never>(() => {});
    if (call.cluster === 'fault-slow-ok') await this.after(this.options.timeoutMs * 1.5);
    if (call.cluster === 'fault-readiness-block') await this.ready();
  }

  /** The Node becomes Ready; in this cluster it never does. */
  ready(): Promise<void> {
    return new Promise<never>(() => {});
  }

  finish({ kind }: Call, slot: Slot): void {
    const { machine } = slot;
    slot.running = undefined;
    machine.state = steps[kind].target;
    if (kind === 'create') machine.host = { provider: 'model', ref: `model:///${machine.id}` };
    if (kind === 'drain') this.unbind(slot);
    if (kind === 'delete') this.dropHost(slot);
    this.touch(slot);
  }

  dropHost({ machine }: Slot): void {
    machine.host = undefined;
  }

  fail(slot: Slot, reason: string): void {
    slot.running = undefined;
    slot.machine.state = S.failed;
    slot.machine.lastError = reason;
    this.touch(slot);
  }

  touch(slot: Slot): void {
    slot.revision = ++this.revision;
  }

  ack(operationId: string, slot: Slot): TransitionAck {
    return { operationId, machine: this.shown(slot) };
  }

  /** A record as Get and acks show it. */
  shown({ machine }: Slot): Machine {
    return structuredClone(machine);
  }

  listed(slot: Slot): Machine {
    return this.shown(slot);
  }

  isWanted({ machine }: Slot, { states }: ListFilter): boolean {
    return states.length === 0 || states.includes(machine.state);
  }

  /** A capped List starts where the last one ended, and wraps. */
  page(slots: readonly Slot[], max: number): readonly Slot[] {
    const start = slots.length === 0 ? 0 : this.rotation % slots.length;
    this.rotation = start + max;
    return [...slots.slice(start), ...slots.slice(0, start)].slice(0, max);
  }

  delta(wanted: readonly Slot[], since: number, max: number): MachineList {
    const changed = wanted.filter((slot) => slot.revision > since).sort((a, b) => a.revision - b.revision);
    const page = changed.slice(0, max);
    const end = page.length < changed.length ? page.at(-1)!.revision : this.revision;
    return { machines: page.map((slot) => this.listed(slot)), revision: this.revisionBytes(end) };
  }

  /** What a since_revision means; undefined: everything. */
  cursor(bytes: Uint8Array): number | undefined {
    const text = Buffer.from(bytes).toString('latin1');
    return /^\d{1,15}$/.test(text) ? Number(text) : undefined;
  }

  revisionBytes(revision: number): Uint8Array {
    return Buffer.from(String(revision));
  }

  /** Resolves when Get has shown the machine so many times. */
  seen(slot: Slot, times = 2): Promise<void> {
    return new Promise((done) => this.watched.set(slot, { left: times, done }));
  }

  after(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(ms, () => {
        this.timers.delete(cancel);
        resolve();
      });
      this.timers.add(cancel);
    });
  }

  private countLook(slot: Slot): void {
    const watcher = this.watched.get(slot);
    if (!watcher || --watcher.left > 0) return;
    this.watched.delete(slot);
    watcher.done();
  }

  private async late({ kind }: Call): Promise<never> {
    await this.after(this.options.timeoutMs);
    throw new Error(`${kind} timed out`);
  }

  private seed(): void {
    for (let i = 0; i < this.options.seeds; i++) {
      const id = `slot-${i}`;
      const isSpot = i % 4 === 3;
      const machine: Machine = {
        id, state: S.speculative, host: undefined, instanceType: 'model-4c', zone: `zone-${i % 3}`,
        capacityType: isSpot ? CapacityType.CAPACITY_TYPE_SPOT : CapacityType.CAPACITY_TYPE_ON_DEMAND,
        pricePerHour: 0.25, interruptionProbability: isSpot ? 0.02 : 0,
        resources: { resources: new Map([['cpu', '4'], ['memory', '16Gi']]) }, allocatable: { resources: new Map([['cpu', '3900m'], ['memory', '15Gi']]) },
        labels: new Map(i % 16 === 15 ? [[CREATE_FAULT_LABEL, 'error']] : []), lastError: '', cluster: '', shardMetadata: new Map(),
      };
      this.slots.set(id, { machine, operations: new Map(), running: undefined, revision: 1 });
    }
  }
}
