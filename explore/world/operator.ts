import { EventEmitter } from 'node:events';
import { NodeSelectorRequirement_Operator, PenaltyBucket, type CapacityNeed } from '../../src/api/gen/bigfleet/v1alpha1/capacity.ts';
import { MachineState } from '../../src/api/gen/bigfleet/v1alpha1/provider.ts';
import type { OperatorMessage, ShardMessage } from '../../src/api/gen/bigfleet/v1alpha1/shard.ts';
import type { SessionStream } from '../../src/session/server/session.ts';
import type { Faults } from '../faults/faults.ts';
import type { Ground } from './ground.ts';
import type { Serving } from './shard-host.ts';
import type { Host, Substrate } from './substrate.ts';
import type { Timeline } from './timeline.ts';

type Say = NonNullable<OperatorMessage['payload']>;

const TICK_MS = 1_000;
const ROLLUP_MS = 5_000;
/** Without an answer for so long the connection counts as dead. */
const SILENCE_MS = 12_000;

/** The shard's end of a session over a simulated connection. */
class Stream extends EventEmitter {
  private readonly toOperator: (frame: ShardMessage) => void;
  private readonly onEnded: () => void;

  constructor(toOperator: (frame: ShardMessage) => void, onEnded: () => void) {
    super();
    this.toOperator = toOperator;
    this.onEnded = onEnded;
  }

  write(frame: ShardMessage): boolean {
    this.toOperator(frame);
    return true;
  }

  end(): void {
    this.onEnded();
  }

  override emit(name: string, ...args: unknown[]): boolean {
    const isHeard = super.emit(name, ...args);
    if (name === 'error') this.onEnded();
    return isHeard;
  }
}

/** A cluster with its operator: Pods of one size, one to a machine, and what an honest operator says and does about them. */
export class Cluster {
  readonly name: string;
  readonly priority: number;
  /** So many Pods are wanted. */
  demand = 0;
  /** Only there; '' = anywhere. */
  zone = '';
  private readonly timeline: Timeline;
  private readonly faults: Faults;
  private readonly ground: Ground;
  private readonly substrate: Substrate;
  private readonly serving: readonly Serving[];
  private readonly cordoned = new Set<string>();
  private session: { readonly with: Serving; readonly stream: Stream; isOpen: boolean } | undefined;
  private heardAt = 0;
  private toldAt = -Infinity;
  private told = -1;
  private epoch = 0n;
  private clock = 0n;
  private awayUntil = 0;
  /** When it knows its Pods well enough to speak of them. */
  private reportsFrom = 0;

  constructor(name: string, priority: number, parts: { timeline: Timeline; faults: Faults; ground: Ground; substrate: Substrate; serving: readonly Serving[] }) {
    this.name = name;
    this.priority = priority;
    this.timeline = parts.timeline;
    this.faults = parts.faults;
    this.ground = parts.ground;
    this.substrate = parts.substrate;
    this.serving = parts.serving;
  }

  /** Whom it may not give Pods, of the machines that it has. */
  get closed(): readonly string[] {
    return [...this.hosts()].filter(([id]) => this.cordoned.has(id)).map(([id]) => id);
  }

  /** Machines that really take its Pods. */
  get serves(): number {
    return [...this.hosts()].filter(([id, host]) => host.joined && !this.cordoned.has(id)).length;
  }

  /** Machines that are its own, whether they serve or not. */
  get machines(): number {
    return [...this.hosts()].length;
  }

  start(): void {
    this.tick();
  }

  /** Loses its connection, and comes back after a while. */
  disconnect(awayMs: number): void {
    this.awayUntil = this.timeline.now + awayMs;
    this.hangUp();
  }

  private *hosts(): Iterable<readonly [string, Host]> {
    for (const [id, host] of this.substrate.hosts) if (host.cluster === this.name) yield [id, host];
  }

  private tick(): void {
    this.schedule();
    if (this.session && this.timeline.now - this.heardAt > SILENCE_MS) this.hangUp();
    if (!this.session && this.timeline.now >= this.awayUntil) this.dial();
    if (this.session && this.timeline.now >= this.reportsFrom && (this.told !== this.demand || this.timeline.now - this.toldAt >= ROLLUP_MS)) this.rollup();
    this.timeline.after(TICK_MS, () => this.tick());
  }

  /** What the cluster's own scheduler and controllers do. */
  private schedule(): void {
    for (const id of this.cordoned) if (this.substrate.hosts.get(id)?.cluster !== this.name) this.cordoned.delete(id);
    let running = 0;
    for (const [, host] of this.hosts()) {
      if (running + host.pods > this.demand) host.pods = 0;
      running += host.pods;
    }
    for (const [id, host] of this.hosts()) {
      if (running >= this.demand) break;
      if (!host.joined || host.pods > 0 || this.cordoned.has(id)) continue;
      host.pods = 1;
      running++;
    }
  }

