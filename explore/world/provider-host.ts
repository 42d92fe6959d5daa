import { Metadata, type sendUnaryData, type ServerUnaryCall } from '@grpc/grpc-js';
import { GrpcCode, GrpcError } from '../../src/api/grpc.ts';
import type { ProviderBackend } from '../../src/provider/kit/backend.ts';
import type { Instance } from '../../src/provider/kit/machine.ts';
import { serveProvider } from '../../src/provider/kit/serve-provider.ts';
import { sleep } from '../../src/lib/clock.ts';
import type { Faults } from '../faults/faults.ts';
import type { Ground } from './ground.ts';
import { Process } from './process.ts';
import { ProviderDisk } from './provider-disk.ts';
import type { Deed, Substrate, Work } from './substrate.ts';
import type { Timeline } from './timeline.ts';

type Handler = (call: ServerUnaryCall<unknown, Buffer>, callback: sendUnaryData<Buffer>) => void;

export interface Answer {
  readonly metadata: Metadata | undefined;
  readonly error?: GrpcError;
  readonly bytes?: Buffer;
}

/** How it behaves towards the shard, as far as that is not a matter of single calls. */
export type Manner = 'well' | 'unreachable' | 'silent' | 'mute' | 'throttles' | 'lists nothing';

export interface ProviderShape {
  /** Of its CapacityProvider. */
  readonly name: string;
  readonly zone: string;
  readonly pricePerHour: number;
  /** Those of the substrate that are its own. */
  readonly machines: ReadonlySet<string>;
  /** Whether interrupted operations may simply be started again. */
  readonly resumable: boolean;
  readonly skewMs: number;
}

const DEED_MS: Readonly<Record<Deed, readonly [number, number]>> = { create: [500, 4_000], configure: [500, 4_000], drain: [500, 3_000], delete: [300, 2_000], recover: [300, 2_000] };

/** The provider of the world: the real kit on the simulated substrate, started again whenever it has died. */
export class ProviderHost {
  manner: Manner = 'well';
  private readonly timeline: Timeline;
  private readonly faults: Faults;
  private readonly ground: Ground;
  private readonly substrate: Substrate;
  private readonly disk: ProviderDisk;
  private readonly shape: ProviderShape;
  private starts = 0;
  private process: Process | undefined;
  private handlers: Readonly<Record<string, Handler>> | undefined;
  /** Hears that the call which is being handled is accepted. */
  private onAccepted: (() => void) | undefined;

  constructor(timeline: Timeline, faults: Faults, ground: Ground, substrate: Substrate, shape: ProviderShape) {
    this.timeline = timeline;
    this.faults = faults;
    this.ground = ground;
    this.substrate = substrate;
    this.shape = shape;
    this.disk = new ProviderDisk(faults, ground, shape.machines);
  }

  get name(): string {
    return this.shape.name;
  }

  get address(): string {
    return `${this.name}:1`;
  }

  get zone(): string {
    return this.shape.zone;
  }

  get machines(): ReadonlySet<string> {
    return this.shape.machines;
  }

  get current(): Process | undefined {
    return this.process?.isAlive ? this.process : undefined;
  }

  start(): void {
    const process = new Process(`provider ${this.name}#${++this.starts}`, this.timeline, this.shape.skewMs);
    this.process = process;
    this.handlers = undefined;
    process.onEnd(() => {
      this.handlers = undefined;
      this.ground.note(`${process.name} is dead`);
      this.timeline.after(this.faults.between(200, 8_000), () => this.start());
    });
    this.ground.note(`${process.name} starts`);
    serveProvider(this.backend(process), {
      address: this.address, clock: process.clock, operationIdPrefix: `op-${this.name}`, reconcileIntervalMs: 20_000,
      store: this.disk.open(process, (ms) => sleep(process.clock, ms)),
      timeouts: { createMs: 40_000, configureMs: 40_000, drainMs: 60_000, deleteMs: 40_000 },
      events: {
        onWarning: (text) => process.isAlive && this.ground.note(`${process.name} warns: ${text}`),
        onCall: ({ outcome }) => process.isAlive && outcome === 'OK' && this.onAccepted?.(),
      },
      serve: ({ implementation }) => {
        if (process.isAlive) this.handlers = implementation as unknown as Record<string, Handler>;
        return Promise.resolve({ port: 1, close: () => Promise.resolve() });
      },
    }).catch((error: unknown) => {
      if (!process.isAlive) return;
      // A full disk is a reason not to start; nothing else is.
      if (this.faults.active && String(error).includes('no space left')) process.kill();
      else this.ground.violate(`${process.name} does not start: ${String(error)}`);
    });
  }

  pause(ms: number): string | undefined {
    const process = this.current;
    if (!process || process.isPaused) return undefined;
    process.pause();
    this.timeline.after(ms, () => {
      this.ground.note(`${process.name} goes on`);
      process.resume();
    });
    return `${process.name} for ${(ms / 1000).toFixed(1)} s`;
  }

