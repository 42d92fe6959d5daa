import { addQuantities, compareQuantities, formatQuantity, parseQuantity, type Quantity } from '../api/quantity.ts';
import type { Container, Pod, ResourceList } from '../api/types.ts';
import { compareText } from '../lib/compare-text.ts';

type Amounts = Map<string, Quantity>;

/**
 * What a Pod takes up on a node, dimension by dimension, as kube-scheduler computes it (spec: pod-controller 3.4): the
 * larger of what runs together and the peak while it starts, plus overhead. Pod-level requests override the containers'.
 * Zero dimensions are left out. A Pod that asks for nothing still takes a place: it counts as one milli-core (D4).
 */
export function podResources(pod: Pod): Record<string, string> {
  const { containers, initContainers = [], overhead, resources } = pod.spec;
  const running: Amounts = new Map();
  for (const container of containers) addTo(running, requests(container));
  for (const init of initContainers) if (isSidecar(init)) addTo(running, requests(init));

  const peak: Amounts = new Map();
  const sidecars: Amounts = new Map();
  for (const init of initContainers) {
    if (isSidecar(init)) {
      addTo(sidecars, requests(init));
      raiseTo(peak, sidecars);
    } else {
      const during = new Map(sidecars);
      addTo(during, requests(init));
      raiseTo(peak, during);
    }
  }
  raiseTo(running, peak);
  for (const [dimension, amount] of parsed(resources?.requests)) running.set(dimension, amount);
  addTo(running, parsed(overhead));
  return printed(running);
}

function isSidecar(init: Container): boolean {
  return init.restartPolicy === 'Always';
}

function requests(container: Container): Amounts {
  return parsed(container.resources?.requests);
}

function parsed(list: ResourceList | undefined): Amounts {
  return new Map(Object.entries(list ?? {}).map(([dimension, text]) => [dimension, parseQuantity(text)]));
}

function addTo(sum: Amounts, more: Amounts): void {
  for (const [dimension, amount] of more) {
    const known = sum.get(dimension);
    sum.set(dimension, known ? addQuantities(known, amount) : amount);
  }
}

function raiseTo(max: Amounts, other: Amounts): void {
  for (const [dimension, amount] of other) {
    const known = max.get(dimension);
    if (!known || compareQuantities(amount, known) > 0) max.set(dimension, amount);
  }
}

function printed(amounts: Amounts): Record<string, string> {
  const entries = [...amounts]
    .filter(([, amount]) => amount.nanos !== 0n)
    .sort(([a], [b]) => compareText(a, b))
    .map(([dimension, amount]) => [dimension, formatQuantity(amount)] as const);
  return entries.length > 0 ? Object.fromEntries(entries) : { cpu: '1m' };
}
