import { Metadata, Server, ServerCredentials, type handleUnaryCall } from '@grpc/grpc-js';
import { NOT_AFTER_METADATA, NOW_METADATA } from '../../api/constants.ts';
import { CapacityType, CapacityProviderService, Machine, MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { CapacityProviderServer, TransitionAck } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError, listen, serveUnary, shutdown } from '../../api/grpc.ts';

export type CallKind = 'Create' | 'Configure' | 'Drain' | 'Delete';

export interface WireCall {
  readonly kind: CallKind;
  readonly machineId: string;
  readonly epoch: bigint;
  /** For how many milliseconds more it might be obeyed, as it said; undefined = it said nothing. */
  readonly goodForMs: number | undefined;
}

const TRANSITION = {
  Create: [MachineState.MACHINE_STATE_CREATING, MachineState.MACHINE_STATE_IDLE],
  Configure: [MachineState.MACHINE_STATE_CONFIGURING, MachineState.MACHINE_STATE_CONFIGURED],
  Drain: [MachineState.MACHINE_STATE_DRAINING, MachineState.MACHINE_STATE_IDLE],
  Delete: [MachineState.MACHINE_STATE_DELETING, MachineState.MACHINE_STATE_SPECULATIVE],
} as const;

/**
 * A provider on a real socket which does what a test says, also what no honest provider would: it accepts everything at
 * once, finishes it at once unless told otherwise, and may hold its List back or leave machines out of it. Every List is
 * a full one, unless it keeps revisions.
 */
export class WireProvider {
  readonly calls: WireCall[] = [];
  /** What every call, by the name of its method, was allowed to take, to the nearest hundred seconds. */
  readonly allowed: { readonly name: string; readonly seconds: number }[] = [];
  /** Machines that the List does not name. */
  readonly omitted = new Set<string>();
  /** Kinds of transition that are begun and not finished; `finish` ends them. */
  readonly unfinished = new Set<CallKind>();
  /** Kinds of transition that are refused, with what is said about it. */
  readonly refusals = new Map<CallKind, string>();
  /** Every mutation is refused with the code that means that a newer epoch was seen. */
  isFencing = false;
  /** Answers a List since a revision with what changed after it. */
  keepsRevisions = false;
  /** Sees every call before it has an effect, which waits for the promise if there is one. */
  onCall: (call: WireCall) => unknown = () => undefined;
  address = '';
  private readonly machines = new Map<string, Machine>();
  private readonly changedAt = new Map<string, number>();
  private revision = 0;
  private limit: number | undefined;
  private readonly server = new Server();
  private gate: { readonly opened: Promise<void>; readonly open: () => void } | undefined;
  private waiting: (() => void)[] = [];

  async start(credentials = ServerCredentials.createInsecure()): Promise<void> {
    const service: CapacityProviderServer = {
      create: this.timed('create', serveUnary((r) => this.begin('Create', r))),
      configure: this.timed('configure', serveUnary((r) => this.begin('Configure', r, { cluster: r.clusterId, shardMetadata: r.shardMetadata }))),
      drain: this.timed('drain', serveUnary((r) => this.begin('Drain', r))),
      delete: this.timed('delete', serveUnary((r) => this.begin('Delete', r))),
      get: this.timed('get', serveUnary((r) => Promise.resolve(this.mustGet(r.id)))),
      list: this.timed('list', serveUnary(async ({ sinceRevision }) => {
        for (const waiting of this.waiting.splice(0)) waiting();
        await this.gate?.opened;
        const named = [...this.machines.values()].filter((m) => !this.omitted.has(m.id));
        if (!this.keepsRevisions) return { machines: named, revision: new Uint8Array() };
        const since = sinceRevision.length > 0 ? Number(Buffer.from(sinceRevision).toString()) : 0;
        return { machines: named.filter((m) => this.changedAt.get(m.id)! > since), revision: Buffer.from(String(this.revision)) };
      })),
    };
    this.server.addService(CapacityProviderService, service);
    this.address = `127.0.0.1:${await listen(this.server, '127.0.0.1:0', credentials)}`;
  }

  close(): Promise<void> {
    return shutdown(this.server, AbortSignal.abort());
  }

