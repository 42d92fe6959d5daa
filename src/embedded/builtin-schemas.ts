/**
 * The types of those fields of built-in kinds that somebody reads: this server, the components, the scheduler and the
 * kubelets of a simulation. A field that is not named here is kept, whatever it holds. Quantities have a check of their
 * own (quantities.ts), as have times with microseconds.
 */
import type { JsonObject } from './json.ts';

const text = { type: 'string' };
const whole = { type: 'integer' };
const flag = { type: 'boolean' };
const map = (values: JsonObject): JsonObject => ({ type: 'object', additionalProperties: values });
const list = (items: JsonObject): JsonObject => ({ type: 'array', items });
const record = (properties: JsonObject): JsonObject => ({ type: 'object', properties, 'x-kubernetes-preserve-unknown-fields': true });
const texts = (...names: string[]): JsonObject => Object.fromEntries(names.map((name) => [name, text]));
const anyMap = record({});

export const metadataSchema = record({
  ...texts('name', 'generateName', 'namespace', 'uid', 'resourceVersion'),
  labels: map(text),
  annotations: map(text),
  finalizers: list(text),
  ownerReferences: list(record({ ...texts('apiVersion', 'kind', 'name', 'uid'), controller: flag, blockOwnerDeletion: flag })),
});

const requirements = list(record({ ...texts('key', 'operator'), values: list(text) }));
const labelSelector = record({ matchLabels: map(text), matchExpressions: requirements });
const conditions = list(record({ ...texts('type', 'status', 'reason', 'message'), observedGeneration: whole }));

const nodeTerm = record({ matchExpressions: requirements, matchFields: requirements });
const podTerm = record({ topologyKey: text, labelSelector, namespaces: list(text), namespaceSelector: labelSelector });
const podAffinity = record({
  requiredDuringSchedulingIgnoredDuringExecution: list(podTerm),
  preferredDuringSchedulingIgnoredDuringExecution: list(record({ weight: whole, podAffinityTerm: podTerm })),
});
const affinity = record({
  nodeAffinity: record({
    requiredDuringSchedulingIgnoredDuringExecution: record({ nodeSelectorTerms: list(nodeTerm) }),
    preferredDuringSchedulingIgnoredDuringExecution: list(record({ weight: whole, preference: nodeTerm })),
  }),
  podAffinity,
  podAntiAffinity: podAffinity,
});
const resources = record({ requests: anyMap, limits: anyMap });
const containers = list(record({ ...texts('name', 'image', 'restartPolicy'), resources }));
const containerStatuses = list(record({ ...texts('name', 'image'), ready: flag, restartCount: whole, state: anyMap }));

const pod = {
  spec: record({
    ...texts('nodeName', 'priorityClassName', 'preemptionPolicy', 'schedulerName', 'restartPolicy', 'serviceAccountName'),
    priority: { type: 'integer', format: 'int32' },
    terminationGracePeriodSeconds: whole,
    activeDeadlineSeconds: whole,
    nodeSelector: map(text),
    affinity,
    topologySpreadConstraints: list(record({ ...texts('topologyKey', 'whenUnsatisfiable'), maxSkew: { type: 'integer', format: 'int32' }, labelSelector })),
    tolerations: list(record({ ...texts('key', 'operator', 'value', 'effect'), tolerationSeconds: whole })),
    schedulingGates: list(record({ name: text })),
    overhead: anyMap,
    resources,
    containers,
    initContainers: containers,
  }),
  status: record({ ...texts('phase', 'reason', 'message', 'podIP', 'nominatedNodeName', 'startTime', 'qosClass'), conditions, containerStatuses, initContainerStatuses: containerStatuses }),
};

const node = {
  spec: record({ providerID: text, unschedulable: flag, taints: list(record(texts('key', 'value', 'effect'))) }),
  status: record({ capacity: anyMap, allocatable: anyMap, conditions, addresses: list(record(texts('type', 'address'))), nodeInfo: record(texts('kubeletVersion', 'osImage')) }),
};

const budget = {
  spec: record({ selector: labelSelector, unhealthyPodEvictionPolicy: text }),
  status: record({ currentHealthy: whole, desiredHealthy: whole, disruptionsAllowed: whole, expectedPods: whole, observedGeneration: whole, disruptedPods: map(text), conditions }),
};

const reference = record(texts('apiVersion', 'kind', 'namespace', 'name', 'uid', 'resourceVersion', 'fieldPath'));

/** By the id of the kind; apiVersion, kind and metadata are the same for all. */
export const builtinSchemas: Readonly<Record<string, JsonObject>> = {
  pods: pod,
  nodes: node,
  namespaces: { spec: record({ finalizers: list(text) }), status: record({ phase: text, conditions }) },
  configmaps: { data: map(text), binaryData: map(text), immutable: flag },
  secrets: { data: map(text), stringData: map(text), type: text, immutable: flag },
  services: { spec: record({ ...texts('type', 'clusterIP'), selector: map(text), ports: list(anyMap) }), status: anyMap },
  events: { ...texts('reason', 'message', 'type', 'action', 'reportingComponent', 'reportingInstance'), count: whole, involvedObject: reference, source: record(texts('component', 'host')) },
  'leases.coordination.k8s.io': { spec: record({ holderIdentity: text, leaseDurationSeconds: whole, leaseTransitions: whole }) },
  'priorityclasses.scheduling.k8s.io': { ...texts('preemptionPolicy', 'description'), value: whole, globalDefault: flag },
  'poddisruptionbudgets.policy': budget,
};
