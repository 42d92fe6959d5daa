import { onTestFinished } from 'vitest';
import type { MachineState } from '../../../engine/types.ts';
import { VirtualClock } from '../../../lib/virtual-clock.ts';
import { ProviderError } from '../../../provider/client.ts';
import { createController } from '../../../runtime/controller.ts';
import { createWorkQueue } from '../../../runtime/queue/work-queue.ts';
import { silentLog } from '../../../runtime/types.ts';
import { Inventory, isWork } from '../../../shard/inventory.ts';
import type { CallKind, MachineIntent } from '../../../shard/record.ts';
import { ProviderGate } from '../../../shard/provider/gate.ts';
import { Setbacks } from '../../../shard/setbacks.ts';
import { FakeProvider } from '../../../shard/testing/fake-provider.ts';
import { seen, toEast } from '../../../shard/testing/machines.ts';
import { MachineReconciler } from '../reconciler.ts';
import type { Blob } from '../reconciler.ts';

export const bind: Extract<MachineIntent, { readonly kind: 'bind' }> = { kind: 'bind', to: toEast, requirements: [], reason: 'wanted', decidedAt: 1, configureSent: false };
export const unbind: Extract<MachineIntent, { readonly kind: 'unbind' }> = { kind: 'unbind', reason: 'excess', graceSeconds: 5, preemptorPriority: 7, decidedAt: 1 };
export const release: Extract<MachineIntent, { readonly kind: 'release' }> = { kind: 'release', reason: 'idle', decidedAt: 1 };
export const BLOB = new Uint8Array([1, 2, 3]);

/** A reconciler under a real controller, wired as the shard wires it, with everything around it in the test's hands. */
export function setUp(options: { concurrency?: number } = {}) {
  const clock = new VirtualClock();
  const inventory = new Inventory(clock);
  const provider = new FakeProvider();
  const world = {
    deadlineMs: (_kind: CallKind): number => 30_000,
    active: true, leaseProven: true, connected: true, reported: true,
    log: [] as string[],
    outcomes: [] as string[],
    fenced: [] as string[],
    refused: [] as string[],
    givenUp: [] as string[],
    failures: [] as string[],
    /** In the middle: no jitter. */
    random: 0.5,
    blob: (_signal: AbortSignal): Promise<Blob> => Promise.resolve({ userData: BLOB, expiresAt: undefined }),
    written: (_id: string, _signal: AbortSignal): Promise<void> => Promise.resolve(),
    pass: (_signal: AbortSignal): Promise<{ notAfterMonotonicMs: number }> => Promise.resolve({ notAfterMonotonicMs: 77 }),
    /** Limits of calls that went out and were not answered. */
    out: [] as number[],
  };
  const random = (): number => world.random;
  const gate = new ProviderGate({ clock, random, limit: () => options.concurrency ?? 16 });
  const setbacks = new Setbacks({ clock, random, inventory, log: silentLog });
  inventory.onChange((change) => setbacks.observe(change));
  const reconciler = new MachineReconciler({
    inventory, provider, clock, random: () => world.random, log: silentLog,
    inactive: () => (world.active ? (world.fenced.length > 0 ? 'fenced' : '') : 'the shard is in mode Paused'),
    isLeaseProven: () => world.leaseProven,
    pass: (signal) => world.pass(signal),
    goesOut: ({ notAfterMonotonicMs }) => {
      world.out.push(notAfterMonotonicMs);
      return () => world.out.splice(world.out.indexOf(notAfterMonotonicMs), 1);
    },
    isConnected: () => world.connected,
    hasReported: () => world.reported,
    requestBlob: (cluster, requirements, signal) => {
      world.log.push(`blob ${cluster} ${JSON.stringify(requirements.map((r) => r.key))}`);
      return world.blob(signal);
    },
    sendReclaim: (machine, intent) => {
      world.log.push(`reclaim ${machine.seen.id} ${intent.graceSeconds}s ${intent.preemptorPriority}`);
      return world.connected;
    },
    requirementsOf: () => [{ key: 'zone', operator: 'Exists', values: [] }],
    written: (id, signal) => world.written(id, signal),
    deadlineMs: (kind) => world.deadlineMs(kind),
    gate,
    inCluster: (_cluster, run) => run(),
    machineRests: setbacks.machines,
    clusterRests: setbacks.clusterRests,
    onFenced: (id) => world.fenced.push(id),
    onFailureClass: (kind, failure) => world.failures.push(`${kind} ${failure}`),
    onBindRefused: ({ intent, seen: machine }, operation, { words, kind }) => {
      if (operation === 'Create') setbacks.offers.refused(machine, kind, words);
      world.refused.push(intent?.kind === 'bind' ? `${intent.to.cluster} ${intent.to.fingerprint} ${words}` : words);
    },
    onAnswered: (kind) => { gate.heard(kind); },
    onUnanswered: (_machine, kind, words) => { gate.unanswered(kind, words); },
    onDrainGivenUp: (code) => world.givenUp.push(code),
    onOutcome: (kind, outcome) => world.outcomes.push(`${kind} ${outcome}`),
  });
  const controller = createController({
    clock, log: silentLog, workers: 8, queue: createWorkQueue({ clock, backoff: { minMs: 100, maxMs: 30_000 }, retryQps: 100, retryBurst: 100 }), reconciler,
  });
  const wake = (id: string): void => controller.enqueue(id);
  inventory.onChange((change) => {
    if (isWork(change)) wake(change.id);
  });
  const stop = new AbortController();
  const running = controller.run(stop.signal);
  onTestFinished(async () => {
    stop.abort();
    // A call that a test left hanging is given up after the grace.
    await clock.advance(60_000);
    await running;
  });

  /** The provider lists the machine. */
  const observe = (): void => {
    for (const machine of provider.machines.values()) inventory.observe(machine, inventory.mark());
  };
  const have = (id: string, state: MachineState, intent?: MachineIntent): void => {
    provider.set(seen(id, state));
    inventory.observe(provider.machines.get(id)!, inventory.mark());
    if (intent) inventory.setIntent(id, intent);
  };
  const moves = async (id: string, state: MachineState): Promise<void> => {
    provider.move(id, state);
    observe();
    await clock.advance(0);
  };
  const settle = (): Promise<void> => clock.advance(0);
  return { clock, inventory, provider, reconciler, world, gate, setbacks, wake, have, moves, settle };
}

export type Setup = ReturnType<typeof setUp>;

export const unavailable = (): ProviderError => new ProviderError('Unavailable', 'connection lost');
export const rejected = (): ProviderError => new ProviderError('Rejected', 'quota');
