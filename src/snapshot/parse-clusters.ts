/** What the document says of clusters: their demand, their Nodes, whether they are there. */
import { fingerprint, unitClass } from '../api/profile.ts';
import type { Profile } from '../api/profile.ts';
import type { Need, NodeHint, ResourceVector } from '../engine/types.ts';
import { uncountable } from './countable.ts';
import { FIELDS } from './document.ts';
import { expandPattern } from './id-pattern.ts';
import { overDefaults } from './parse-profile.ts';
import type { Defaults } from './parse-profile.ts';
import { Fields, flag, listOf, SnapshotError, text, wrong } from './reader.ts';
import type { Read } from './reader.ts';
import { amount, namedOr, resources, unitClassText } from './values.ts';

export interface ClusterFacts {
  /** Undefined = has not reported. */
  readonly needs: readonly Need[] | undefined;
  readonly connected: boolean;
  /** Undefined = never heard of; null = the operator sends none. */
  readonly hints: readonly NodeHint[] | null | undefined;
}

export interface NeedTables {
  /** Amounts of demand: rounded up where capacity is rounded down. */
  readonly shapes: ReadonlyMap<string, ResourceVector>;
  readonly profiles: ReadonlyMap<string, Profile>;
  readonly profile: Read<Profile>;
  readonly defaults: Defaults;
}

export function readCluster(cluster: string, tables: NeedTables): Read<ClusterFacts> {
  return (value, path) => {
    if (cluster === '') wrong(path, cluster, 'the name of a cluster');
    const fields = new Fields(value, path, FIELDS.cluster);
    const reported = fields.get('reported', flag, true);
    if (!reported && fields.has('needs')) throw new SnapshotError(fields.pathOf('needs'), 'a cluster that has not reported has no needs; leave out "needs" or "reported"');
    return {
      needs: reported ? fields.get('needs', needsReader(cluster, tables), []) : undefined,
      connected: fields.get('connected', flag, true),
      hints: fields.raw('hints') === null ? null : fields.optional('hints', readHints),
    };
  };
}

function needsReader(cluster: string, tables: NeedTables): Read<Need[]> {
  return (value, path) => {
    const needs = listOf(readNeed(cluster, tables))(value, path);
    const over = uncountable(needs);
    if (over !== undefined) throw new SnapshotError(path, `rows of one demand are more ${over} together than can be counted exactly`);
    return needs;
  };
}

export function readNeed(cluster: string, tables: NeedTables): Read<Need> {
  const quantities = namedOr(tables.shapes, 'shapes', resources('up'));
  return (value, path) => {
    const fields = new Fields(overDefaults(value, path, tables.defaults), path, FIELDS.need);
    const profile = fields.get('profile', namedOr(tables.profiles, 'profiles', tables.profile), tables.profile({}, path));
    const minUnit = fields.get('minUnit', quantities, [['cpu', 1000]]);
    if (fields.has('units') && fields.has('aggregate')) throw new SnapshotError(fields.pathOf('units'), 'say either how many units or the aggregate, not both');
    const units = fields.get('units', amount, 1);
    const aggregate = fields.get('aggregate', quantities, minUnit.map(([name, n]) => [name, n * units]));
    const overflown = aggregate.find(([, n]) => !Number.isSafeInteger(n));
    if (overflown !== undefined) throw new SnapshotError(fields.pathOf('units'), `so many units are more ${overflown[0]} than can be counted exactly`);
    if (aggregate.some(([, n]) => n > 0) && !minUnit.some(([, n]) => n > 0)) {
      throw new SnapshotError(fields.pathOf('minUnit'), 'must name what every machine has to cover, such as {"cpu": "1"}');
    }
    return {
      cluster,
      profile,
      fingerprint: fields.get('fingerprint', text, fingerprint(profile)),
      group: fields.get('group', text, ''),
      unitClass: fields.get('unitClass', unitClassText, unitClass(minUnit)),
      aggregate,
      minUnit,
    };
  };
}

function readHints(value: unknown, path: string): NodeHint[] {
  const seen = new Set<string>();
  const hints = listOf(readHint)(value, path).flat();
  for (const { machineId } of hints) {
    if (seen.has(machineId)) throw new SnapshotError(path, `machine ${JSON.stringify(machineId)} has two hints; write one`);
    seen.add(machineId);
  }
  return hints;
}

function readHint(value: unknown, path: string): NodeHint[] {
  const fields = new Fields(value, path, FIELDS.hint);
  const pods = fields.get('pods', amount, 0);
  const hint = {
    ready: fields.get('ready', flag, true),
    pods,
    disruptionCost: fields.get('disruptionCost', amount, pods),
    doNotDisrupt: fields.get('doNotDisrupt', flag, false),
  };
  const pattern = text(fields.raw('machineId'), fields.pathOf('machineId'));
  return expandPattern(pattern, fields.pathOf('machineId')).map((machineId) => ({ machineId, ...hint }));
}
