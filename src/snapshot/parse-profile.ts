/** Profiles, and what machines are bound for, as the document writes them. */
import { canonicalProfile, fingerprint } from '../api/profile.ts';
import type { Profile, Requirement, SpreadTerm } from '../api/profile.ts';
import type { Assignment } from '../engine/types.ts';
import { FIELDS } from './document.ts';
import { Fields, listOf, objectAt, oneOf, SnapshotError, text, wholeFrom } from './reader.ts';
import type { Read } from './reader.ts';
import { bucket, namedOr, priority, unitClassText } from './values.ts';

export type Defaults = Readonly<Record<string, unknown>>;

/** An object of the document over the defaults for its kind. */
export function overDefaults(value: unknown, path: string, defaults: Defaults): unknown {
  return { ...defaults, ...objectAt(value, path) };
}

export function profileReader(defaults: Defaults): Read<Profile> {
  return (value, path) => {
    const fields = new Fields(overDefaults(value, path, defaults), path, FIELDS.profile);
    return canonicalProfile({
      requirements: fields.get('requirements', requirements, []),
      spread: fields.get('spread', listOf(spreadTerm), []),
      priority: fields.get('priority', priority, 0),
      interruptionBucket: fields.get('interruptionBucket', bucket, 1),
      reclamationBucket: fields.get('reclamationBucket', bucket, 1),
    });
  };
}

function requirements(value: unknown, path: string): Requirement[] {
  const all = listOf(requirement)(value, path);
  const same = all.flatMap(({ key, operator }) => (operator === 'Same' ? [key] : []));
  if (same.length > 1) throw new SnapshotError(path, `Same is asked for ${same.map((key) => JSON.stringify(key)).join(' and ')}; keep one of them: all machines can share one place only`);
  return all;
}

function requirement(value: unknown, path: string): Requirement {
  const fields = new Fields(value, path, FIELDS.requirement);
  const key = text(fields.raw('key'), fields.pathOf('key'));
  const operator = fields.get('operator', oneOf('In', 'NotIn', 'Exists', 'DoesNotExist', 'Same'), 'In');
  // An empty list is not left out: a shard may have been told one, and what it knew must be read as it was.
  if (!fields.has('values') && (operator === 'In' || operator === 'NotIn')) {
    throw new SnapshotError(fields.pathOf('values'), `${operator} compares with values; write "values": [...], or ask whether there is a label at all with Exists or DoesNotExist`);
  }
  return { key, operator, values: fields.get('values', listOf(text), []) };
}

function spreadTerm(value: unknown, path: string): SpreadTerm {
  const fields = new Fields(value, path, FIELDS.spread);
  return {
    topologyKey: text(fields.raw('topologyKey'), fields.pathOf('topologyKey')),
    maxSkew: fields.get('maxSkew', wholeFrom(1, 2_147_483_647, 'a whole number of at least 1'), 1),
    whenUnsatisfiable: fields.get('whenUnsatisfiable', oneOf('DoNotSchedule', 'ScheduleAnyway', 'Unspecified'), 'DoNotSchedule'),
  };
}

export type Profiles = ReadonlyMap<string, Profile>;

/** For whom a machine is, or is to be, bound. `profile` says it all at once; single fields win over it. */
export function assignmentReader(profiles: Profiles, profile: Read<Profile>, cluster: string): Read<Assignment> {
  return (value, path) => {
    const fields = new Fields(value, path, FIELDS.assignment);
    const asked = fields.optional('profile', namedOr(profiles, 'profiles', profile));
    const unitClass = fields.optional('unitClass', unitClassText);
    return {
      cluster: fields.get('cluster', text, cluster),
      fingerprint: fields.get('fingerprint', text, asked === undefined ? '' : fingerprint(asked)),
      group: fields.get('group', text, ''),
      priority: fields.get('priority', priority, asked?.priority ?? 0),
      interruptionBucket: fields.get('interruptionBucket', bucket, asked?.interruptionBucket ?? 1),
      reclamationBucket: fields.get('reclamationBucket', bucket, asked?.reclamationBucket ?? 1),
      ...(unitClass !== undefined && { unitClass }),
    };
  };
}
