/** Which objects a list or watch is about. */
import type { Revision } from '../database.ts';
import type { Stored } from '../json.ts';
import type { ResourceKind } from '../resource-kind.ts';
import { parseFieldSelector, parseLabelSelector } from '../selectors.ts';
import { badRequest } from '../status-error.ts';

export interface Filter {
  readonly namespace: string | undefined;
  /** The one name that can match, if the selector says so. */
  readonly name: string | undefined;
  /** Whether there is any condition beside the namespace. */
  readonly selective: boolean;
  matches(revision: Revision): boolean;
}

/** Unknown fields are 400, as on the real server. */
export function filterOf(kind: ResourceKind, namespace: string, query: URLSearchParams): Filter {
  const labels = parseLabelSelector(query.get('labelSelector'));
  const terms = parseFieldSelector(query.get('fieldSelector')).map(({ field, value, equal }) => {
    const get = fieldGetter(kind, field);
    return (object: Stored) => (get(object) === value) === equal;
  });
  const names = parseFieldSelector(query.get('fieldSelector')).filter(({ field, equal }) => field === 'metadata.name' && equal);
  const wanted = namespace === '' ? undefined : namespace;
  return {
    namespace: wanted,
    name: names[0]?.value,
    selective: labels !== undefined || terms.length > 0,
    matches: (revision) =>
      (wanted === undefined || revision.namespace === wanted) &&
      (labels === undefined || labels(revision.object.metadata.labels)) &&
      terms.every((term) => term(revision.object)),
  };
}

function fieldGetter(kind: ResourceKind, field: string): (object: Stored) => string {
  if (field === 'metadata.name') return (object) => object.metadata.name;
  if (field === 'metadata.namespace') return (object) => object.metadata.namespace ?? '';
  const found = Object.hasOwn(kind.fields, field) ? kind.fields[field] : undefined;
  if (!found) throw badRequest(`field label not supported: ${field}`);
  return found;
}
