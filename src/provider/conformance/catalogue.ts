import { baseline } from './baseline.ts';
import type { Behaviour, Profile } from './behaviour.ts';
import { concurrency } from './concurrency.ts';
import { durability } from './durability.ts';
import { errors } from './errors.ts';
import { faults } from './faults.ts';
import { fencing } from './fencing.ts';
import { fieldShape } from './field-shape.ts';
import { lifecycle } from './lifecycle.ts';
import { list } from './list.ts';
import { metadata } from './metadata.ts';
import { property } from './property.ts';
import { scale } from './scale.ts';

/** Every behaviour there is, in the order they are tried. */
export const catalogue: readonly Behaviour[] = [
  ...baseline, ...lifecycle, ...errors, ...fencing, ...concurrency, ...metadata, ...fieldShape, ...list, ...property, ...faults, ...scale, ...durability,
];

/**
 * What a provider that makes these claims must keep: the baseline, and every behaviour of a claimed profile. `bare-metal`
 * is core without what needs a working Delete.
 */
export function required(claims: ReadonlySet<Profile>): readonly Behaviour[] {
  return catalogue.filter(({ profiles, needs = [] }) => {
    if (profiles.length === 0 || profiles.some((p) => claims.has(p))) return true;
    return claims.has('bare-metal') && profiles.includes('core') && !needs.includes('delete');
  });
}
