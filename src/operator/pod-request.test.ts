import { describe, expect, it } from 'vitest';
import type { CapacityRequest, Container, Pod } from '../api/types.ts';
import { capacityRequestFor, sameDemand, type PodRequestOptions } from './pod-request.ts';

interface PodParts {
  meta?: Partial<Pod['metadata']>;
  spec?: Partial<Pod['spec']>;
  status?: Pod['status'];
}

function pod({ meta, spec, status }: PodParts = {}): Pod {
  return {
    metadata: { name: 'trainer-0', namespace: 'ml', uid: 'uid-trainer-0', ...meta },
    spec: { containers: [container({ cpu: '1' })], ...spec },
    ...(status ? { status } : {}),
  };
}

function container(requests?: Record<string, string | number>, restartPolicy?: string): Container {
  return { name: 'c', ...(requests ? { resources: { requests } } : {}), ...(restartPolicy ? { restartPolicy } : {}) };
}

function request(parts: PodParts = {}, options: PodRequestOptions = {}): CapacityRequest {
  const demand = capacityRequestFor(pod(parts), options);
  if (demand.kind !== 'request') throw new Error(`no request: ${JSON.stringify(demand)}`);
  return demand.request;
}

const instanceType = { key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['a3-highgpu-8g'] };
const affinity = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [instanceType] }, { matchExpressions: [] }] } } };

