import { describe, expect, it } from 'vitest';
import { MACHINE_FINALIZER, MACHINE_LABELS } from '../api/constants.ts';
import { kstatusOf } from '../api/testing/kstatus.ts';
import type { Machine } from '../api/types.ts';
import { bindingFromObject, desiredMachine, specPatch } from './machine-object.ts';
import type { MachineIntent, MachineRecord } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

const AT = Date.UTC(2026, 0, 2, 3, 4, 5, 678);
const identity = { namespace: 'fleet', shard: 'shard-0' };
const bind: MachineIntent = { kind: 'bind', to: { ...toEast, group: 'g' }, requirements: [], reason: 'wanted', decidedAt: AT, configureSent: false };
const unbind: MachineIntent = { kind: 'unbind', reason: 'excess', graceSeconds: 5, preemptorPriority: 7, decidedAt: AT };
const release: MachineIntent = { kind: 'release', reason: 'idle', decidedAt: AT };

function record(fields: Partial<MachineRecord> = {}): MachineRecord {
  return {
    seen: seen('m', 'Idle'), isListed: true, provider: 'metal', assigned: undefined, intent: undefined, hold: false, since: AT, operation: undefined,
    busy: false, recheck: false, stuck: false, coolUntil: 0, obstacle: '', missedLists: 0, why: undefined, ...fields,
  };
}

const conditions = (machine: Machine): Record<string, string> => Object.fromEntries((machine.status?.conditions ?? []).map((c) => [c.type, c.status]));

