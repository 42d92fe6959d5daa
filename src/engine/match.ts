/** Whether a machine matches a profile (spec: engine 3). Resources are not part of it, taints neither. */
import { requirementHolds, sameRequirement, strictSpread } from '../api/profile.ts';
import type { Profile } from '../api/profile.ts';

export const INSTANCE_TYPE_KEY = 'node.kubernetes.io/instance-type';
export const ZONE_KEY = 'topology.kubernetes.io/zone';

/** What of a machine can be matched. */
export interface Attributes {
  readonly instanceType: string;
  readonly zone: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** The value under `key`, or undefined. Type and zone speak for themselves; when empty, a label of that name may. */
export function attribute(key: string, machine: Attributes): string | undefined {
  if (key === INSTANCE_TYPE_KEY && machine.instanceType !== '') return machine.instanceType;
  if (key === ZONE_KEY && machine.zone !== '') return machine.zone;
  return Object.hasOwn(machine.labels, key) ? machine.labels[key] : undefined;
}

/** True iff every requirement holds for the machine on its own; that all machines of a Same Need agree is decided later. */
export function matches(profile: Profile, machine: Attributes): boolean {
  for (const requirement of profile.requirements) {
    if (!requirementHolds(requirement, attribute(requirement.key, machine))) return false;
  }
  return true;
}

export interface StrictSpread {
  readonly key: string;
  readonly maxSkew: number;
}

/** The first spread term that must not be violated; others have no effect, and Same wins over any (spec: engine 1.4, 6.6). `profile` is canonical. */
export function strictSpreadOf(profile: Profile): StrictSpread | undefined {
  if (sameRequirement(profile) !== undefined) return undefined;
  const term = strictSpread(profile);
  return term && { key: term.topologyKey, maxSkew: Math.max(1, term.maxSkew) };
}

/** Every label key that can influence a decision about this profile. */
export function keysOf(profile: Profile): string[] {
  return [...profile.requirements.map((r) => r.key), ...profile.spread.map((s) => s.topologyKey)];
}
