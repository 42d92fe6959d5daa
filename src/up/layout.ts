import { join } from 'node:path';
import { DEMAND_LOG, HUB_KUBECONFIG, kubeconfigName } from '../world/file-names.ts';

/** Where each thing lies in the data directory of a run. */
export interface Layout {
  readonly root: string;
  readonly world: string;
  readonly hubKubeconfig: string;
  readonly demandLog: string;
  readonly demandPlan: string;
  readonly hubObjects: string;
  readonly providerSeeds: string;
  readonly providerState: string;
  readonly operationLog: string;
  readonly shardState: string;
  readonly auditLog: string;
  readonly logs: string;
  readonly compileCache: string;
  clusterKubeconfig(cluster: string): string;
  bootstrapTemplate(cluster: string): string;
  logOf(process: string): string;
}

export function layoutOf(root: string): Layout {
  const world = join(root, 'world');
  const logs = join(root, 'logs');
  return {
    root,
    world,
    hubKubeconfig: join(world, HUB_KUBECONFIG),
    demandLog: join(world, DEMAND_LOG),
    demandPlan: join(root, 'demand.json'),
    hubObjects: join(root, 'hub-objects.json'),
    providerSeeds: join(root, 'machines.jsonl'),
    providerState: join(root, 'provider'),
    operationLog: join(root, 'provider-operations.jsonl'),
    shardState: join(root, 'shard'),
    auditLog: join(root, 'shard-audit.jsonl'),
    logs,
    compileCache: join(root, 'compile-cache'),
    clusterKubeconfig: (cluster) => join(world, kubeconfigName(cluster)),
    bootstrapTemplate: (cluster) => join(root, `bootstrap-${cluster}.tmpl`),
    logOf: (name) => join(logs, `${name}.log`),
  };
}
