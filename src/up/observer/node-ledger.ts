/** A Node of a BigFleet machine as an API server shows it. */
export interface SeenNode {
  readonly cluster: string;
  readonly name: string;
  readonly machine: string;
  readonly live: boolean;
  /** Unix ms, whole seconds. */
  readonly createdAt: number;
  /** When it stopped to be Ready, if it did (Unix ms, whole seconds). */
  readonly stoppedAt?: number;
}

/** Two watches are not synchronised, and after a restart of the API servers they resume apart from each other. */
const OVERLAP_TOLERANCE_MS = 2_000;

interface Overlap {
  readonly first: SeenNode;
  readonly second: SeenNode;
  readonly since: number;
}

/** Which machine is a Node of which cluster, and whether any was one of two at a time. */
export class NodeLedger {
  private readonly nodes = new Map<string, SeenNode>();
  private readonly liveByMachine = new Map<string, Map<string, SeenNode>>();
  private readonly overlaps = new Map<string, Overlap>();
  /** Every (machine, cluster) that ever was a Node. */
  private readonly everBound = new Map<string, { machine: string; cluster: string }>();
  /** By cluster and Node name. */
  private readonly machines = new Map<string, string>();
  private doubleBound = 0;

  /** Machines that are Nodes now, dead ones included. */
  get count(): number {
    return this.nodes.size;
  }

  bindings(): Iterable<{ readonly machine: string; readonly cluster: string }> {
    return this.everBound.values();
  }

  /** The machine of a Node, also of one that is gone. A Node's name belongs to one machine for ever. */
  machineOf(cluster: string, node: string): string | undefined {
    return this.machines.get(`${cluster}/${node}`);
  }

  /** Overlaps that turned out real, those that last until now included. */
  doubleBoundBy(now: number): number {
    let open = 0;
    for (const overlap of this.overlaps.values()) if (now - overlap.since >= OVERLAP_TOLERANCE_MS) open++;
    return this.doubleBound + open;
  }

  seen(node: SeenNode, now: number): void {
    const key = `${node.cluster}/${node.name}`;
    this.nodes.set(key, node);
    this.everBound.set(`${node.machine} ${node.cluster}`, { machine: node.machine, cluster: node.cluster });
    this.machines.set(key, node.machine);
    if (node.live) this.alive(node, now);
    else this.ended(node, node.stoppedAt, now);
  }

  gone(cluster: string, name: string, now: number): void {
    const node = this.nodes.get(`${cluster}/${name}`);
    if (!node) return;
    this.nodes.delete(`${cluster}/${name}`);
    this.ended(node, undefined, now);
  }

  private alive(node: SeenNode, now: number): void {
    const live = this.liveByMachine.get(node.machine) ?? new Map<string, SeenNode>();
    this.liveByMachine.set(node.machine, live);
    for (const other of live.values()) {
      if (other.cluster === node.cluster || this.overlaps.has(node.machine)) continue;
      this.overlaps.set(node.machine, { first: other, second: node, since: now });
    }
    live.set(node.cluster, node);
  }

  private ended(node: SeenNode, stoppedAt: number | undefined, now: number): void {
    this.liveByMachine.get(node.machine)?.delete(node.cluster);
    const overlap = this.overlaps.get(node.machine);
    if (!overlap || (overlap.first.cluster !== node.cluster && overlap.second.cluster !== node.cluster)) return;
    this.overlaps.delete(node.machine);
    // The news may be late; the Node itself says when it stopped.
    const inTime = stoppedAt !== undefined && overlap.first.cluster === node.cluster && stoppedAt <= overlap.second.createdAt + 1_000;
    if (!inTime && now - overlap.since >= OVERLAP_TOLERANCE_MS) this.doubleBound++;
  }
}
