import type { NodeHint } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import type { Node, Pod } from '../api/types.ts';
import type { Store, StoreEvent } from '../runtime/types.ts';
import { isReady, type FleetNodes } from './fleet-nodes.ts';
import { disruptionCost, isMovable, refusesDisruption } from './pod-traits.ts';

const MAX_INT32 = 2_147_483_647;

interface Load {
  pods: number;
  cost: number;
  refusing: number;
}

/** How much would have to move if a Node went (D13), kept up Pod by Pod so that a roll-up reads only the Nodes. */
export class NodeLoad {
  private readonly loads = new Map<string, Load>();

  /** Feed it every event of the Pod informer. */
  observe(event: StoreEvent<Pod>): void {
    if (event.type !== 'added') this.count(event.old, -1);
    if (event.type !== 'deleted') this.count(event.object, 1);
  }

  /** Movable Pods on the Node. */
  podsOn(nodeName: string): number {
    return this.loads.get(nodeName)?.pods ?? 0;
  }

  /** One hint for every Node that is a machine of the fleet (D18), sorted by machine; `heldBy` says what holds up its drain. */
  hints(nodes: Store<Node>, fleet: FleetNodes, heldBy: (machineId: string) => string = () => ''): NodeHint[] {
    const hints: NodeHint[] = [];
    for (const node of nodes.values()) {
      const machineId = fleet.machineIdOf(node);
      if (machineId === undefined) continue;
      const load = this.loads.get(node.metadata.name);
      hints.push({
        machineId,
        nodeName: node.metadata.name,
        ready: isReady(node),
        pods: load?.pods ?? 0,
        disruptionCost: Math.min(MAX_INT32, load?.cost ?? 0),
        doNotDisrupt: (load?.refusing ?? 0) > 0 || refusesDisruption(node.metadata.annotations),
        heldBy: heldBy(machineId),
      });
    }
    return hints.sort((a, b) => (a.machineId < b.machineId ? -1 : 1));
  }

  private count(pod: Pod, sign: 1 | -1): void {
    const name = pod.spec.nodeName;
    if (!name || !isMovable(pod)) return;
    let load = this.loads.get(name);
    if (!load) this.loads.set(name, (load = { pods: 0, cost: 0, refusing: 0 }));
    load.pods += sign;
    load.cost += sign * disruptionCost(pod);
    if (refusesDisruption(pod.metadata.annotations)) load.refusing += sign;
    if (load.pods === 0) this.loads.delete(name);
  }
}
