import type { EmbeddedControlPlane } from '../../embedded/api.ts';
import { startEmbeddedControlPlane } from '../../embedded/control-plane.ts';
import type { Clock } from '../../lib/clock.ts';
import { NamespaceResource } from '../../api/resources.ts';
import { DEMO_NAMESPACE } from '../labels.ts';

/** An embedded control plane in memory, with the namespace of the workload. */
export async function startTestPlane(clock: Clock): Promise<EmbeddedControlPlane> {
  const plane = await startEmbeddedControlPlane({ name: 'test', clock, crds: [] });
  plane.store.create(NamespaceResource, { apiVersion: 'v1', kind: 'Namespace', metadata: { name: DEMO_NAMESPACE } });
  return plane;
}
