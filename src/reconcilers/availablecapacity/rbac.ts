import { AvailableCapacityResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const availableCapacityPermissions: readonly Permission[] = [
  { type: AvailableCapacityResource, verbs: ['list', 'create', 'patch', 'delete'], scope: 'cluster', why: 'what could still be had, as the shard says it' },
];
