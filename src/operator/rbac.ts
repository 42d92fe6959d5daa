import { ALLOWANCES_CONFIG_MAP } from '../api/constants.ts';
import { CapacityRequestResource, ConfigMapResource, LeaseResource, NamespaceResource, NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import { availableCapacityPermissions } from '../reconcilers/availablecapacity/rbac.ts';
import { capacityRequestPermissions } from '../reconcilers/capacityrequest/rbac.ts';
import { drainPermissions } from '../reconcilers/drain/rbac.ts';
import { nodePermissions } from '../reconcilers/node/rbac.ts';
import { podPermissions } from '../reconcilers/pod/rbac.ts';
import { upcomingNodePermissions } from '../reconcilers/upcomingnode/rbac.ts';
import { eventPermissions, leasePermissions, watching, type Permission } from '../runtime/permission.ts';
import { OPERATOR_NAME, POD_CONTROLLER_NAME } from './names.ts';

const shared: readonly Permission[] = [
  watching(PodResource, 'cluster', 'demand, and who stands on a Node'),
  watching(NodeResource, 'cluster', 'which Nodes are machines of the fleet'),
  watching(CapacityRequestResource, 'cluster', 'what is asked for'),
  watching(UpcomingNodeResource, 'cluster', 'which machines have been announced'),
  { type: NamespaceResource, verbs: ['get'], scope: 'namespace', why: 'whether there is a place for the Lease' },
  ...eventPermissions,
];

/** What `bigfleet operator` asks of its cluster. */
export const operatorPermissions: readonly Permission[] = [
  ...shared,
  ...leasePermissions([OPERATOR_NAME]),
  { type: LeaseResource, verbs: ['patch'], scope: 'namespace', names: [OPERATOR_NAME], why: 'the highest epoch seen of each shard, and which cluster this is, kept at the Lease' },
  { type: ConfigMapResource, verbs: ['create'], scope: 'namespace', why: 'allowances, kept over a restart' },
  { type: ConfigMapResource, verbs: ['get', 'patch'], scope: 'namespace', names: [ALLOWANCES_CONFIG_MAP], why: 'the same' },
  ...capacityRequestPermissions,
  ...upcomingNodePermissions,
  ...drainPermissions,
  ...nodePermissions,
  ...availableCapacityPermissions,
];

/** What `bigfleet pod-controller` asks of its cluster. */
export const podControllerPermissions: readonly Permission[] = [...shared, ...leasePermissions([POD_CONTROLLER_NAME]), ...podPermissions];

/** What `bigfleet agent` asks: it is both, and has the operator's Lease. */
export const agentPermissions: readonly Permission[] = [...operatorPermissions, ...podPermissions];
