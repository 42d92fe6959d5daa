import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { CapacityProviderResource, LeaseResource, NamespaceResource, ShardResource } from '../../src/api/resources.ts';
import type { CapacityProvider, Lease, Shard } from '../../src/api/types.ts';
import { startEmbeddedControlPlane } from '../../src/embedded/index.ts';
import type { EmbeddedControlPlane } from '../../src/embedded/index.ts';
import { systemClock } from '../../src/lib/clock.ts';
import type { Random } from '../../src/lib/random.ts';
import type { CallEvent } from '../../src/provider/kit/events.ts';
import { serveProvider } from '../../src/provider/kit/index.ts';
import type { RunningProvider } from '../../src/provider/kit/index.ts';
import { memoryStore } from '../../src/provider/kit/state-store.ts';
import { noNodeAgent } from '../../src/provider/sim/node-agent.ts';
import { SimBackend } from '../../src/provider/sim/sim-backend.ts';
import { BigfleetProcess, lastLines } from '../bigfleet.ts';
import { freePort } from '../control-plane/free-port.ts';
import { controlCrds } from '../fleet.ts';
import { expect } from '../promise.ts';
import { RestlessOperator } from './restless-operator.ts';

const NAMESPACE = 'bigfleet-system';
const SHARD = 'shard-0';
const LEASE = { namespace: NAMESPACE, name: `bigfleet-shard-${SHARD}` };
const MACHINES = 120;
const LOOK_MS = 20;
/** On a machine that does other things as well, a process takes its time to start. */
const PATIENCE_S = 120;

/** A mutating call as the provider decided it. */
interface Call {
  readonly epoch: bigint;
  readonly machineId: string;
  readonly outcome: CallEvent['outcome'];
  /** How often the Lease had changed hands by then. */
  readonly transitions: number;
}

interface Slot {
  readonly name: string;
  readonly port: number;
  process: BigfleetProcess;
}

export interface Round {
  readonly takeoverMs: number;
  /** Calls of the paused process that reached the provider after its Lease was another's, and were refused. */
  readonly refusedLate: number;
  readonly isSuccessorIdle: boolean;
}

/** Two processes of one shard, a hub and a provider of our kit in this process, and an operator whose demand never rests. */
export class Pair {
  readonly calls: Call[] = [];
  private readonly dir: string;
  private readonly random: Random;
  private readonly leaseFlags: readonly string[];
  private readonly hub: EmbeddedControlPlane;
  private readonly provider: RunningProvider;
  private readonly operator: RestlessOperator;
  private active!: Slot;
  private standby!: Slot;

  private constructor(parts: { dir: string; random: Random; leaseFlags: readonly string[]; hub: EmbeddedControlPlane; provider: RunningProvider }) {
    ({ dir: this.dir, random: this.random, leaseFlags: this.leaseFlags, hub: this.hub, provider: this.provider } = parts);
    this.operator = new RestlessOperator(parts.random, MACHINES);
  }

  static async start(dir: string, random: Random, leaseFlags: readonly string[]): Promise<Pair> {
    mkdirSync(dir, { recursive: true });
    const hub = await startEmbeddedControlPlane({ name: 'hub', crds: controlCrds, clock: systemClock });
    const span = (fromMs: number, toMs: number) => ({ fromMs, toMs });
    const backend = new SimBackend({
      seeds: () => Array.from({ length: MACHINES }, (_, i) => ({
        id: `m-${i}`, instanceType: 'c8', zone: 'zone-a', capacityType: 'OnDemand', pricePerHour: 0.4, interruptionProbability: 0,
        resources: { cpu: '8' }, allocatable: { cpu: '8' }, labels: {}, state: 'Speculative',
      })),
      create: span(10, 80), configure: span(10, 80), drain: span(10, 80), delete: span(10, 80), recover: span(100, 100),
      failureRates: { create: 0, configure: 0, drain: 0, delete: 0 }, clock: systemClock, nodeAgent: noNodeAgent, seed: 1,
    });
    const provider = await serveProvider(backend, {
      address: '127.0.0.1:0', store: memoryStore(), clock: systemClock, reconcileIntervalMs: 0,
      events: {
        onCall: ({ token, machineId, outcome }) => void pair.calls.push({ epoch: token.epoch, machineId, outcome, transitions: pair.transitions() }),
      },
    });
    hub.store.create(NamespaceResource, { metadata: { name: NAMESPACE } });
    hub.store.create<Shard>(ShardResource, {
      metadata: { name: SHARD, namespace: NAMESPACE },
      spec: {
        cycleSeconds: 1, concurrencyPerProvider: 32, rails: { emptyRollupGuard: false, reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 50 },
        holds: { onDemandSeconds: 1, spotSeconds: 1, occupiedExcessSeconds: 0 },
      },
    });
    hub.store.create<CapacityProvider>(CapacityProviderResource, {
      metadata: { name: 'kit', namespace: NAMESPACE }, spec: { address: `127.0.0.1:${provider.port}`, shardRef: SHARD },
    });
    await hub.writeKubeconfig(join(dir, 'hub.kubeconfig'));
    // Nobody calls the provider before its processes are started below.
    const pair: Pair = new Pair({ dir, random, leaseFlags, hub, provider });
    await pair.startProcesses();
    return pair;
  }

