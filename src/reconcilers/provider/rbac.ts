import { CapacityProviderResource } from '../../api/resources.ts';
import { watching, type Permission } from '../../runtime/permission.ts';

export const providerPermissions: readonly Permission[] = [
  watching(CapacityProviderResource, 'namespace', 'where the provider is and how it is to be called'),
  { type: CapacityProviderResource, verbs: ['patch'], scope: 'namespace', why: 'taking the word off that confirmed a removal, once it has served' },
];
