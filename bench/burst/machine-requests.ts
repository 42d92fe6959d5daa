/** Which machines were requested of the provider and came back, by its own log. Unix milliseconds. */
import { machineObjectName } from '../../src/api/names.ts';
import { parseResources } from '../../src/api/resource-vector.ts';

type Amounts = Readonly<Record<string, string>>;

export class MachineRequests {
  private readonly requestedAt = new Map<string, number>();
  private readonly out = new Set<string>();
  private readonly sizes: ReadonlyMap<string, Amounts>;
  lastAt = 0;
  lastReturnedAt = 0;
  returned = 0;

  constructor(offers: readonly { readonly id: string; readonly allocatable: Amounts }[]) {
    this.sizes = new Map(offers.map(({ id, allocatable }) => [machineObjectName(id), allocatable]));
  }

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

  /** When so many machines were requested that together they have what all of these ask for, and how many that were. */
  coveredAt(requests: readonly Amounts[]): { readonly at: number; readonly machines: number } | undefined {
    const missing = new Map<string, number>();
    for (const each of requests) for (const [dimension, amount] of parseResources(Object.entries(each), 'up')) missing.set(dimension, (missing.get(dimension) ?? 0) + amount);
    let machines = 0;
    for (const [node, at] of [...this.requestedAt].sort(([, a], [, b]) => a - b)) {
      machines++;
      for (const [dimension, amount] of parseResources(Object.entries(this.sizes.get(node) ?? {}), 'down')) missing.set(dimension, (missing.get(dimension) ?? 0) - amount);
      if ([...missing.values()].every((amount) => amount <= 0)) return { at, machines };
    }
    return undefined;
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
