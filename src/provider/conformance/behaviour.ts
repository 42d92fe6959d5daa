import type { Trial } from './trial.ts';

/**
 * What a provider claims to be. `core` is the contract; `cloud` and `spot` add demands on who can delete and who sells
 * interruptible capacity; `bare-metal` is core for fixed capacity, whose Delete is UNIMPLEMENTED.
 */
export const profiles = ['core', 'cloud', 'spot', 'bare-metal', 'fault', 'scale', 'durable'] as const;
export type Profile = (typeof profiles)[number];

export const areas = [
  'baseline', 'lifecycle', 'errors', 'fencing', 'concurrency', 'metadata', 'faults', 'fieldshape', 'list', 'durability', 'scale', 'property',
] as const;
export type Area = (typeof areas)[number];

/** What a provider may lack without breaking a rule; whoever lacks it cannot be certified for what needs it. */
export type Capability = 'delete' | 'revisions';

/** One promise of the contract and how to find out whether it is kept (spec: provider 1.4). */
export interface Behaviour {
  /** Never changes and is never used again for something else. */
  readonly id: string;
  readonly area: Area;
  /** Who must keep it; empty: everybody (the baseline). */
  readonly profiles: readonly Profile[];
  /** One sentence. */
  readonly promise: string;
  readonly needs?: readonly Capability[];
  /** It watches that nothing changes, so nothing of ours may be under way. */
  readonly isQuiet?: boolean;
  /** Resolves when the promise is kept; throws a Violation when not, NotTestable when it cannot be told. */
  readonly run: (trial: Trial) => Promise<void>;
}

/** What varies from behaviour to behaviour of one area. */
export type BehaviourOfArea = Omit<Behaviour, 'area' | 'profiles'> & { readonly alsoIn?: readonly Profile[] };

/** Puts the behaviours of one area into its profile, and into others where they say so. */
export function inArea(area: Area, profile: Profile | undefined, list: readonly BehaviourOfArea[]): readonly Behaviour[] {
  return list.map(({ alsoIn = [], ...behaviour }) => ({ ...behaviour, area, profiles: profile === undefined ? [] : [profile, ...alsoIn] }));
}