  private dial(): void {
    // A Service leads to any process that is ready; after a change of leaders for a while also to the old one.
    const found = this.serving.length > 1 && this.faults.chance(0.3) ? this.serving[0] : this.serving.at(-1);
    if (!found) return;
    const stream = new Stream(
      (frame) => found.process.leave(() => {
        if (frame.payload?.$case === 'ack' && frame.payload.value.echo === 'rollup') this.ground.heard(found.process.name, this.name);
        this.timeline.after(3, () => session.isOpen && this.receive(frame));
      }),
      () => found.process.leave(() => void this.timeline.after(3, () => this.ended(session))),
    );
    const session = { with: found, stream, isOpen: true };
    this.session = session;
    this.heardAt = this.timeline.now;
    this.told = -1;
    const isSlow = this.faults.strikes('operator slow to report', this.name);
    this.reportsFrom = this.timeline.now + (isSlow ? this.faults.between(1_000, 10_000) : 0);
    found.process.onEnd(() => this.timeline.after(3, () => this.ended(session)));
    found.process.enter(() => found.hub.accept(stream as unknown as SessionStream));
    this.say({ $case: 'hello', value: { clusterId: this.name, protocolVersion: 'v1alpha1', additions: true } });
  }

  private hangUp(): void {
    const { session } = this;
    if (!session) return;
    session.isOpen = false;
    this.session = undefined;
    this.timeline.after(3, () => session.with.process.enter(() => void session.stream.emit('cancelled')));
  }

  private ended(session: NonNullable<Cluster['session']>): void {
    session.isOpen = false;
    if (this.session === session) this.session = undefined;
  }

  private say(payload: Say): void {
    const { session } = this;
    if (!session) return;
    this.timeline.after(3, () => session.isOpen && session.with.process.enter(() => void session.stream.emit('data', { payload })));
  }

  private rollup(): void {
    this.toldAt = this.timeline.now;
    this.told = this.demand;
    const items = [...this.hosts()].filter(([, host]) => host.joined).map(([machineId, host]) => ({ machineId, nodeName: '', ready: true, pods: host.pods, disruptionCost: host.pods, doNotDisrupt: false, heldBy: '' }));
    const row: CapacityNeed = {
      requirements: this.zone === '' ? [] : [{ key: 'topology.kubernetes.io/zone', operator: NodeSelectorRequirement_Operator.OPERATOR_IN, values: [this.zone] }], aggregateResources: new Map([['cpu', String(8 * this.demand)]]), minUnit: new Map([['cpu', '8']]), priority: this.priority,
      spread: [], interruptionPenaltyBucket: PenaltyBucket.PENALTY_BUCKET_ZERO, reclamationPenaltyBucket: PenaltyBucket.PENALTY_BUCKET_ZERO, group: '',
    };
    this.say({ $case: 'rollup', value: { clusterId: this.name, timestampUnixNanos: ++this.clock, needs: this.demand > 0 ? [row] : [], nodeHints: { items } } });
  }

  private receive({ payload }: ShardMessage): void {
    this.heardAt = this.timeline.now;
    switch (payload?.$case) {
      case 'ack':
        if (payload.value.shardEpoch < this.epoch) return this.hangUp(); // a process that was succeeded
        this.epoch = payload.value.shardEpoch;
        return;
      case 'bootstrapRequest':
        return this.answer(payload.value.requestId);
      case 'reclaimInstruction': {
        const { instructionId, machineIds } = payload.value;
        for (const id of machineIds) this.empty(id);
        return this.say({ $case: 'reclaimAck', value: { instructionId, nodesStarted: machineIds.length } });
      }
      case 'nodeStateUpdate': {
        const { machineId, state } = payload.value;
        if (state === MachineState.MACHINE_STATE_CONFIGURED) this.cordoned.delete(machineId);
        if (state === MachineState.MACHINE_STATE_DELETING) this.ground.toldGone(machineId, this.name);
        return;
      }
      default:
        return;
    }
  }

  private answer(requestId: string): void {
    const late = this.faults.strikes('operator is late with a blob', this.name) ? this.faults.between(10_000, 50_000) : this.faults.between(5, 500);
    const error = this.faults.strikes('operator refuses a blob', this.name) ? 'no credentials' : '';
    this.timeline.after(late, () => this.say({ $case: 'bootstrapResponse', value: { requestId, userData: error === '' ? Buffer.from(`join ${this.name}`) : new Uint8Array(), ttlSeconds: 0n, error } }));
  }

  private empty(id: string): void {
    if (this.substrate.hosts.get(id)?.cluster !== this.name) return;
    this.cordoned.add(id);
    this.timeline.after(this.faults.between(200, 1_500), () => {
      const host = this.substrate.hosts.get(id);
      if (host?.cluster === this.name && this.cordoned.has(id)) host.pods = 0;
    });
  }
}