describe('the request of a Pod', () => {
  it('is owned by the Pod, named after its uid, and carries its demand (A1)', () => {
    expect(request({ spec: { affinity, containers: [container({ cpu: '1', 'nvidia.com/gpu': '8' })] } })).toEqual({
      apiVersion: 'bigfleet.lucy.sh/v1alpha1',
      kind: 'CapacityRequest',
      metadata: {
        name: 'cr-pod-uid-trainer-0',
        namespace: 'ml',
        labels: { 'bigfleet.lucy.sh/owned-by-pod': 'uid-trainer-0' },
        ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'trainer-0', uid: 'uid-trainer-0', controller: true }],
      },
      spec: { requirements: [instanceType], resources: { cpu: '1', 'nvidia.com/gpu': '8' }, priority: 0 },
    });
  });

  it('stays when the Pod is scheduled, and while it is being deleted (A3)', () => {
    expect(request({ spec: { nodeName: 'n-1' }, status: { phase: 'Running', conditions: [{ type: 'PodScheduled', status: 'True' }] } }).spec.priority).toBe(0);
    expect(request({ meta: { deletionTimestamp: '2026-01-01T00:00:00Z' } })).toBeDefined();
  });

  it('asks for any machine when the Pod names none (A4)', () => {
    expect(request().spec.requirements).toEqual([{ key: 'node.kubernetes.io/instance-type', operator: 'Exists' }]);
  });

  it('takes nodeSelector entries in order of their keys (A5), after the affinity (A6)', () => {
    const zone = { key: 'zone', operator: 'In', values: ['eu-west-1b'] };
    expect(request({ spec: { nodeSelector: { zone: 'eu-west-1b', disktype: 'ssd' } } }).spec.requirements)
      .toEqual([{ key: 'disktype', operator: 'In', values: ['ssd'] }, zone]);
    expect(request({ spec: { affinity, nodeSelector: { zone: 'eu-west-1b' } } }).spec.requirements).toEqual([instanceType, zone]);
  });

  it('has no requirements at all when a required affinity says nothing', () => {
    const empty = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{}] } } };
    expect(request({ spec: { affinity: empty } }).spec).not.toHaveProperty('requirements');
  });

  it.each<[string, Partial<Pod['spec']>, Record<string, string>]>([
    ['A7 init peak', { containers: [container({ cpu: 1, memory: '1Gi' })], initContainers: [container({ cpu: '4' })] }, { cpu: '4', memory: '1Gi' }],
    ['A8 sidecar before the init container', { initContainers: [container({ cpu: '2' }, 'Always'), container({ cpu: '2500m' })] }, { cpu: '4500m' }],
    ['A8b sidecar after it', { initContainers: [container({ cpu: '2500m' }), container({ cpu: '2' }, 'Always')] }, { cpu: '3' }],
    ['A8c overhead', { containers: [container({ cpu: '1' })], initContainers: [container({ cpu: '4' })], overhead: { cpu: '250m' } }, { cpu: '4250m' }],
    ['sums over containers', { containers: [container({ cpu: '500m' }), container({ cpu: '1500m', memory: '1Mi' })] }, { cpu: '2', memory: '1Mi' }],
    ['pod-level resources override per dimension', { containers: [container({ cpu: '1', memory: '1Gi' })], resources: { requests: { cpu: '3' } }, overhead: { cpu: '1' } }, { cpu: '4', memory: '1Gi' }],
    ['limits are no requests', { containers: [{ name: 'c', resources: { limits: { cpu: '8' }, requests: { memory: '1Gi' } } }] }, { memory: '1Gi' }],
    ['a Pod without any request takes a place (D4)', { containers: [container()] }, { cpu: '1m' }],
    ['zeros are no request', { containers: [container({ cpu: '0', memory: 0 })] }, { cpu: '1m' }],
  ])('counts what the scheduler counts: %s', (_, spec, resources) => {
    expect(request({ spec }).spec.resources).toEqual(resources);
  });

  it('keeps the first required Pod affinity only (A9)', () => {
    const term = { labelSelector: { matchLabels: { job: 'trainer-7' } }, topologyKey: 'topology.bigfleet/rack' };
    const podAffinity = { requiredDuringSchedulingIgnoredDuringExecution: [term, { topologyKey: 'zone' }] };
    expect(request({ spec: { affinity: { podAffinity } } }).spec.coLocation).toEqual(term);
    expect(request().spec).not.toHaveProperty('coLocation');
    const preferred = { podAffinity: { preferredDuringSchedulingIgnoredDuringExecution: [{ weight: 1, podAffinityTerm: term }] } };
    expect(request({ spec: { affinity: preferred as object } }).spec).not.toHaveProperty('coLocation');
  });

  it('reads penalties from annotations, in canonical form (A10)', () => {
    const annotations = { 'bigfleet.lucy.sh/interruption-penalty': '8000', 'bigfleet.lucy.sh/reclamation-penalty': '5000' };
    expect(request({ meta: { annotations } }).spec).toMatchObject({ interruptionPenalty: '8k', reclamationPenalty: '5k' });
  });

  it.each(['abc', '-5', '1 dollar'])('ignores the penalty %j and says so (A10)', (text) => {
    const demand = capacityRequestFor(pod({ meta: { annotations: { 'bigfleet.lucy.sh/interruption-penalty': text } } }));
    expect(demand).toMatchObject({ kind: 'request', warnings: [{ reason: 'InvalidPenalty', message: expect.stringContaining(text) as string }] });
    expect(demand.kind === 'request' && demand.request.spec).not.toHaveProperty('interruptionPenalty');
  });

  it.each<[string, Record<string, string>, object]>([
    ['ml-research', {}, { interruptionPenalty: '8192', reclamationPenalty: '65536' }],
    ['ml-research', { 'bigfleet.lucy.sh/interruption-penalty': '1' }, { interruptionPenalty: '1', reclamationPenalty: '65536' }],
    ['batch-best-effort', {}, { interruptionPenalty: '16' }],
    ['unknown', {}, {}],
  ])('falls back to the defaults of PriorityClass %s with annotations %j (A11)', (priorityClassName, annotations, expected) => {
    const priorityClassDefaults = new Map([
      ['ml-research', { interruptionPenalty: '8192', reclamationPenalty: '65536' }],
      ['batch-best-effort', { interruptionPenalty: '16' }],
    ]);
    const { interruptionPenalty, reclamationPenalty } = request({ meta: { annotations }, spec: { priorityClassName } }, { priorityClassDefaults }).spec;
    expect(JSON.parse(JSON.stringify({ interruptionPenalty, reclamationPenalty }))).toEqual(expected);
  });

  it('drops spread that nothing would enforce (A12)', () => {
    const topologySpreadConstraints = [
      { topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: {} },
      { topologyKey: 'kubernetes.io/hostname', maxSkew: 2, whenUnsatisfiable: 'ScheduleAnyway' },
    ];
    expect(request({ spec: { topologySpreadConstraints } }).spec.topologySpread).toEqual([{ topologyKey: 'zone', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' }]);
  });

  it.each(['Succeeded', 'Failed'])('is none for a Pod that has %s (A14, A15)', (phase) => {
    expect(capacityRequestFor(pod({ status: { phase } }))).toEqual({ kind: 'none', because: 'finished' });
  });

  it('is none for Pods that Nodes bring with them, unless asked', () => {
    const daemon = { meta: { ownerReferences: [{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'u' }] } };
    const mirror = { meta: { annotations: { 'kubernetes.io/config.mirror': 'x' } } };
    expect(capacityRequestFor(pod(daemon))).toEqual({ kind: 'none', because: 'daemonset' });
    expect(capacityRequestFor(pod(mirror))).toEqual({ kind: 'none', because: 'mirror' });
    expect(capacityRequestFor(pod(daemon), { includeDaemonSetPods: true }).kind).toBe('request');
    expect(capacityRequestFor(pod(mirror), { includeDaemonSetPods: true }).kind).toBe('request');
  });

  it('is none once the Pod runs on a machine that is not of the fleet (D1)', () => {
    const isFleetNode = (name: string): boolean | undefined => ({ ours: true, theirs: false })[name];
    expect(capacityRequestFor(pod({ spec: { nodeName: 'theirs' } }), { isFleetNode })).toEqual({ kind: 'none', because: 'foreign-node' });
    expect(capacityRequestFor(pod({ spec: { nodeName: 'ours' } }), { isFleetNode }).kind).toBe('request');
    expect(capacityRequestFor(pod(), { isFleetNode }).kind).toBe('request');
    expect(capacityRequestFor(pod({ spec: { nodeName: 'unseen' } }), { isFleetNode })).toEqual({ kind: 'unknown' });
    expect(capacityRequestFor(pod({ spec: { nodeName: 'theirs' } })).kind).toBe('request');
  });

  it('passes Gt and Lt on, and warns that nothing can be asked for', () => {
    const gt = { key: 'cores', operator: 'Gt', values: ['8'] };
    const demand = capacityRequestFor(pod({ spec: { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [gt] }] } } } } }));
    expect(demand).toMatchObject({ request: { spec: { requirements: [gt] } }, warnings: [{ reason: 'UnsupportedOperator' }] });
  });

  it('changes when the demand changes (D28), and only then', () => {
    const before = request().spec;
    expect(sameDemand(before, request({ spec: { nodeName: 'n' }, status: { phase: 'Running' } }).spec)).toBe(true);
    expect(sameDemand(before, request({ spec: { containers: [container({ cpu: '2' })] } }).spec)).toBe(false);
    expect(sameDemand(before, request({ spec: { nodeSelector: { zone: 'z' } } }).spec)).toBe(false);
  });
});
