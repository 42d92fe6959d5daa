import { Semaphore } from '../../lib/semaphore.ts';
import { inTurns } from '../../lib/turns.ts';
import { MachineReconciler } from '../../reconcilers/machine/reconciler.ts';
import type { MachineReconcilerDeps } from '../../reconcilers/machine/reconciler.ts';
import { createController, createWorkQueue } from '../../runtime/index.ts';
import type { Controller } from '../../runtime/controller.ts';
import type { RuntimeMetrics } from '../../runtime/metrics.ts';
import type { BindRefusals } from '../bind-refusals.ts';
import type { ShardMetrics } from '../metrics.ts';
import type { ProviderRoom } from './room.ts';

/** Far more than may call at a time: who waits for a turn at the provider must not keep others from asking for theirs. */
const MACHINE_WORKERS = 32_768;
/** Each part of a step has its own deadline; waiting for a turn may take longer than all of them. */
const MACHINE_DEADLINE_MS = 86_400_000;
/** So many machines of one cluster are made ready for it at a time: asked for, or waiting with a bootstrap blob that ages. */
const PREPARED_PER_CLUSTER = 32;

/** What of the shard the steps of machines need, whoever's they are. */
export interface ActuationOptions extends Pick<
  MachineReconcilerDeps,
  'inventory' | 'clock' | 'random' | 'inactive' | 'isLeaseProven' | 'pass' | 'goesOut' | 'isConnected' | 'hasReported' | 'requestBlob' | 'sendReclaim' | 'requirementsOf' | 'written'
> {
  readonly metrics: ShardMetrics;
  readonly runtimeMetrics: RuntimeMetrics;
  readonly refusals: BindRefusals;
}

/** What acts on the machines of one provider. */
export interface Actuation {
  readonly controller: Controller;
  /** What may be begun has changed, and so what is to be told of the machine, whoever acts on it. */
  remark(machineId: string): void;
}

/**
 * Carries out what is decided about the machines of one provider, with workers and a queue that no other provider's machines
 * can fill. `label`: of its queue and workers in the measures.
 */
export function createActuation(room: ProviderRoom, { metrics, runtimeMetrics, refusals, ...shard }: ActuationOptions, label: string): Actuation {
  const { clock } = shard;
  const { setbacks, log } = room;
  const preparations = new Map<string, Semaphore>();
  const queue = createWorkQueue({ clock, metrics: runtimeMetrics.queue(label), backoff: { minMs: 100, maxMs: 30_000 }, retryQps: 100, retryBurst: 1000 });
  const reconciler: MachineReconciler = new MachineReconciler({
    ...shard,
    log,
    provider: room.provider,
    gate: room.gate,
    inactive: () => shard.inactive() || (room.fenced && `its provider has seen a newer epoch than that of this shard (${room.fenced})`),
    deadlineMs: (kind) => room.deadlineMs(kind),
    inCluster: (cluster, run) => {
      const lane = preparations.get(cluster) ?? new Semaphore(() => PREPARED_PER_CLUSTER);
      preparations.set(cluster, lane);
      return lane.run(run);
    },
    machineRests: setbacks.machines,
    clusterRests: setbacks.clusterRests,
    onFenced: (machineId, message) => {
      room.fenced = `machine ${machineId}: ${message}`;
      room.notBegun(machineId); // one of several that were under way: the others were withdrawn when the first was refused
      log.error({ machine: machineId, error: message }, 'fenced: a provider has seen a newer epoch than ours; this shard acts there no more');
      void inTurns(shard.inventory.withIntent(), ({ seen, provider }) => {
        if (provider === room.name) reconciler.remark(seen.id);
      });
    },
    onBindRefused: (machine, operation, refusal) => {
      const restMs = operation === 'Create' ? setbacks.offers.refused(machine.seen, refusal.kind, refusal.words) : 0;
      refusals.refused(machine, refusal, restMs);
    },
    onAnswered: (kind) => room.answered(kind),
    onUnanswered: (machine, kind, words) => {
      const restMs = room.unanswered(machine.seen.id, kind, words);
      if (restMs > 0 && machine.intent?.kind === 'bind') refusals.refused(machine, { code: 'Unanswered', words }, restMs);
    },
    onFailureClass: (kind, failure) => metrics.providerFailures.inc({ provider: room.name, kind, class: failure }),
    onDrainGivenUp: (code) => metrics.drainsGivenUp.inc({ code }),
    onOutcome: (kind, outcome) => metrics.outcomes.inc({ kind, outcome }),
  });
  return {
    controller: createController({ clock, log, workers: MACHINE_WORKERS, deadlineMs: MACHINE_DEADLINE_MS, queue, metrics: runtimeMetrics.controller(label, MACHINE_WORKERS), reconciler }),
    remark: (machineId) => reconciler.remark(machineId),
  };
}