  /** Pauses the holder at a random moment, resumes it once it is replaced, and waits until it has ended. Throws if any call of it took effect after that. */
  async round(): Promise<Round> {
    const { active, standby, random } = this;
    const old = leadingOf(active.process)!;
    const before = this.calls.length;
    await this.until('the holder acts', PATIENCE_S, () => this.calls.slice(before).filter((c) => c.outcome === 'OK' && c.epoch === old.epoch).length >= 5);
    await this.until('the other one stands by', PATIENCE_S, () => standby.process.stderr.includes('standing by'));
    await pause(random() * 600);
    const transitions = this.transitions();
    const isSuccessorIdle = random() < 0.5;
    active.process.signal('SIGSTOP');
    const stoppedAt = performance.now();
    this.operator.disconnect();
    await this.until('the standby takes over', PATIENCE_S, () => leadingOf(standby.process) !== undefined);
    const takeoverMs = performance.now() - stoppedAt;
    const successor = leadingOf(standby.process)!;
    expect(successor.epoch > old.epoch, `the successor acts under epoch ${successor.epoch}, which is not above ${old.epoch}`);
    // Half of them touch nothing, so that no fence mark of theirs could stop the old one.
    if (!isSuccessorIdle) {
      this.operator.connectTo(standby.port);
      await this.until('the successor acts', PATIENCE_S, () => this.calls.some((c) => c.epoch === successor.epoch && c.outcome === 'OK'));
    }
    await pause(random() * 300);
    active.process.signal('SIGCONT');
    const ended = await Promise.race([active.process.ended, pause(PATIENCE_S * 1_000).then(() => undefined)]);
    expect(ended !== undefined, `${active.name} was replaced and has not ended though it went on:\n${lastLines(active.process.stderr)}`);
    expect(ended?.code === 1, `${active.name} was replaced and ended with ${String(ended?.code)}:\n${lastLines(active.process.stderr)}`);
    const late = this.calls.slice(before).filter((c) => c.transitions > transitions && c.epoch <= old.epoch);
    const obeyed = late.filter((c) => c.outcome === 'OK');
    expect(obeyed.length === 0, `${obeyed.length} calls of a process that was replaced took effect, the first on ${String(obeyed[0]?.machineId)}`);
    active.process = this.spawn(active.name, active.port);
    [this.active, this.standby] = [standby, active];
    this.operator.connectTo(standby.port);
    return { takeoverMs, refusedLate: late.length, isSuccessorIdle };
  }

  async stop(): Promise<void> {
    this.operator.stop();
    for (const slot of [this.active, this.standby]) {
      slot?.process.signal('SIGCONT');
      slot?.process.signal('SIGKILL');
    }
    await this.provider.close();
    await this.hub.close();
  }

  private async startProcesses(): Promise<void> {
    const [a, b] = [await freePort(), await freePort()];
    this.active = { name: 'a', port: a, process: this.spawn('a', a) };
    this.standby = { name: 'b', port: b, process: this.spawn('b', b) };
    await this.until('one of the two leads', PATIENCE_S, () => leadingOf(this.active.process) !== undefined || leadingOf(this.standby.process) !== undefined);
    if (leadingOf(this.active.process) === undefined) [this.active, this.standby] = [this.standby, this.active];
    this.operator.connectTo(this.active.port);
  }

  private spawn(name: string, port: number): BigfleetProcess {
    return new BigfleetProcess([
      'shard', '--id', SHARD, '--listen', `127.0.0.1:${port}`, '--metrics-addr', '0', '--kubeconfig', join(this.dir, 'hub.kubeconfig'),
      '--data-dir', join(this.dir, name), '--poll', '50ms', '--min-cycle', '10ms', '--reclaim-grace', '0', '--api-backoff', '500ms', ...this.leaseFlags,
    ]);
  }

  private transitions(): number {
    return this.hub.store.get<Lease>(LeaseResource, LEASE)?.spec?.leaseTransitions ?? 0;
  }

  private async until(what: string, seconds: number, holds: () => boolean): Promise<void> {
    for (const end = performance.now() + seconds * 1_000; !holds(); await pause(LOOK_MS)) {
      expect(performance.now() < end, `not within ${seconds} s: ${what}; last words of ${this.active.name}:\n${lastLines(this.active.process.stderr, 5)}\nof ${this.standby.name}:\n${lastLines(this.standby.process.stderr, 5)}`);
    }
  }
}

/** Under which epoch the process leads, if it does. */
function leadingOf({ stderr }: BigfleetProcess): { epoch: bigint } | undefined {
  const line = stderr.split('\n').find((text) => text.includes('"msg":"leading"'));
  return line === undefined ? undefined : { epoch: BigInt((JSON.parse(line) as { epoch: string }).epoch) };
}

function pause(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}
