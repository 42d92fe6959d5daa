import { requirementHolds } from '../api/profile.ts';
import type { Profile } from '../api/profile.ts';
import { parseQuantity } from '../api/quantity.ts';
import type { ResourceList } from '../api/types.ts';
import type { ExactAmounts } from './contribution.ts';

/** Whether a machine with these labels may serve the profile. Same is about several machines and says nothing of one. */
export function labelsMatch(profile: Profile, labels: Readonly<Record<string, string>>): boolean {
  return profile.requirements.every(
    (requirement) => requirement.operator === 'Same' || requirementHolds(requirement, Object.hasOwn(labels, requirement.key) ? labels[requirement.key] : undefined),
  );
}

/** Whether a machine can hold one unit by itself. */
export function covers(have: ExactAmounts, unit: ExactAmounts): boolean {
  const amounts = new Map(have);
  return unit.every(([dimension, nanos]) => (amounts.get(dimension) ?? 0n) >= nanos);
}

/** What a machine offers; a quantity that cannot be read offers nothing. */
export function offered(resources: ResourceList | undefined): ExactAmounts {
  return Object.entries(resources ?? {}).flatMap(([dimension, text]) => {
    try {
      return [[dimension, parseQuantity(text).nanos] as const];
    } catch {
      return [];
    }
  });
}

