/** Which machines were requested of the provider and came back, by its own log. Unix milliseconds. */
import { machineObjectName } from '../../src/api/names.ts';

export class MachineRequests {
  private readonly requestedAt = new Map<string, number>();
  private readonly out = new Set<string>();
  lastAt = 0;
  lastReturnedAt = 0;
  returned = 0;

  get count(): number {
    return this.requestedAt.size;
  }

  get allReturned(): boolean {
    return this.out.size === 0;
  }

  /** When the machine behind this Node was requested. Nodes have the names that machines give them when they join. */
  at(node: string): number | undefined {
    return this.requestedAt.get(node);
  }

  /** One line of the operation log. */
  take(line: unknown): void {
    const { event, t, machineId, rpc, outcome, to } = line as Readonly<Record<string, unknown>>;
    const node = machineObjectName(String(machineId));
    if (event === 'call' && rpc === 'Create' && outcome === 'OK') {
      if (!this.requestedAt.has(node)) this.lastAt = Math.max(this.lastAt, Number(t));
      this.requestedAt.set(node, this.requestedAt.get(node) ?? Number(t));
      this.out.add(node);
    } else if (event === 'state' && to === 'Speculative' && this.out.delete(node)) {
      this.returned++;
      this.lastReturnedAt = Number(t);
    }
  }
}
