import { conditionMaker } from '../api/conditions.ts';
import { MACHINE_FINALIZER, MACHINE_LABELS } from '../api/constants.ts';
import { labelValue, machineObjectName } from '../api/names.ts';
import { formatResources, parseResources } from '../api/resource-vector.ts';
import { encodeShardMetadata } from '../api/shard-metadata.ts';
import type { Condition, Machine } from '../api/types.ts';
import type { CapacityType, ResourceVector } from '../engine/types.ts';
import { timestamp } from '../lib/timestamp.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import { codeOf, tellMachine } from './machine-telling.ts';
import type { MachineRecord, MachineIntent } from './record.ts';

export interface MachineIdentity {
  readonly namespace: string;
  readonly shard: string;
}

/** The part of a Machine object that the shard owns: what was decided and what the provider said, as of a generation. Pure. */
export function desiredMachine(record: MachineRecord, identity: MachineIdentity, generation = 0): Machine {
  const { seen, provider } = record;
  return {
    apiVersion: 'control.bigfleet.lucy.sh/v1alpha1',
    kind: 'Machine',
    metadata: {
      name: machineObjectName(seen.id),
      namespace: identity.namespace,
      labels: {
        [MACHINE_LABELS.shard]: labelValue(identity.shard),
        [MACHINE_LABELS.provider]: labelValue(provider),
        [MACHINE_LABELS.state]: seen.state,
        [MACHINE_LABELS.cluster]: labelValue(seen.cluster),
        [MACHINE_LABELS.instanceType]: labelValue(seen.instanceType),
        [MACHINE_LABELS.zone]: labelValue(seen.zone),
        [MACHINE_LABELS.capacityType]: seen.capacityType,
      },
      finalizers: [MACHINE_FINALIZER],
    },
    spec: { machineId: seen.id, providerRef: provider, shardRef: identity.shard, ...intentFields(record) },
    status: statusOf(record, generation),
  };
}

/** The three parts of spec that carry decisions; null = removed, so that a merge patch clears what is over. */
export function specPatch(record: MachineRecord): object {
  const fields = intentFields(record);
  return { binding: null, unbind: null, release: null, ...fields };
}

/**
 * What a Machine object says was decided, for a shard that has just started (D34). Only bindings are taken over: whether
 * a machine is still to be taken away or released, the next plan finds out anew, and an object that nobody could update
 * for a while must not drain anything.
 */
export function bindingFromObject(machine: Machine): Extract<MachineIntent, { kind: 'bind' }> | undefined {
  const { binding, unbind, release } = machine.spec;
  if (!binding || unbind || release) return undefined;
  return {
    kind: 'bind',
    to: {
      cluster: binding.clusterId,
      fingerprint: binding.needFingerprint ?? '',
      group: binding.group ?? '',
      priority: binding.priority ?? 0,
      interruptionBucket: binding.interruptionPenaltyBucket ?? 0,
      reclamationBucket: binding.reclamationPenaltyBucket ?? 0,
    },
    requirements: [],
    reason: binding.reason ?? '',
    decidedAt: time(binding.decidedAt),
    configureSent: false,
  };
}

/**
 * The machine as its object last described it, for a shard that has just started; undefined where the object describes none:
 * it was made by hand, or the machine is a mere offer. What the provider says of it takes its place.
 */
export function machineFromObject({ spec, status }: Machine): ProviderMachine | undefined {
  const state = status?.phase;
  if (!status || !state || state === 'Speculative') return undefined;
  const { binding } = spec;
  return {
    id: spec.machineId,
    state,
    ...(status.host && { host: { provider: status.host.provider ?? '', ref: status.host.ref ?? '' } }),
    instanceType: status.instanceType ?? '',
    zone: status.zone ?? '',
    capacityType: (status.capacityType ?? 'OnDemand') as CapacityType,
    priceMicroUsdPerHour: status.priceMicroUsdPerHour ?? 0,
    interruptionProbability: status.interruptionProbability ?? 0,
    allocatable: capacityOf(status.resources ?? {}),
    labels: status.labels ?? {},
    lastError: status.conditions?.find((c) => c.type === 'Ready')?.message ?? '',
    cluster: status.clusterId ?? '',
    shardMetadata: binding
      ? encodeShardMetadata({
          priority: binding.priority ?? 0, interruptionBucket: binding.interruptionPenaltyBucket ?? 0, reclamationBucket: binding.reclamationPenaltyBucket ?? 0,
          needFingerprint: binding.needFingerprint ?? '', group: binding.group ?? '',
        })
      : new Map<string, string>(),
  };
}

/** Only a person could have written what cannot be read. */
function capacityOf(resources: Readonly<Record<string, string | number>>): ResourceVector {
  try {
    return parseResources(Object.entries(resources).map(([name, quantity]) => [name, String(quantity)] as const), 'down');
  } catch {
    return [];
  }
}

