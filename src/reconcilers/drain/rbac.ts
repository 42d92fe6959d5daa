import { NodeResource, PodResource, UpcomingNodeResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const drainPermissions: readonly Permission[] = [
  { type: NodeResource, verbs: ['patch'], scope: 'cluster', why: 'cordoning a Node that has to go, and taking the cordon off if it stays' },
  { type: PodResource, subresource: 'eviction', verbs: ['create'], scope: 'cluster', why: 'emptying it within the budgets of its Pods' },
  { type: UpcomingNodeResource, verbs: ['patch'], scope: 'cluster', why: 'the order to drain, kept over a restart' },
  { type: UpcomingNodeResource, subresource: 'status', verbs: ['patch'], scope: 'cluster', why: 'Draining, Drained or why not' },
];
