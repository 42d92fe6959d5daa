import { UpcomingNodeResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const upcomingNodePermissions: readonly Permission[] = [
  { type: UpcomingNodeResource, verbs: ['create', 'patch', 'delete'], scope: 'cluster', why: 'one object for every machine that is on its way or here' },
  { type: UpcomingNodeResource, subresource: 'status', verbs: ['patch'], scope: 'cluster', why: 'how far the machine is' },
];
