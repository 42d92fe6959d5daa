/** What `kubectl get` shows of the built-in kinds. */
import { ageSince, humanDuration } from './human-duration.ts';
import { asArray, asObject, at, isObject, stringAt } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import type { Column } from './resource-kind.ts';

function column(name: string, cell: Column['cell'], type = 'string', priority = 0): Column {
  return { name, type, priority, cell };
}

export const nameColumn: Column = { ...column('Name', (o) => o.metadata.name), format: 'name' };
export const ageColumn: Column = column('Age', (o, now) => ageSince(o.metadata.creationTimestamp, now));

export const plainColumns: readonly Column[] = [nameColumn, ageColumn];

export const podColumns: readonly Column[] = [
  nameColumn,
  column('Ready', (o) => `${containerStatuses(o).filter((c) => c['ready'] === true).length}/${asArray(at(o, 'spec', 'containers')).length}`),
  column('Status', podStatus),
  column('Restarts', (o) => containerStatuses(o).reduce((sum, c) => sum + Number(c['restartCount'] ?? 0), 0), 'string'),
  ageColumn,
  column('IP', (o) => stringAt(o, 'status', 'podIP') || '<none>', 'string', 1),
  column('Node', (o) => stringAt(o, 'spec', 'nodeName') || '<none>', 'string', 1),
  column('Nominated Node', (o) => stringAt(o, 'status', 'nominatedNodeName') || '<none>', 'string', 1),
];

function containerStatuses(pod: Stored): JsonObject[] {
  return asArray(at(pod, 'status', 'containerStatuses')).filter(isObject);
}

function podStatus(pod: Stored): string {
  if (pod.metadata.deletionTimestamp !== undefined) return 'Terminating';
  const gated = asArray(at(pod, 'spec', 'schedulingGates')).length > 0;
  const reason = stringAt(pod, 'status', 'reason') || stringAt(pod, 'status', 'phase');
  if (gated && reason === 'Pending') return 'SchedulingGated';
  const waiting = containerStatuses(pod).map((c) => stringAt(c, 'state', 'waiting', 'reason')).find((r) => r !== '');
  return waiting ?? reason;
}

export const nodeColumns: readonly Column[] = [
  nameColumn,
  column('Status', (o) => {
    const ready = condition(o, 'Ready');
    const text = ready === 'True' ? 'Ready' : ready === undefined ? 'Unknown' : 'NotReady';
    return at(o, 'spec', 'unschedulable') === true ? `${text},SchedulingDisabled` : text;
  }),
  column('Roles', (o) => {
    const prefix = 'node-role.kubernetes.io/';
    const roles = Object.keys(o.metadata.labels ?? {}).filter((l) => l.startsWith(prefix)).map((l) => l.slice(prefix.length));
    return roles.sort().join(',') || '<none>';
  }),
  ageColumn,
  column('Version', (o) => stringAt(o, 'status', 'nodeInfo', 'kubeletVersion')),
  column('Internal-IP', (o) => nodeAddress(o, 'InternalIP'), 'string', 1),
  column('OS-Image', (o) => stringAt(o, 'status', 'nodeInfo', 'osImage') || '<unknown>', 'string', 1),
];

function condition(object: Stored, type: string): unknown {
  return asArray(at(object, 'status', 'conditions')).filter(isObject).find((c) => c['type'] === type)?.['status'];
}

function nodeAddress(node: Stored, type: string): string {
  const found = asArray(at(node, 'status', 'addresses')).filter(isObject).find((a) => a['type'] === type);
  return stringAt(found, 'address') || '<none>';
}

export const namespaceColumns: readonly Column[] = [nameColumn, column('Status', (o) => stringAt(o, 'status', 'phase')), ageColumn];

export const leaseColumns: readonly Column[] = [nameColumn, column('Holder', (o) => stringAt(o, 'spec', 'holderIdentity')), ageColumn];

export const budgetColumns: readonly Column[] = [
  nameColumn,
  column('Min Available', (o) => String(at(o, 'spec', 'minAvailable') ?? 'N/A')),
  column('Max Unavailable', (o) => String(at(o, 'spec', 'maxUnavailable') ?? 'N/A')),
  column('Allowed Disruptions', (o) => at(o, 'status', 'disruptionsAllowed') ?? 0, 'integer'),
  ageColumn,
];

export const eventColumns: readonly Column[] = [
  column('Last Seen', (o, now) => {
    const time = [at(o, 'series', 'lastObservedTime'), o['lastTimestamp'], o['eventTime'], o.metadata.creationTimestamp].find((t) => typeof t === 'string');
    return typeof time === 'string' ? humanDuration(now - Date.parse(time)) : '<unknown>';
  }),
  column('Type', (o) => o['type']),
  column('Reason', (o) => o['reason']),
  column('Object', (o) => `${stringAt(o, 'involvedObject', 'kind').toLowerCase()}/${stringAt(o, 'involvedObject', 'name')}`),
  column('Message', (o) => stringAt(o, 'message').trim()),
  column('Count', (o) => o['count'] ?? 1, 'integer', 1),
  { ...column('Name', (o) => o.metadata.name, 'string', 1), format: 'name' },
];

export const configMapColumns: readonly Column[] = [
  nameColumn,
  column('Data', (o) => Object.keys(asObject(o['data'])).length + Object.keys(asObject(o['binaryData'])).length, 'integer'),
  ageColumn,
];

export const secretColumns: readonly Column[] = [
  nameColumn,
  column('Type', (o) => o['type']),
  column('Data', (o) => Object.keys(asObject(o['data'])).length, 'integer'),
  ageColumn,
];

export const serviceColumns: readonly Column[] = [
  nameColumn,
  column('Type', (o) => stringAt(o, 'spec', 'type') || 'ClusterIP'),
  column('Cluster-IP', (o) => stringAt(o, 'spec', 'clusterIP') || '<none>'),
  column('Port(s)', (o) =>
    asArray(at(o, 'spec', 'ports')).filter(isObject).map((p) => `${String(p['port'])}/${String(p['protocol'] ?? 'TCP')}`).join(',') || '<none>'),
  ageColumn,
];

export const priorityClassColumns: readonly Column[] = [
  nameColumn,
  column('Value', (o) => o['value'] ?? 0, 'integer'),
  column('Global-Default', (o) => o['globalDefault'] === true, 'boolean'),
  ageColumn,
];

export const definitionColumns: readonly Column[] = [nameColumn, column('Created At', (o) => o.metadata.creationTimestamp)];
