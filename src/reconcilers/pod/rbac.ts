import { CapacityRequestResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const podPermissions: readonly Permission[] = [
  { type: CapacityRequestResource, verbs: ['create', 'patch', 'delete'], scope: 'cluster', why: 'one request for every Pod that wants room, as the Pod is now' },
  { type: CapacityRequestResource, subresource: 'status', verbs: ['patch'], scope: 'cluster', why: 'phase Pending while nobody has acknowledged it' },
];