  /** 8 cpus on demand in state Speculative, unless said otherwise; a host comes with the state. */
  put(id: string, fields: Partial<Machine> = {}): void {
    const state = fields.state ?? MachineState.MACHINE_STATE_SPECULATIVE;
    const machine = Machine.create({
      id, state, instanceType: 'c8', zone: 'a', capacityType: CapacityType.CAPACITY_TYPE_ON_DEMAND, pricePerHour: 0.4, interruptionProbability: 0,
      resources: { resources: new Map([['cpu', '8']]) }, ...(state !== MachineState.MACHINE_STATE_SPECULATIVE && { host: hostOf(id) }), ...fields,
    });
    this.set(machine);
  }

  all(): readonly Machine[] {
    return [...this.machines.values()];
  }

  state(id: string): MachineState {
    return this.mustGet(id).state;
  }

  /** From now on no List is answered, until `releaseList`. */
  holdList(): void {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.gate = { opened: promise, open: resolve };
  }

  releaseList(): void {
    this.gate?.open();
    this.gate = undefined;
  }

  /** Resolves when the next List has been asked for; after two of them, the answer of the first has been taken in. */
  async asked(times = 1): Promise<void> {
    for (let left = times; left > 0; left--) await new Promise<void>((resolve) => this.waiting.push(resolve));
  }

  /** Notes of every call how long it may take. */
  private timed<Q, S>(name: string, handle: handleUnaryCall<Q, S>): handleUnaryCall<Q, S> {
    return (call, callback) => {
      const leftMs = new Date(call.getDeadline()).getTime() - Date.now();
      this.allowed.push({ name, seconds: Math.round(leftMs / 100_000) * 100 });
      const now = new Metadata();
      now.set(NOW_METADATA, String(Date.now()));
      call.sendMetadata(now);
      const limit = call.metadata.get(NOT_AFTER_METADATA)[0];
      this.limit = limit === undefined ? undefined : Number(limit) - Date.now();
      handle(call, callback);
    };
  }

  /** Ends what `unfinished` left open. */
  finish(id: string): void {
    const machine = this.mustGet(id);
    const [, to] = Object.values(TRANSITION).find(([from]) => from === machine.state) ?? [];
    if (to === undefined) throw new Error(`machine ${id} is in no transition`);
    const { host: _host, ...bare } = machine;
    const isBound = to === MachineState.MACHINE_STATE_CONFIGURED;
    this.put(id, {
      ...bare, state: to, cluster: isBound ? machine.cluster : '', shardMetadata: isBound ? machine.shardMetadata : new Map<string, string>(),
    });
  }

  count(kind: CallKind, machineId?: string): number {
    return this.calls.filter((call) => call.kind === kind && (machineId === undefined || call.machineId === machineId)).length;
  }

  private async begin(kind: CallKind, request: { machineId: string; shardEpoch: bigint }, fields: Partial<Machine> = {}): Promise<TransitionAck> {
    const call = { kind, machineId: request.machineId, epoch: request.shardEpoch, goodForMs: this.limit };
    this.calls.push(call);
    await this.onCall(call);
    if (this.isFencing) throw new GrpcError(GrpcCode.FAILED_PRECONDITION, 'fenced: a newer epoch was seen');
    const refusal = this.refusals.get(kind);
    if (refusal) throw new GrpcError(GrpcCode.ABORTED, refusal);
    const machine = { ...this.mustGet(request.machineId), ...fields, state: TRANSITION[kind][0] };
    this.set(machine);
    if (!this.unfinished.has(kind)) setImmediate(() => this.finish(machine.id));
    return { operationId: `op-${this.calls.length}`, machine };
  }

  private set(machine: Machine): void {
    this.machines.set(machine.id, machine);
    this.changedAt.set(machine.id, ++this.revision);
  }

  private mustGet(id: string): Machine {
    const machine = this.machines.get(id);
    if (!machine) throw new GrpcError(GrpcCode.NOT_FOUND, `no machine ${id}`);
    return machine;
  }
}

function hostOf(id: string): Machine['host'] {
  return { provider: 'wire', ref: `wire:///${id}` };
}
