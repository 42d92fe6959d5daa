/** Files that the world writes into its data directory, for those who read them from outside. */
export const HUB_KUBECONFIG = 'hub.kubeconfig';
export const DEMAND_LOG = 'demand.jsonl';

export function kubeconfigName(clusterId: string): string {
  return `${clusterId}.kubeconfig`;
}
