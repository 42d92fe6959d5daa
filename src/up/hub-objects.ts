import { CONTROL_GROUP, SYSTEM_NAMESPACE, VERSION } from '../api/constants.ts';
import { CapacityProviderResource, ShardResource } from '../api/resources.ts';
import type { KubeObject, ResourceType } from '../runtime/types.ts';
import { SHARD_ID } from './commands.ts';
import type { Ports } from './ports.ts';
import type { UpSettings } from './settings.ts';

/** Calls to the provider at a time. */
export const PROVIDER_CALLS = 64;

/** The objects that a person would write to set up the hub: one shard with compressed times, one provider. */
export function hubObjects({ compressed }: UpSettings, ports: Ports): { type: ResourceType; object: KubeObject }[] {
  const apiVersion = `${CONTROL_GROUP}/${VERSION}`;
  const shard = {
    apiVersion,
    kind: 'Shard',
    metadata: { name: SHARD_ID, namespace: SYSTEM_NAMESPACE },
    spec: {
      cycleSeconds: compressed.cycleSeconds,
      rails: { reclaimCapFraction: compressed.reclaimCapFraction, maxConcurrentDrainsPerCluster: compressed.maxConcurrentDrains },
      holds: {
        onDemandSeconds: compressed.holdOnDemandSeconds,
        spotSeconds: compressed.holdSpotSeconds,
        occupiedExcessSeconds: compressed.occupiedExcessSeconds,
      },
      concurrencyPerProvider: PROVIDER_CALLS,
    },
  };
  const provider = {
    apiVersion,
    kind: 'CapacityProvider',
    metadata: { name: 'sim', namespace: SYSTEM_NAMESPACE },
    spec: { address: `127.0.0.1:${ports.provider}`, shardRef: SHARD_ID },
  };
  return [{ type: ShardResource, object: shard }, { type: CapacityProviderResource, object: provider }];
}
