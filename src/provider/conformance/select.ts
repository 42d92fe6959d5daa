import { UsageError } from '../../lib/usage-error.ts';
import { profiles, type Behaviour, type Profile } from './behaviour.ts';
import { catalogue, required } from './catalogue.ts';

export interface Selection {
  readonly claims: ReadonlySet<Profile>;
  readonly behaviours: readonly Behaviour[];
}

/**
 * What `--profile` and `--only` mean. A behaviour named by --only is tried whatever the profiles. Throws a UsageError for
 * a name that does not exist.
 */
export function select(profileList: string, only?: string): Selection {
  const claims = new Set(words(profileList).map(profileOf));
  if (claims.size === 0) throw new UsageError(`--profile: name at least one of ${profiles.join(', ')}`);
  if (claims.has('bare-metal') && (claims.has('core') || claims.has('cloud'))) {
    throw new UsageError('--profile: bare-metal is core for a provider that cannot delete; claim one or the other');
  }
  if (only === undefined) return { claims, behaviours: required(claims) };
  const ids = words(only);
  for (const id of ids) {
    if (!catalogue.some((b) => b.id === id)) throw new UsageError(`--only: there is no behaviour "${id}"; --list shows them`);
  }
  if (ids.length === 0) throw new UsageError('--only: name at least one behaviour, such as B301; --list shows them');
  return { claims, behaviours: catalogue.filter((b) => ids.includes(b.id)) };
}

function profileOf(name: string): Profile {
  const profile = profiles.find((p) => p === name);
  if (!profile) throw new UsageError(`--profile: "${name}" is not a profile; there are ${profiles.join(', ')}`);
  return profile;
}

function words(text: string): string[] {
  return text.split(',').map((word) => word.trim()).filter((word) => word !== '');
}
