import { NodeResource } from '../../api/resources.ts';
import type { Permission } from '../../runtime/permission.ts';

export const nodePermissions: readonly Permission[] = [
  { type: NodeResource, verbs: ['delete'], scope: 'cluster', why: 'the Node of a machine that has left; not needed with --delete-drained-nodes=false' },
];
