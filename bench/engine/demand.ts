/** Demand of a shape: rows as an operator's roll-up has them. Profiles are shared by all rows that ask for the same. */
import { fingerprint, unitClass } from '../../src/api/profile.ts';
import type { Profile, Requirement } from '../../src/api/profile.ts';
import type { Assignment, Need, ResourceVector } from '../../src/engine/types.ts';

export const GIB = 2 ** 30;
export const MIB = 2 ** 20;
export const DOLLAR = 1_000_000;
export const TYPE_KEY = 'node.kubernetes.io/instance-type';
export const ZONE_KEY = 'topology.kubernetes.io/zone';
export const RACK_KEY = 'topology.bigfleet/rack';
export const ZONES = ['zone-a', 'zone-b', 'zone-c'] as const;

/** Amounts in base units, in order of name. */
export function vector(amounts: Readonly<Record<string, number>>): ResourceVector {
  return Object.entries(amounts).sort(([a], [b]) => (a < b ? -1 : 1));
}

export function times(unit: ResourceVector, n: number): ResourceVector {
  return unit.map(([name, amount]) => [name, amount * n] as const);
}

export function plus(a: ResourceVector, b: ResourceVector): ResourceVector {
  const sum = new Map(a);
  for (const [name, amount] of b) sum.set(name, (sum.get(name) ?? 0) + amount);
  return vector(Object.fromEntries(sum));
}

export function typeIn(...values: readonly string[]): Requirement {
  return { key: TYPE_KEY, operator: 'In', values };
}

export function zoneIn(...values: readonly string[]): Requirement {
  return { key: ZONE_KEY, operator: 'In', values };
}

export const SAME_RACK: Requirement = { key: RACK_KEY, operator: 'Same', values: [] };

/** One profile and unit from which the rows of many clusters are made. */
export class Ask {
  readonly profile: Profile;
  readonly unit: ResourceVector;
  readonly fingerprint: string;
  readonly unitClass: string;

  constructor(profile: Profile, unit: ResourceVector) {
    this.profile = profile;
    this.unit = unit;
    this.fingerprint = fingerprint(profile);
    this.unitClass = unitClass(unit);
  }

  need(cluster: string, units: number, group = ''): Need {
    return {
      cluster,
      profile: this.profile,
      fingerprint: this.fingerprint,
      group,
      unitClass: this.unitClass,
      aggregate: times(this.unit, units),
      minUnit: this.unit,
    };
  }

  assignment(cluster: string, group = ''): Assignment {
    const { priority, interruptionBucket, reclamationBucket } = this.profile;
    return { cluster, fingerprint: this.fingerprint, group, priority, interruptionBucket, reclamationBucket };
  }
}

export function profile(requirements: readonly Requirement[], over: Partial<Profile> = {}): Profile {
  return { requirements, spread: [], priority: 1000, interruptionBucket: 1, reclamationBucket: 1, ...over };
}