describe('the object of a machine', () => {
  it('names and labels what it is', () => {
    const { metadata, spec, status } = desiredMachine(record({ seen: seen('Rack 7/#3', 'Configured', { zone: 'Zone A' }) }), identity);
    expect(metadata.name).toMatch(/^rack-7-3-[0-9a-f]{8}$/);
    expect(metadata).toMatchObject({ namespace: 'fleet', finalizers: [MACHINE_FINALIZER] });
    expect(metadata.labels).toMatchObject({
      [MACHINE_LABELS.shard]: 'shard-0', [MACHINE_LABELS.provider]: 'metal', [MACHINE_LABELS.state]: 'Configured', [MACHINE_LABELS.cluster]: 'east',
      [MACHINE_LABELS.instanceType]: 'c8', [MACHINE_LABELS.capacityType]: 'OnDemand',
    });
    expect(metadata.labels?.[MACHINE_LABELS.zone]).toMatch(/^Zone-A-[0-9a-f]{8}$/);
    expect(spec).toEqual({ machineId: 'Rack 7/#3', providerRef: 'metal', shardRef: 'shard-0' });
    expect(status).toMatchObject({
      phase: 'Configured', clusterId: 'east', host: { provider: 'test', ref: 'host-Rack 7/#3' }, zone: 'Zone A', priceMicroUsdPerHour: 400_000, dollarsPerHour: '0.40',
      resources: { cpu: '8', memory: '32Gi' }, since: '2026-01-02T03:04:05Z',
    });
  });

  it.each<[string, Partial<MachineRecord>, object]>([
    ['a binding', { intent: bind }, { binding: {
      clusterId: 'east', needFingerprint: 'fp-1', group: 'g', priority: 100, interruptionPenaltyBucket: 1, reclamationPenaltyBucket: 2, reason: 'wanted', decidedAt: '2026-01-02T03:04:05Z',
    } }],
    ['an owner', { seen: seen('m', 'Configured'), assigned: toEast }, { binding: { clusterId: 'east', needFingerprint: 'fp-1', group: '', priority: 100, interruptionPenaltyBucket: 1, reclamationPenaltyBucket: 2 } }],
    ['a drain, which is no binding any more', { seen: seen('m', 'Configured'), assigned: toEast, intent: unbind }, { unbind: { reason: 'excess', graceSeconds: 5, preemptorPriority: 7, decidedAt: '2026-01-02T03:04:05Z' } }],
    ['a drain for nobody\'s sake', { seen: seen('m', 'Configured'), intent: { ...unbind, preemptorPriority: 0 } }, { unbind: { reason: 'excess', graceSeconds: 5, decidedAt: '2026-01-02T03:04:05Z' } }],
    ['a release', { intent: release }, { release: { reason: 'idle' } }],
    ['nothing', {}, {}],
  ])('says what was decided: %s', (_name, fields, expected) => {
    const { binding, unbind: leaving, release: gone } = desiredMachine(record(fields), identity).spec;
    expect({ ...(binding && { binding }), ...(leaving && { unbind: leaving }), ...(gone && { release: gone }) }).toEqual(expected);
    // The patch also clears what is over.
    expect(specPatch(record(fields))).toEqual({ binding: null, unbind: null, release: null, ...expected });
  });

  it('tells why, and what is under way', () => {
    const { status } = desiredMachine(record({
      why: { code: 'Available' }, operation: { kind: 'Create', operationId: 'op-1', sequence: 1_767_323_045_000_001, startedAt: AT, attempts: 2, lastError: 'create: quota' },
    }), identity);
    expect(status).toMatchObject({ reason: 'Available', message: 'Free for any demand.', operation: { kind: 'Create', operationId: 'op-1', sequence: 1_767_323_045_000_001, startedAt: '2026-01-02T03:04:05Z', attempts: 2, lastError: 'create: quota' } });
  });

  it('tells when the same is tried again, and nothing of it where nothing is to be tried or a call is under way', () => {
    const later = (seconds: number): number => AT + seconds * 1000;
    const operation = { kind: 'Configure', operationId: '', startedAt: AT, attempts: 2, lastError: 'configure: no answer', retryAt: later(7) } as const;
    const intent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: AT, configureSent: false } as const;
    const at = (fields: Partial<MachineRecord>) => desiredMachine(record(fields), identity).status?.operation?.nextAttemptAt;
    expect(at({ operation, intent })).toBe('2026-01-02T03:04:12Z');
    expect(at({ operation, intent, coolUntil: later(30) })).toBe('2026-01-02T03:04:35Z');
    expect(at({ operation, intent: { ...intent, rest: { refusals: 1, until: later(9) } } })).toBe('2026-01-02T03:04:14Z');
    expect([at({ operation }), at({ operation, intent, busy: true }), at({ operation: { ...operation, retryAt: 0 }, intent })]).toEqual([undefined, undefined, undefined]);
  });

  it.each<[string, Partial<MachineRecord>, Record<string, string>]>([
    ['is idle', {}, { Ready: 'True', Progressing: 'False', Stuck: 'False', Disrupting: 'False' }],
    ['is to be bound', { intent: bind }, { Ready: 'False', Progressing: 'True' }],
    ['is being created', { seen: seen('m', 'Creating') }, { Ready: 'False', Progressing: 'True' }],
    ['serves', { seen: seen('m', 'Configured') }, { Ready: 'True', Progressing: 'False' }],
    ['is to be drained', { seen: seen('m', 'Configured'), intent: unbind }, { Ready: 'True', Progressing: 'True', Disrupting: 'True' }],
    ['drains by another hand', { seen: seen('m', 'Draining') }, { Ready: 'False', Disrupting: 'True', Progressing: 'True' }],
    ['failed', { seen: seen('m', 'Failed') }, { Ready: 'False', Progressing: 'False' }],
    ['is stuck', { seen: seen('m', 'Creating'), stuck: true }, { Stuck: 'True' }],
  ])('has the conditions of a machine that %s', (_name, fields, expected) => {
    expect(conditions(desiredMachine(record(fields), identity))).toMatchObject(expected);
  });

  it('says in the provider’s words why it is not taken away, for as long as it is not', () => {
    const drainRefusal = { words: 'drain: not implemented', code: 'UNIMPLEMENTED', until: AT + 60_000, spells: 1 };
    const disrupting = (fields: Partial<MachineRecord>) => {
      const { status, reason, message } = desiredMachine(record({ seen: seen('m', 'Configured'), ...fields }), identity).status!.conditions!.find((c) => c.type === 'Disrupting')!;
      return [status, reason, message];
    };
    expect(disrupting({ drainRefusal })).toEqual(['False', 'DrainRefused', 'It serves on: its provider refused (drain: not implemented). Not tried again before 2026-01-02T03:05:05Z.']);
    expect(disrupting({ drainRefusal: { ...drainRefusal, until: 0 } })).toEqual(['False', 'Configured', '']);
    expect(disrupting({ drainRefusal, intent: unbind })).toEqual(['True', 'Configured', 'excess']);
    const { status } = desiredMachine(record({ seen: seen('m', 'Configured'), drainRefusal, why: { code: 'ExcessDrainRefused', cluster: 'east' } }), identity);
    expect(status?.message).toBe('No demand of cluster east needs it; kept for now because its provider refused to drain it (drain: not implemented).');
  });

  it('is waited for as long as it is on its way, and not when it needs help', () => {
    const waited = (fields: Partial<MachineRecord>, generation = 7) => kstatusOf({ ...desiredMachine(record(fields), identity, 7), metadata: { generation } });
    expect([waited({ seen: seen('m', 'Configured') }), waited({ seen: seen('m', 'Configured') }, 8), waited({ seen: seen('m', 'Creating') })]).toEqual(['Current', 'InProgress', 'InProgress']);
    expect([waited({ seen: seen('m', 'Failed') }), waited({ seen: seen('m', 'Creating'), stuck: true })]).toEqual(['Failed', 'Failed']);
  });

  it('has conditions that say of which generation they are', () => {
    expect(desiredMachine(record(), identity, 7).status?.conditions?.map((c) => c.observedGeneration)).toEqual([7, 7, 7, 7, 7]);
  });
});

describe('what a shard takes over from an object after a restart', () => {
  it('is a binding, as it was decided', () => {
    const written = desiredMachine(record({ intent: bind }), identity);
    expect(bindingFromObject(written)).toEqual({ ...bind, decidedAt: Math.floor(AT / 1000) * 1000 });
  });

  it.each([['a drain', unbind], ['a release', release]] as const)('is never %s', (_name, intent) => {
    expect(bindingFromObject(desiredMachine(record({ intent }), identity))).toBeUndefined();
    // Not even a binding beside it, which a half-done edit leaves behind.
    const both = desiredMachine(record({ intent }), identity);
    expect(bindingFromObject({ ...both, spec: { ...both.spec, binding: { clusterId: 'east' } } })).toBeUndefined();
  });

  it('is nothing where nothing was decided', () => {
    expect(bindingFromObject(desiredMachine(record(), identity))).toBeUndefined();
  });

  it('has defaults where a person wrote only the cluster', () => {
    const bare = desiredMachine(record(), identity);
    expect(bindingFromObject({ ...bare, spec: { ...bare.spec, binding: { clusterId: 'west', decidedAt: 'yesterday' } } })).toEqual({
      kind: 'bind', to: { cluster: 'west', fingerprint: '', group: '', priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], reason: '', decidedAt: 0, configureSent: false,
    });
  });
});
