import { CapacityRequestResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const capacityRequestPermissions: readonly Permission[] = [
  { type: CapacityRequestResource, subresource: 'status', verbs: ['patch'], scope: 'cluster', why: 'phase Acknowledged and the fate of the request' },
];
