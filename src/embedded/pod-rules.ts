/** Defaults, admission and validation of Pods, as far as our components and the scheduler of the simulation need them. */
import { asArray, asObject, at, equalJson, isObject, stringAt } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import { isDnsLabel } from './metadata.ts';
import { checkQuantities } from './quantities.ts';
import type { AdmissionContext, KindRules, WriteTarget } from './resource-kind.ts';
import { badRequest, conflict, forbidden, invalid } from './status-error.ts';
import type { FieldError } from './status-error.ts';
import { pods } from './builtin-types.ts';

const systemPriorities: Readonly<Record<string, number>> = {
  'system-cluster-critical': 2_000_000_000,
  'system-node-critical': 2_000_001_000,
};

export const podRules: KindRules = {
  onCreate(pod, context) {
    checkPodQuantities(pod);
    const spec: JsonObject = {
      restartPolicy: 'Always',
      terminationGracePeriodSeconds: 30,
      dnsPolicy: 'ClusterFirst',
      schedulerName: 'default-scheduler',
      enableServiceLinks: true,
      securityContext: {},
      ...asObject(pod['spec']),
    };
    for (const list of ['containers', 'initContainers']) {
      if (Array.isArray(spec[list])) spec[list] = (spec[list] as unknown[]).map(withRequests);
    }
    applyPriority(pod, spec, context);
    const gated = asArray(spec['schedulingGates']).length > 0;
    const conditions = gated
      ? { conditions: [{ type: 'PodScheduled', status: 'False', reason: 'SchedulingGated', message: 'Scheduling is blocked due to non-empty scheduling gates', lastProbeTime: null, lastTransitionTime: null }] }
      : {};
    pod['spec'] = spec;
    pod.metadata.generation = 1;
    pod['status'] = { phase: 'Pending', ...conditions, qosClass: qosClass(spec) };
    return pod;
  },

  onUpdate(next, old, target, context) {
    if (target === 'status' || target === 'binding') return next;
    checkPodQuantities(next);
    if (equalJson(next['spec'], old['spec'])) return next;
    const { schedulingGates, ...ungated } = asObject(next['spec']);
    if (schedulingGates !== undefined && asArray(schedulingGates).length === 0) return podRules.onUpdate!({ ...next, spec: ungated }, old, target, context);
    const errors = forbiddenChanges(asObject(next['spec']), asObject(old['spec']), target);
    if (errors.length > 0) throw invalid(pods, old.metadata.name, errors);
    return next;
  },

  validate(pod) {
    const errors: FieldError[] = [];
    const spec = pod['spec'];
    if (!isObject(spec)) return [required('spec')];
    const containers = asArray(spec['containers']);
    if (containers.length === 0) errors.push(required('spec.containers'));
    const names = new Set<string>();
    containers.forEach((container, i) => {
      const name = stringAt(container, 'name');
      const field = `spec.containers[${i}].name`;
      if (name === '') errors.push(required(field));
      else if (!isDnsLabel(name)) errors.push({ field, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(name)}: a lowercase RFC 1123 label is required` });
      else if (names.has(name)) errors.push({ field, reason: 'FieldValueDuplicate', message: `Duplicate value: ${JSON.stringify(name)}` });
      names.add(name);
      const requests = asObject(at(container, 'resources', 'requests'));
      for (const [resource, value] of Object.entries(requests)) {
        if (String(value).startsWith('-')) errors.push({ field: `spec.containers[${i}].resources.requests[${resource}]`, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: must be greater than or equal to 0` });
      }
    });
    return errors;
  },
};

/** Limits without requests count as requests. */
function withRequests(container: unknown): unknown {
  const limits = at(container, 'resources', 'limits');
  if (!isObject(container) || !isObject(limits)) return container;
  const resources = asObject(container['resources']);
  return { ...container, resources: { ...resources, requests: { ...limits, ...asObject(resources['requests']) } } };
}

function applyPriority(pod: Stored, spec: JsonObject, context: AdmissionContext): void {
  const wanted = stringAt(spec, 'priorityClassName');
  const classes = context.lookup('scheduling.k8s.io', 'priorityclasses');
  const found = wanted === '' ? globalDefault(classes) : classes.find((c) => c.metadata.name === wanted);
  if (wanted !== '' && !found && systemPriorities[wanted] === undefined) {
    throw forbidden(pods, pod.metadata.name, `no PriorityClass with name ${wanted} was found`);
  }
  const value = Number(found?.['value'] ?? systemPriorities[wanted] ?? 0);
  if (spec['priority'] !== undefined && spec['priority'] !== null && spec['priority'] !== value) {
    throw forbidden(pods, pod.metadata.name, `the integer value of priority (${String(spec['priority'])}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`);
  }
  spec['priority'] = value;
  if (found && wanted === '') spec['priorityClassName'] = found.metadata.name;
  spec['preemptionPolicy'] ??= found?.['preemptionPolicy'] ?? 'PreemptLowerPriority';
}