  /**
   * One call of its service, undecoded both ways. Never answered if the process dies first; the connection tells that. A
   * mutation is accepted in the very turn in which it arrives, whenever its answer leaves.
   */
  call(name: string, request: unknown, metadata: Metadata, answer: (answer: Answer) => void, accepted: () => void = () => undefined): void {
    const { process, handlers } = this;
    const handler = handlers?.[name];
    if (!process?.isAlive || !handler) return answer({ metadata: undefined, error: new GrpcError(GrpcCode.UNAVAILABLE, 'connection refused') });
    const forget = process.onEnd(() => answer({ metadata: undefined, error: new GrpcError(GrpcCode.UNAVAILABLE, 'connection reset') }));
    let head: Metadata | undefined;
    process.enter(() => {
      this.onAccepted = accepted;
      handler({ request, metadata, sendMetadata: (sent: Metadata) => (head = sent) } as unknown as ServerUnaryCall<unknown, Buffer>, (error, bytes) => {
        if (!process.isAlive) return;
        if (name !== 'list' && name !== 'get' && this.faults.strikes('provider crash before reply', name)) return process.kill();
        process.leave(() => {
          forget();
          answer({ metadata: head, ...(error ? { error: new GrpcError(error.code ?? GrpcCode.UNKNOWN, error.details ?? '') } : { bytes: bytes as Buffer }) });
        });
      });
      this.onAccepted = undefined;
    });
  }

  private backend(process: Process): ProviderBackend {
    const { substrate } = this;
    const act = (deed: Deed, id: string, operationId: string, work: Pick<Work, 'begin' | 'effect'>): Promise<void> => this.act(process, deed, id, operationId, work);
    return {
      resumable: this.shape.resumable,
      describe: () => Promise.resolve([...this.machines].filter((id) => !substrate.lost.has(id)).map((id) => this.describe(id))),
      createInstance: async ({ machine, operationId }) => {
        await act('create', machine.id, operationId, { effect: () => substrate.build(machine.id) });
        const host = substrate.hosts.get(machine.id);
        if (!host) throw new Error('the host broke away');
        return { host: { provider: 'world', ref: host.ref } };
      },
      configureInstance: ({ machine, clusterId, operationId }) => act('configure', machine.id, operationId, {
        // From the first command on it belongs to the cluster, more or less.
        begin: () => Object.assign(substrate.hosts.get(machine.id) ?? {}, { cluster: clusterId, boundAt: this.timeline.now }),
        effect: () => Object.assign(substrate.hosts.get(machine.id) ?? {}, { joined: true }),
      }),
      drainInstance: ({ machine, operationId }) => act('drain', machine.id, operationId, { effect: () => this.unbind(machine.id) }),
      deleteInstance: ({ machine, operationId }) => act('delete', machine.id, operationId, { effect: () => substrate.hosts.delete(machine.id) }),
      recoverInstance: async ({ machine }) => {
        await act('recover', machine.id, `recovery of ${machine.id}`, {
          effect: () => {
            substrate.hosts.delete(machine.id);
            substrate.lost.delete(machine.id);
          },
        });
        return 'speculative';
      },
    };
  }

  private async act(process: Process, deed: Deed, id: string, operationId: string, work: Pick<Work, 'begin' | 'effect'>): Promise<void> {
    const { faults } = this;
    const never = new Promise<never>(() => undefined);
    if (!process.isAlive) return never;
    if (faults.strikes('provider crash before actuation', `${deed} ${id}`)) {
      process.kill();
      return never;
    }
    const [low, high] = DEED_MS[deed];
    const ms = faults.strikes('machine slow', `${deed} ${id}`) ? faults.between(20_000, 90_000) : faults.between(low, high);
    const fails = faults.strikes('machine fails', `${deed} ${id}`);
    const done = this.substrate.act(process, deed, id, operationId, { ...work, ms, ...(fails && { failure: 'the machine does not do it' }) });
    if (faults.strikes('provider crash after actuation', `${deed} ${id}`)) process.kill();
    return done;
  }

  private unbind(id: string): void {
    const host = this.substrate.hosts.get(id);
    if (host) Object.assign(host, { cluster: '', joined: false, pods: 0 });
  }

  private describe(id: string): Instance {
    const host = this.substrate.hosts.get(id);
    return {
      id, instanceType: 'c8', zone: this.zone, capacityType: 'OnDemand', pricePerHour: this.shape.pricePerHour, interruptionProbability: 0,
      resources: { cpu: '8', memory: '32Gi' }, labels: {}, state: host ? 'Idle' : 'Speculative',
      ...(host && { host: { provider: 'world', ref: host.ref } }),
    };
  }
}
