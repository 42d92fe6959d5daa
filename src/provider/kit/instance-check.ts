import { compareQuantities, parseQuantity } from '../../api/quantity.ts';
import { parseResources } from '../../api/resource-vector.ts';
import type { Instance } from './machine.ts';

export interface InstanceProblem {
  readonly field: string;
  readonly text: string;
}

type Bad = (field: string, text: string) => void;

/** Fields of their own on the wire: a label of such a name would be a second truth. */
const fieldLabels = new Set([
  'instance-type', 'instance_type', 'instanceType', 'zone', 'availability-zone', 'availability_zone', 'capacity-type', 'capacity_type', 'capacityType',
]);
const capacityTypes: readonly string[] = ['BareMetal', 'Reserved', 'OnDemand', 'Spot'];

/** What is wrong with a described instance, field by field; empty when it may enter the inventory (spec: provider 2.2). */
export function checkInstance(instance: Instance, requireZone: boolean): InstanceProblem[] {
  const problems: InstanceProblem[] = [];
  const bad: Bad = (field, text) => void problems.push({ field, text });
  if (!instance.id) bad('id', 'must not be empty');
  if (!instance.instanceType) bad('instanceType', 'must not be empty');
  if (requireZone && !instance.zone) bad('zone', 'must not be empty');
  if (!capacityTypes.includes(instance.capacityType)) {
    bad('capacityType', `must be one of ${capacityTypes.join(', ')}, not ${JSON.stringify(instance.capacityType)}`);
  }
  if (!(instance.pricePerHour >= 0 && Number.isFinite(instance.pricePerHour))) {
    bad('pricePerHour', 'must be a finite number of US dollars, 0 or more');
  }
  const p = instance.interruptionProbability;
  if (!(p >= 0 && p <= 1)) bad('interruptionProbability', 'must lie between 0 and 1');
  else if (instance.capacityType === 'Spot' && p === 0) bad('interruptionProbability', 'must be above 0 for Spot');
  problems.push(...checkSize(instance));
  for (const key of Object.keys(instance.labels)) {
    if (fieldLabels.has(key)) bad('labels', `must not hold ${JSON.stringify(key)}: it is a field of its own, leave the label out`);
  }
  checkHost(instance, bad);
  return problems;
}

/** What is wrong with the size of a machine, as described or as a Create made it. */
export function checkSize(size: Pick<Instance, 'resources' | 'allocatable'>): InstanceProblem[] {
  const problems: InstanceProblem[] = [];
  const bad: Bad = (field, text) => void problems.push({ field, text });
  if (Object.keys(size.resources).length === 0) bad('resources', 'must name at least one resource, such as cpu');
  for (const field of ['resources', 'allocatable'] as const) {
    try {
      const amounts = parseResources(Object.entries(size[field] ?? {}), 'down');
      const none = field === 'resources' ? amounts.find(([, amount]) => amount === 0) : undefined;
      if (none) bad(field, `must not name ${none[0]} with an amount of 0: leave out what the machine does not have`);
    } catch (error) {
      bad(field, error instanceof Error ? error.message : String(error));
    }
  }
  if (problems.length === 0) checkAllocatable(size, bad);
  return problems;
}

/** Compared exactly, not as the engine rounds: conformance is as exact. */
function checkAllocatable({ resources, allocatable = {} }: Pick<Instance, 'resources' | 'allocatable'>, bad: Bad): void {
  const all = new Map(Object.entries(resources));
  for (const [name, amount] of Object.entries(allocatable)) {
    const whole = all.get(name);
    if (whole === undefined || compareQuantities(parseQuantity(amount), parseQuantity(whole)) <= 0) continue;
    bad('allocatable', `${name} ${amount} is more than the ${whole} of resources: it is what they leave for Pods; lower it, or raise resources`);
  }
}

function checkHost(instance: Instance, bad: Bad): void {
  if (instance.state === 'Speculative') {
    if (instance.host) bad('host', 'must be absent while the state is Speculative');
  } else if (instance.state === 'Idle') {
    if (!instance.host?.provider || !instance.host.ref) bad('host', 'needs provider and ref while the state is Idle');
  } else {
    bad('state', `must be Speculative or Idle, not ${JSON.stringify(instance.state)}`);
  }
}
