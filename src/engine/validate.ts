/** What `apply` refuses. A refused change leaves the engine as it was; the message names the machine or row and the field. */
import type { Change, EngineMachine, MemoryChange, Need, NodeHint, Policy, ResourceVector } from './types.ts';

export function assertValid(change: Change): void {
  switch (change.kind) {
    case 'machines':
      return change.upserted.forEach(assertMachine);
    case 'needs':
      return change.needs.forEach((need) => assertNeed(change.cluster, need));
    case 'hints':
      return change.hints?.forEach((hint) => assertHint(change.cluster, hint));
    case 'policy':
      return assertPolicy(change.policy);
    case 'memory':
      return change.changes.forEach(assertMemory);
    case 'session':
    case 'supply':
      return;
  }
}

export function assertPolicy(policy: Policy): void {
  const numbers: [string, number | undefined][] = [
    ['reclaimCapFraction', policy.reclaimCapFraction],
    ['reclaimCapMs', policy.reclaimCapMs],
    ['maxConcurrentDrainsPerCluster', policy.maxConcurrentDrainsPerCluster],
    ['maxReclaimsPerMinute', policy.maxReclaimsPerMinute],
    ['holds.onDemandMs', policy.holds.onDemandMs],
    ['holds.spotMs', policy.holds.spotMs],
    ['holds.occupiedExcessMs', policy.holds.occupiedExcessMs],
    ['limits.machines', policy.limits.machines],
    ['limits.microUsdPerHour', policy.limits.microUsdPerHour],
    ['reclaimGraceSeconds', policy.reclaimGraceSeconds],
  ];
  for (const [field, value] of numbers) {
    if (value !== undefined && !isAmount(value)) fail('policy', field, 'must be a finite number of at least 0', value);
  }
  for (const seconds of policy.preemptionGraceSeconds) if (!isAmount(seconds)) fail('policy', 'preemptionGraceSeconds', 'must be four finite numbers of at least 0', policy.preemptionGraceSeconds);
  if (policy.reclaimCapFraction > 1) fail('policy', 'reclaimCapFraction', 'must be at most 1', policy.reclaimCapFraction);
}

function assertMachine(machine: EngineMachine): void {
  const who = `machine "${machine.id}"`;
  if (machine.id === '') fail(who, 'id', 'must not be empty', machine.id);
  const price = machine.priceMicroUsdPerHour;
  // Integers keep the fleet's total exact however often it is added to and taken from.
  if (!isCount(price)) fail(who, 'priceMicroUsdPerHour', 'must be an integer of at least 0', price);
  const p = machine.interruptionProbability;
  if (!(p >= 0 && p <= 1)) fail(who, 'interruptionProbability', 'must be in [0, 1]', p);
  if ((machine.state === 'Configured' || machine.state === 'Draining') && machine.cluster === '') {
    fail(who, 'cluster', `must be set in state ${machine.state}`, machine.cluster);
  }
  assertVector(who, 'allocatable', machine.allocatable);
}

function assertNeed(cluster: string, need: Need): void {
  const who = named(need);
  if (need.cluster !== cluster) fail(who, 'cluster', `must be "${cluster}", whose demand this is`, need.cluster);
  assertVector(who, 'aggregate', need.aggregate);
  assertVector(who, 'minUnit', need.minUnit);
  const wanted = need.aggregate.some(([, amount]) => amount > 0);
  if (wanted && !need.minUnit.some(([, amount]) => amount > 0)) {
    fail(who, 'minUnit', 'must name what every machine has to cover', '{}');
  }
}

/** Rows of one demand that are counted each may be too much together; their sum would then be served as something else. */
export function assertCountable(merged: Need): void {
  for (const [name, amount] of merged.aggregate) {
    if (!isCount(amount)) fail(named(merged), `aggregate.${name}`, 'must be at most 2^53 − 1 base units in all rows of this demand together', amount);
  }
}

const named = ({ fingerprint, group, cluster }: Need): string => `need ${fingerprint} (group "${group}") of cluster "${cluster}"`;

function assertVector(who: string, field: string, vector: ResourceVector): void {
  let before: string | undefined;
  for (const [name, amount] of vector) {
    if (!isCount(amount)) fail(who, `${field}.${name}`, 'must be a whole number of base units from 0 to 2^53 − 1', amount);
    if (before !== undefined && !(before < name)) fail(who, `${field}.${name}`, 'must come in order of name, each once', name);
    before = name;
  }
}

function assertHint(cluster: string, hint: NodeHint): void {
  const who = `hint of cluster "${cluster}" for machine "${hint.machineId}"`;
  if (!isAmount(hint.pods)) fail(who, 'pods', 'must be a finite number of at least 0', hint.pods);
  if (!isAmount(hint.disruptionCost)) fail(who, 'disruptionCost', 'must be a finite number of at least 0', hint.disruptionCost);
}

function assertMemory(change: MemoryChange): void {
  if (change.what === 'reservation') return;
  const instants = change.at === null ? [] : typeof change.at === 'number' ? [change.at] : change.at;
  for (const at of instants) {
    if (!Number.isFinite(at)) fail(`memory ${change.what} of "${change.key}"`, 'at', 'must be a finite time', at);
  }
}

function isCount(value: number): boolean {
  return Number.isSafeInteger(value) && value >= 0;
}

function isAmount(value: number): boolean {
  return Number.isFinite(value) && value >= 0;
}

function fail(who: string, field: string, rule: string, value: unknown): never {
  throw new Error(`${who}: ${field} ${rule}, is ${String(value)}`);
}