function intentFields(record: MachineRecord): Pick<Machine['spec'], 'binding' | 'unbind' | 'release'> {
  const { intent, assigned } = record;
  if (intent?.kind === 'unbind') {
    return {
      unbind: {
        reason: intent.reason,
        graceSeconds: intent.graceSeconds,
        ...(intent.preemptorPriority !== 0 && { preemptorPriority: intent.preemptorPriority }),
        decidedAt: timestamp(intent.decidedAt),
      },
    };
  }
  if (intent?.kind === 'release') return { release: { reason: intent.reason } };
  const to = intent?.kind === 'bind' ? intent.to : assigned;
  if (!to) return {};
  return {
    binding: {
      clusterId: to.cluster,
      needFingerprint: to.fingerprint,
      group: to.group,
      priority: to.priority,
      interruptionPenaltyBucket: to.interruptionBucket,
      reclamationPenaltyBucket: to.reclamationBucket,
      ...(intent?.kind === 'bind' && { reason: intent.reason, decidedAt: timestamp(intent.decidedAt) }),
    },
  };
}

function statusOf(record: MachineRecord, generation: number): NonNullable<Machine['status']> {
  const { seen, operation, why } = record;
  return {
    observedGeneration: generation,
    phase: seen.state,
    clusterId: seen.cluster,
    ...(seen.host && { host: { provider: seen.host.provider, ref: seen.host.ref } }),
    instanceType: seen.instanceType,
    zone: seen.zone,
    capacityType: seen.capacityType,
    priceMicroUsdPerHour: seen.priceMicroUsdPerHour,
    dollarsPerHour: (seen.priceMicroUsdPerHour / 1_000_000).toFixed(2),
    interruptionProbability: seen.interruptionProbability,
    resources: Object.fromEntries(formatResources(seen.allocatable)),
    ...(Object.keys(seen.labels).length > 0 && { labels: seen.labels }),
    ...(why && { reason: codeOf(why, record), message: tellMachine(record) }),
    ...(operation && {
      operation: {
        kind: operation.kind,
        operationId: operation.operationId,
        ...(operation.sequence !== undefined && { sequence: operation.sequence }),
        startedAt: timestamp(operation.startedAt),
        attempts: operation.attempts,
        lastError: operation.lastError,
        ...nextAttempt(record),
      },
    }),
    since: timestamp(record.since),
    conditions: conditionsOf(record, generation),
  };
}

/** When the same is tried again, if something rests before that. */
function nextAttempt({ intent, operation, coolUntil, busy }: MachineRecord): { nextAttemptAt?: string } {
  if (!intent || busy) return {};
  const at = Math.max(operation?.retryAt ?? 0, coolUntil, (intent.kind === 'bind' && intent.rest?.until) || 0);
  return at > 0 ? { nextAttemptAt: timestamp(at) } : {};
}

function conditionsOf(record: MachineRecord, generation: number): Condition[] {
  const { seen, intent } = record;
  const condition = conditionMaker([], generation, record.since);
  const progressing = intent !== undefined || !['Speculative', 'Idle', 'Configured', 'Failed'].includes(seen.state);
  return [
    condition('Ready', seen.state === 'Configured' || (seen.state === 'Idle' && !intent), seen.state, seen.lastError),
    condition('Progressing', progressing, intent ? `Wants${intent.kind[0]!.toUpperCase()}${intent.kind.slice(1)}` : seen.state, record.standstill ?? record.obstacle),
    condition('Stuck', record.stuck, record.stuck ? 'DeadlineExceeded' : 'InTime', record.operation?.lastError ?? ''),
    condition('Stalled', record.stuck || seen.state === 'Failed', seen.state === 'Failed' ? 'Failed' : record.stuck ? 'DeadlineExceeded' : 'Progressing', seen.lastError),
    disrupting(record, condition),
  ];
}

/** Whether it is being taken from its cluster; else whether its provider refused that, in its own words. */
function disrupting({ seen, intent, drainRefusal }: MachineRecord, condition: ReturnType<typeof conditionMaker>): Condition {
  if (intent?.kind === 'unbind' || seen.state === 'Draining') return condition('Disrupting', true, seen.state, intent?.kind === 'unbind' ? intent.reason : '');
  if (!drainRefusal || drainRefusal.until === 0) return condition('Disrupting', false, seen.state, '');
  return condition('Disrupting', false, 'DrainRefused', `It serves on: its provider refused (${drainRefusal.words}). Not tried again before ${timestamp(drainRefusal.until)}.`);
}

function time(text: string | undefined): number {
  const ms = text === undefined ? NaN : Date.parse(text);
  return Number.isNaN(ms) ? 0 : ms;
}
