import { labelValue, upcomingNodeName } from '../api/names.ts';
import type { Node, UpcomingNode } from '../api/types.ts';
import type { Store } from '../runtime/types.ts';
import { MACHINE_ID_LABEL } from './labels.ts';

/** Indexes that the Node informer must declare. */
export const nodeIndexes = {
  machine: (node: Node) => values(node.metadata.labels?.[MACHINE_ID_LABEL]),
  provider: (node: Node) => values(node.spec?.providerID),
};

/** Indexes that the UpcomingNode informer must declare. */
export const upcomingNodeIndexes = {
  machine: (un: UpcomingNode) => [labelValue(machineIdOfUpcomingNode(un))],
  provider: (un: UpcomingNode) => values(un.status?.providerID),
  node: (un: UpcomingNode) => values(un.status?.nodeRef?.name),
};

/** Objects of other writers may lack the annotation; then the name says it. */
export function machineIdOfUpcomingNode(un: UpcomingNode): string {
  return un.metadata.annotations?.[MACHINE_ID_LABEL] ?? un.metadata.name.replace(/^un-/, '');
}

/**
 * Which Node is which machine: by the machine-id label that joining machines carry, else by the provider id that the
 * shard announced (D1). Reads the caches only.
 */
export class FleetNodes {
  private readonly nodes: Store<Node>;
  private readonly upcoming: Store<UpcomingNode>;

  constructor(nodes: Store<Node>, upcoming: Store<UpcomingNode>) {
    this.nodes = nodes;
    this.upcoming = upcoming;
  }

  /** Undefined: no machine of the fleet. */
  machineIdOf(node: Node): string | undefined {
    const label = node.metadata.labels?.[MACHINE_ID_LABEL];
    // A label value is shorter than an id may be; the UpcomingNode knows the whole.
    const announced = label ? this.upcoming.byIndex('machine', label)[0] : this.byProvider(node.spec?.providerID);
    return announced ? machineIdOfUpcomingNode(announced) : label || undefined;
  }

  /** Undefined: the cache does not know the Node (yet). */
  isFleetNode(nodeName: string): boolean | undefined {
    const node = this.nodes.get(nodeName);
    return node && this.machineIdOf(node) !== undefined;
  }

  nodeOf(machineId: string): Node | undefined {
    const labelled = this.nodes.byIndex('machine', labelValue(machineId))[0];
    if (labelled) return labelled;
    const status = this.upcoming.get(upcomingNodeName(machineId))?.status;
    const provided = status?.providerID ? this.nodes.byIndex('provider', status.providerID)[0] : undefined;
    return provided ?? (status?.nodeRef?.name ? this.nodes.get(status.nodeRef.name) : undefined);
  }

  private byProvider(providerID: string | undefined): UpcomingNode | undefined {
    return providerID ? this.upcoming.byIndex('provider', providerID)[0] : undefined;
  }
}

export function isReady(node: Node): boolean {
  return node.status?.conditions?.some((c) => c.type === 'Ready' && c.status === 'True') ?? false;
}

function values(value: string | undefined): string[] {
  return value ? [value] : [];
}
