/** Names the simulated fleet gives its machines and Pods. The machine-id label is the product's own (api/constants). */
export const GPU_MILLI = 'bigfleet.example/gpu-milli';
export const GPU_MODEL_LABEL = 'bigfleet.example/gpu-model';
export const RACK_LABEL = 'topology.bigfleet/rack';
export const ZONES = ['zone-a', 'zone-b', 'zone-c', 'zone-d'] as const;
export const DEMO_NAMESPACE = 'demo';

/** Names of the managed clusters: cluster-1 to cluster-n. */
export function clusterNames(count: number): string[] {
  return Array.from({ length: count }, (_, i) => `cluster-${i + 1}`);
}
