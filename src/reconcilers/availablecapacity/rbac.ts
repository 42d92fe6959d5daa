import { AvailableCapacityResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const availableCapacityPermissions: readonly Permission[] = [
  { type: AvailableCapacityResource, verbs: ['list', 'create', 'patch', 'delete'], scope: 'cluster', why: 'what could still be had, as the shard says it' },
  { type: AvailableCapacityResource, subresource: 'status', verbs: ['patch'], scope: 'cluster', why: 'that it is kept up to date' },
];
