import type { Node } from '../api/core.ts';
import { HOSTNAME_LABEL, INSTANCE_TYPE_LABEL, MACHINE_ID_LABEL, ZONE_LABEL } from '../api/constants.ts';
import { machineObjectName } from '../api/names.ts';

/** What the provider tells the node agent about the machine that joins. */
export interface JoinRequest {
  readonly machineId: string;
  readonly providerId: string;
  readonly clusterId: string;
  /** The bootstrap blob, base64. */
  readonly blob: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly capacityType: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly allocatable: Readonly<Record<string, string>>;
}

const MAX_PODS = '110';

/** Throws an Error that names the field which is missing or of the wrong kind. */
export function readJoinRequest(body: unknown): JoinRequest {
  const fields = record(body, 'the body');
  return {
    machineId: text(fields, 'machineId'),
    providerId: text(fields, 'providerId'),
    clusterId: text(fields, 'clusterId'),
    blob: text(fields, 'blob'),
    instanceType: text(fields, 'instanceType'),
    zone: text(fields, 'zone'),
    capacityType: text(fields, 'capacityType'),
    labels: texts(fields, 'labels'),
    allocatable: texts(fields, 'allocatable'),
  };
}

export function text(fields: Readonly<Record<string, unknown>>, name: string): string {
  const value = fields[name];
  if (typeof value !== 'string') throw new Error(`${name}: expected a text`);
  return value;
}

export function record(value: unknown, name: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) throw new Error(`${name}: expected an object`);
  return value as Record<string, unknown>;
}

function texts(fields: Readonly<Record<string, unknown>>, name: string): Record<string, string> {
  const map = record(fields[name] ?? {}, name);
  for (const [key, value] of Object.entries(map)) if (typeof value !== 'string') throw new Error(`${name}.${key}: expected a text`);
  return map as Record<string, string>;
}

/** The Node as its kubelet registers it: not Ready yet. */
export function joiningNode(request: JoinRequest, now: string, annotations: Readonly<Record<string, string>> = {}): Node {
  const name = machineObjectName(request.machineId);
  const resources = { ...request.allocatable, pods: MAX_PODS };
  return {
    apiVersion: 'v1',
    kind: 'Node',
    metadata: {
      name,
      ...(Object.keys(annotations).length > 0 ? { annotations: { ...annotations } } : {}),
      labels: {
        ...request.labels,
        [MACHINE_ID_LABEL]: request.machineId,
        [HOSTNAME_LABEL]: name,
        'kubernetes.io/os': 'linux',
        [INSTANCE_TYPE_LABEL]: request.instanceType,
        ...(request.zone ? { [ZONE_LABEL]: request.zone } : {}),
        'bigfleet.lucy.sh/capacity-type': request.capacityType,
      },
    },
    spec: { providerID: request.providerId },
    status: {
      capacity: resources,
      allocatable: resources,
      conditions: [readyCondition('starting', now)],
    },
  };
}

const READY = {
  starting: { status: 'False', reason: 'KubeletNotReady', message: 'The node is starting.' },
  ready: { status: 'True', reason: 'KubeletReady', message: 'The node takes Pods.' },
  stopped: { status: 'Unknown', reason: 'NodeStatusUnknown', message: 'The node has stopped.' },
} as const;

export function readyCondition(state: keyof typeof READY, now: string): NonNullable<NonNullable<Node['status']>['conditions']>[number] {
  return { type: 'Ready', ...READY[state], lastHeartbeatTime: now, lastTransitionTime: now };
}

/** What the Ready condition tells about a Node that an earlier process of ours left behind. */
export function readyState(node: Node): keyof typeof READY {
  const ready = node.status?.conditions?.find((c) => c.type === 'Ready');
  if (ready?.status === 'True') return 'ready';
  return ready?.reason === READY.stopped.reason ? 'stopped' : 'starting';
}
