import { CapacityProviderResource, MachineResource, SecretResource, ShardResource } from '../api/resources.ts';
import { providerPermissions } from '../reconcilers/provider/rbac.ts';
import { leasePermissions, watching, type Permission } from '../runtime/permission.ts';

/** Secret with the certificates for calling the provider, unless the installation names others. */
export const PROVIDER_TLS_SECRET = 'bigfleet-provider-tls';

/** What `bigfleet shard` asks of its hub: nothing outside its namespace. */
export const shardPermissions: readonly Permission[] = [
  ...leasePermissions(),
  watching(ShardResource, 'namespace', 'the settings of the shard'),
  { type: ShardResource, verbs: ['get'], scope: 'namespace', why: 'the epoch that its predecessor acted under' },
  { type: ShardResource, subresource: 'status', verbs: ['patch'], scope: 'namespace', why: 'its own epoch, and how it is doing' },
  ...providerPermissions,
  { type: CapacityProviderResource, subresource: 'status', verbs: ['patch'], scope: 'namespace', why: 'how the provider is doing' },
  watching(MachineResource, 'namespace', 'whose machines are, and what people want of them'),
  { type: MachineResource, verbs: ['get', 'create', 'patch', 'delete'], scope: 'namespace', why: 'the record of what was decided for each machine' },
  { type: MachineResource, subresource: 'status', verbs: ['patch'], scope: 'namespace', why: 'what the machine is doing' },
  { type: SecretResource, verbs: ['get'], scope: 'namespace', names: [PROVIDER_TLS_SECRET], why: 'CapacityProvider.spec.tls: certificates for calling the provider' },
];
