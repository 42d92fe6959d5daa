import { toBaseUnits } from '../../api/quantity.ts';
import type { Pod, ResourceList } from '../../api/core.ts';

/** Amounts in base units by resource name, sorted by name. */
export type Amounts = readonly (readonly [name: string, amount: number])[];


/**
 * What a Pod occupies, as the real scheduler counts it: containers and sidecars together, or the peak while the init
 * containers run, whichever is more, plus overhead. Throws on what is no quantity, naming `owner` and resource.
 */
export function podRequests(spec: Pod['spec'], owner: string): Amounts {
  const running = new Map<string, number>();
  for (const container of spec.containers ?? []) add(running, container.resources?.requests, owner);
  const sidecars = new Map<string, number>();
  const peak = new Map<string, number>();
  for (const container of spec.initContainers ?? []) {
    const now = new Map(sidecars);
    add(now, container.resources?.requests, owner);
    raise(peak, now);
    if (container.restartPolicy === 'Always') add(sidecars, container.resources?.requests, owner);
  }
  for (const [name, amount] of sidecars) running.set(name, (running.get(name) ?? 0) + amount);
  raise(running, peak);
  add(running, spec.overhead, owner);
  return sorted(running);
}

/** What a Node offers, in base units. Throws as podRequests. */
export function allocatableAmounts(quantities: ResourceList | undefined, owner: string): ReadonlyMap<string, number> {
  return new Map(Object.entries(quantities ?? {}).map(([name, quantity]) => [name, parse(name, quantity, owner, 'down')]));
}

function add(sum: Map<string, number>, quantities: ResourceList | undefined, owner: string): void {
  for (const [name, quantity] of Object.entries(quantities ?? {})) {
    sum.set(name, (sum.get(name) ?? 0) + parse(name, quantity, owner, 'up'));
  }
}

function parse(name: string, quantity: string | number, owner: string, rounding: 'up' | 'down'): number {
  try {
    return toBaseUnits(name, quantity, rounding);
  } catch (error) {
    throw new Error(`${owner}: resource ${name}: ${error instanceof Error ? error.message : String(error)}`, { cause: error });
  }
}

function raise(to: Map<string, number>, at: ReadonlyMap<string, number>): void {
  for (const [name, amount] of at) to.set(name, Math.max(to.get(name) ?? 0, amount));
}

function sorted(sum: ReadonlyMap<string, number>): Amounts {
  return [...sum].filter(([, amount]) => amount > 0).sort(([a], [b]) => (a < b ? -1 : 1));
}