function globalDefault(classes: readonly Stored[]): Stored | undefined {
  return classes.filter((c) => c['globalDefault'] === true).sort((a, b) => Number(a['value']) - Number(b['value']))[0];
}

function qosClass(spec: JsonObject): string {
  let any = false;
  let guaranteed = true;
  for (const container of [...asArray(spec['containers']), ...asArray(spec['initContainers'])]) {
    const requests = asObject(at(container, 'resources', 'requests'));
    const limits = asObject(at(container, 'resources', 'limits'));
    for (const resource of ['cpu', 'memory']) {
      if (requests[resource] !== undefined || limits[resource] !== undefined) any = true;
      if (limits[resource] === undefined || String(requests[resource]) !== String(limits[resource])) guaranteed = false;
    }
  }
  return !any ? 'BestEffort' : guaranteed ? 'Guaranteed' : 'Burstable';
}

const freeFields = ['activeDeadlineSeconds', 'tolerations', 'terminationGracePeriodSeconds'];

function forbiddenChanges(next: JsonObject, old: JsonObject, target: WriteTarget): FieldError[] {
  const errors: FieldError[] = [];
  const gated = asArray(old['schedulingGates']).length > 0;
  const free = new Set([...freeFields, 'schedulingGates', ...(gated ? ['nodeSelector', 'affinity'] : [])]);
  const keep = (spec: JsonObject): unknown =>
    Object.fromEntries(Object.entries(spec).filter(([field]) => !free.has(field)).map(([field, value]) => [field, field === 'containers' || field === 'initContainers' ? asArray(value).map((c) => masked(c, target)) : value]));
  if (!equalJson(keep(next), keep(old))) {
    errors.push({ field: 'spec', reason: 'FieldValueForbidden', message: target === 'resize' ? 'Forbidden: only cpu and memory resources are mutable' : 'Forbidden: pod updates may not change fields other than `spec.containers[*].image`,`spec.initContainers[*].image`,`spec.activeDeadlineSeconds`,`spec.tolerations` (only additions to existing tolerations),`spec.terminationGracePeriodSeconds`' });
  }
  const gates = asArray(old['schedulingGates']).map((gate) => stringAt(gate, 'name'));
  for (const gate of asArray(next['schedulingGates'])) {
    if (!gates.includes(stringAt(gate, 'name'))) errors.push({ field: 'spec.schedulingGates', reason: 'FieldValueForbidden', message: 'Forbidden: only deletion is allowed, but found new scheduling gate' });
  }
  return errors;
}

function masked(container: unknown, target: WriteTarget): unknown {
  return target === 'resize' ? { ...asObject(container), resources: null } : { ...asObject(container), image: null };
}

function checkPodQuantities(pod: Stored): void {
  for (const container of [...asArray(at(pod, 'spec', 'containers')), ...asArray(at(pod, 'spec', 'initContainers'))]) {
    checkQuantities(at(container, 'resources', 'requests'), 'resources.requests');
    checkQuantities(at(container, 'resources', 'limits'), 'resources.limits');
  }
  checkQuantities(at(pod, 'spec', 'overhead'), 'overhead');
  checkQuantities(at(pod, 'spec', 'resources', 'requests'), 'spec.resources.requests');
  checkQuantities(at(pod, 'spec', 'resources', 'limits'), 'spec.resources.limits');
}

/** The Pod with the Node it is bound to. Refuses what the binding subresource refuses. */
export function bound(pod: Stored, nodeName: string, now: string): Stored {
  const name = pod.metadata.name;
  if (nodeName === '') throw badRequest('target.name is required');
  if (pod.metadata.deletionTimestamp !== undefined) throw conflict(pods, name, `pod ${name} is being deleted, cannot be assigned to a host`);
  const present = stringAt(pod, 'spec', 'nodeName');
  if (present !== '') throw conflict(pods, name, `pod ${name} is already assigned to node "${present}"`);
  if (asArray(at(pod, 'spec', 'schedulingGates')).length > 0) throw conflict(pods, name, `pod ${name} has non-empty .spec.schedulingGates`);
  const others = asArray(at(pod, 'status', 'conditions')).filter((c) => stringAt(c, 'type') !== 'PodScheduled');
  const scheduled = { type: 'PodScheduled', status: 'True', lastProbeTime: null, lastTransitionTime: now };
  return {
    ...pod,
    spec: { ...asObject(pod['spec']), nodeName },
    status: { ...asObject(pod['status']), conditions: [...others, scheduled] },
  };
}

function required(field: string): FieldError {
  return { field, reason: 'FieldValueRequired', message: 'Required value' };
}
