/** Lists: pages, consistent snapshots, and the meaning of resourceVersion. */
import type { Revision } from '../database.ts';
import type { Operations } from '../operations.ts';
import type { ResourceKind } from '../resource-kind.ts';
import { kindId } from '../resource-kind.ts';
import { badRequest, expired, invalidListOption, StatusError } from '../status-error.ts';
import { isObject } from '../json.ts';
import type { Filter } from './filter.ts';
import { numberParameter } from './request-info.ts';

export interface Page {
  readonly revisions: readonly Revision[];
  readonly version: number;
  readonly continueToken: string | undefined;
  /** Left out when a selector makes it unknown. */
  readonly remaining: number | undefined;
}

interface Position {
  /** Version of the list that is being paged; -1 continues with whatever is there now. */
  readonly version: number;
  readonly namespace: string;
  readonly name: string;
}

/** Snapshots of lists that are being paged, so that every page does not sort again. */
export class ListReader {
  private readonly operations: Operations;
  private readonly snapshots = new Map<string, readonly Revision[]>();

  constructor(operations: Operations) {
    this.operations = operations;
  }

  read(kind: ResourceKind, filter: Filter, query: URLSearchParams): Page {
    const limit = numberParameter(query, 'limit') || Infinity;
    const token = query.get('continue');
    const asked = query.get('resourceVersion') ?? '';
    const match = query.get('resourceVersionMatch') ?? '';
    if (token && match !== '') throw invalidListOption('resourceVersionMatch', 'resourceVersionMatch is forbidden for continue');
    if (match !== '' && asked === '') throw invalidListOption('resourceVersionMatch', 'resourceVersionMatch is forbidden unless resourceVersion is provided');
    if (!['', 'Exact', 'NotOlderThan'].includes(match)) throw badRequest(`resourceVersionMatch ${JSON.stringify(match)} is not supported`);
    const after = token ? decodeToken(token) : undefined;
    const wanted = this.versionFor(after, asked, match, limit);
    if (limit === Infinity && !after && wanted === this.operations.database.version) {
      return { revisions: this.present(kind, filter), version: wanted, continueToken: undefined, remaining: undefined };
    }
    return this.page(kind, filter, wanted, after, limit);
  }

  private versionFor(after: Position | undefined, asked: string, match: string, limit: number): number {
    const { version } = this.operations.database;
    if (after) return after.version < 0 ? version : after.version;
    if (asked === '') return version;
    if (!/^\d{1,15}$/.test(asked)) throw badRequest(`invalid resource version ${JSON.stringify(asked)}`);
    const number = Number(asked);
    if (match === 'Exact' && number === 0) throw invalidListOption('resourceVersionMatch', 'resourceVersionMatch "exact" is forbidden for resourceVersion "0"');
    if (number > version) {
      throw new StatusError(504, 'Timeout', `Timeout: Too large resource version: ${number}, current: ${version}`, {
        causes: [{ reason: 'ResourceVersionTooLarge', message: 'Too large resource version' }],
        retryAfterSeconds: 1,
      });
    }
    const exact = match === 'Exact' || (match === '' && number > 0 && limit !== Infinity);
    return exact ? number : version;
  }

  /** Without pages nothing has to be remembered. */
  private present(kind: ResourceKind, filter: Filter): readonly Revision[] {
    const { database } = this.operations;
    if (filter.name !== undefined && (filter.namespace !== undefined || !kind.type.namespaced)) {
      const found = database.get(kind, filter.namespace ?? '', filter.name);
      return found && filter.matches(found) ? [found] : [];
    }
    const all = database.sorted(kind, filter.namespace);
    return filter.selective ? all.filter((revision) => filter.matches(revision)) : all;
  }

  private page(kind: ResourceKind, filter: Filter, version: number, after: Position | undefined, limit: number): Page {
    const all = this.snapshot(kind, filter.namespace, version);
    if (!all) {
      const fresh = after && encodeToken({ ...after, version: -1 });
      throw expired(after ? 'The provided continue parameter is too old to display a consistent list result. You can start a new list without the continue parameter, or use the continue token in this response to retrieve the remainder of the results.' : `too old resource version: ${version} (${this.operations.database.oldestVersion})`, fresh);
    }
    const revisions: Revision[] = [];
    let index = after ? firstAfter(all, after) : 0;
    for (; index < all.length && revisions.length < limit; index++) {
      if (filter.matches(all[index]!)) revisions.push(all[index]!);
    }
    const last = index > 0 ? all[index - 1] : undefined;
    const more = index < all.length && last !== undefined;
    return {
      revisions,
      version,
      continueToken: more ? encodeToken({ version, namespace: last.namespace, name: last.name }) : undefined,
      remaining: more && !filter.selective ? all.length - index : undefined,
    };
  }

  private snapshot(kind: ResourceKind, namespace: string | undefined, version: number): readonly Revision[] | undefined {
    if (version < this.operations.database.oldestVersion) return undefined;
    const key = `${kindId(kind.type)} ${namespace ?? ''} ${version}`;
    const known = this.snapshots.get(key) ?? this.operations.database.sortedAt(kind, namespace, version);
    if (!known) return undefined;
    this.snapshots.delete(key);
    this.snapshots.set(key, known);
    if (this.snapshots.size > 8) this.snapshots.delete(this.snapshots.keys().next().value!);
    return known;
  }
}

function firstAfter(all: readonly Revision[], { namespace, name }: Position): number {
  let low = 0;
  let high = all.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    const { namespace: ns, name: n } = all[middle]!;
    if (ns < namespace || (ns === namespace && n <= name)) low = middle + 1;
    else high = middle;
  }
  return low;
}

function encodeToken({ version, namespace, name }: Position): string {
  return Buffer.from(JSON.stringify({ v: 'meta.k8s.io/v1', rv: version, start: [namespace, name] })).toString('base64url');
}

function decodeToken(token: string): Position {
  try {
    const value: unknown = JSON.parse(Buffer.from(token, 'base64url').toString());
    if (isObject(value) && Number.isInteger(value['rv']) && Array.isArray(value['start'])) {
      const [namespace, name] = value['start'] as string[];
      return { version: value['rv'] as number, namespace: String(namespace), name: String(name) };
    }
  } catch {
    // falls through
  }
  throw badRequest('continue key is not valid: encoded data is invalid');
}
