/**
 * Server-side apply: the configuration is merged into the object, fields that the manager applied earlier and no longer
 * names are removed, fields applied by others with another value are conflicts unless forced.
 *
 * Only managers that apply are recorded in managedFields; who writes by update or patch owns nothing here, so that the
 * real server reports some conflicts that this one does not, and never the other way round.
 */
import { equalJson, isObject, setField } from './json.ts';
import type { JsonObject, ManagedFieldsEntry, Stored } from './json.ts';
import type { ResourceKind } from './resource-kind.ts';
import { StatusError } from './status-error.ts';

export interface ApplyStamp {
  readonly manager: string;
  readonly force: boolean;
  readonly time: string;
  readonly subresource?: string;
}

/** The merged object with its managedFields. `live` is undefined when the object is to be created. */
export function applyConfiguration(kind: ResourceKind, live: Stored | undefined, config: Stored, stamp: ApplyStamp): Stored {
  const shape = shapeOf(kind);
  const { name, namespace, uid: _uid, resourceVersion: _version, managedFields: _fields, ...metadata } = config.metadata;
  const { apiVersion, kind: kindName, ...rest } = config;
  const applied: JsonObject = { ...rest, metadata };
  if (Object.keys(metadata).length === 0) delete applied['metadata'];
  const owned = fieldSet(applied, shape);
  const entries = live?.metadata.managedFields ?? [];
  const isMine = (entry: ManagedFieldsEntry): boolean => entry.manager === stamp.manager && entry.operation === 'Apply' && entry.subresource === stamp.subresource;
  const mine = entries.find(isMine);
  let others = entries.filter((entry) => !isMine(entry));

  if (live) {
    const conflicts = others.flatMap((entry) => conflictsWith(entry, owned, live, applied, shape));
    if (conflicts.length > 0 && !stamp.force) throw conflictError(conflicts);
    if (conflicts.length > 0) others = others.map((entry) => ({ ...entry, fieldsV1: subtract(entry.fieldsV1, owned, live, applied, shape) ?? {} })).filter((entry) => Object.keys(entry.fieldsV1).length > 0);
  }

  let result: JsonObject = merge(live ?? {}, applied, shape) as JsonObject;
  if (mine) result = asMap(prune(result, mine.fieldsV1, owned, others.map((entry) => entry.fieldsV1), shape));
  const unchanged = mine && equalJson(mine.fieldsV1, owned);
  const entry: ManagedFieldsEntry = unchanged
    ? mine
    : { manager: stamp.manager, operation: 'Apply', apiVersion: kind.apiVersion, time: stamp.time, fieldsType: 'FieldsV1', fieldsV1: owned, ...(stamp.subresource ? { subresource: stamp.subresource } : {}) };
  const position = mine ? entries.indexOf(mine) : -1;
  const managedFields = position < 0 || position > others.length ? [...others, entry] : others.toSpliced(position, 0, entry);
  const identity = { name, ...(namespace === undefined ? {} : { namespace }) };
  return { ...result, apiVersion, kind: kindName, metadata: { ...asMap(result['metadata']), ...identity, managedFields } } as Stored;
}

/** How a value merges: field by field, as a whole, by the keys of its items, or as a set. */
interface Shape {
  readonly merge: 'fields' | 'atomic' | 'keyed' | 'set';
  readonly keys: readonly string[];
  child(field: string): Shape;
  readonly item: Shape | undefined;
}

const builtinKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  volumeMounts: ['mountPath'],
  schedulingGates: ['name'],
  topologySpreadConstraints: ['topologyKey', 'whenUnsatisfiable'],
  conditions: ['type'],
  addresses: ['type'],
  ports: ['port', 'containerPort', 'protocol'],
  ownerReferences: ['uid'],
};

function untyped(field: string): Shape {
  const keys = builtinKeys[field];
  const merging = keys ? 'keyed' : field === 'finalizers' ? 'set' : 'fields';
  const shape: Shape = { merge: merging, keys: keys ?? [], child: untyped, item: undefined };
  return keys ? { ...shape, item: { ...shape, merge: 'fields', keys: [] } } : shape;
}

function typed(schema: JsonObject): Shape {
  const properties = asMap(schema['properties']);
  const additional = isObject(schema['additionalProperties']) ? schema['additionalProperties'] : {};
  const listType = schema['x-kubernetes-list-type'];
  const isList = schema['type'] === 'array';
  const atomic = isList ? listType !== 'map' && listType !== 'set' : schema['x-kubernetes-map-type'] === 'atomic';
  return {
    merge: atomic ? 'atomic' : isList ? (listType === 'map' ? 'keyed' : 'set') : 'fields',
    keys: (schema['x-kubernetes-list-map-keys'] as string[] | undefined) ?? [],
    child: (field) => typed(isObject(properties[field]) ? properties[field] : additional),
    get item() {
      return isObject(schema['items']) ? typed(schema['items']) : undefined;
    },
  };
}

const shapes = new WeakMap<ResourceKind, Shape>();

function shapeOf(kind: ResourceKind): Shape {
  let found = shapes.get(kind);
  if (!found) {
    const body = kind.custom ? typed((kind.openapi ?? {}) as JsonObject) : untyped('');
    found = { ...body, child: (field) => (field === 'metadata' ? untyped(field) : body.child(field)) };
    shapes.set(kind, found);
  }
  return found;
}

/** Splits a list into entries with an identity; undefined where the list is one value. */
function entriesOf(value: unknown, shape: Shape): [string, unknown][] | undefined {
  if (!Array.isArray(value)) return undefined;
  if (shape.merge === 'set') return value.map((item: unknown) => [`v:${JSON.stringify(item)}`, item]);
  if (shape.merge !== 'keyed') return undefined;
  return value.map((item: unknown) => {
    const keys = Object.fromEntries(shape.keys.filter((key) => isObject(item) && item[key] !== undefined).map((key) => [key, (item as JsonObject)[key]]));
    return [`k:${JSON.stringify(keys)}`, item];
  });
}

function fieldSet(value: unknown, shape: Shape): JsonObject {
  const set: JsonObject = {};
  const entries = entriesOf(value, shape);
  if (entries) {
    for (const [id, item] of entries) set[id] = shape.merge === 'set' ? {} : { '.': {}, ...fieldSet(item, shape.item ?? untyped('')) };
  } else if (isObject(value) && shape.merge === 'fields') {
    for (const [field, child] of Object.entries(value)) set[`f:${field}`] = fieldSet(child, shape.child(field));
  }
  return set;
}

function merge(live: unknown, applied: unknown, shape: Shape): unknown {
  const entries = entriesOf(applied, shape);
  if (entries && Array.isArray(live)) {
    const result = new Map(entriesOf(live, shape));
    for (const [id, item] of entries) result.set(id, shape.merge === 'set' ? item : merge(result.get(id), item, shape.item ?? untyped('')));
    return [...result.values()];
  }
  if (!isObject(applied) || !isObject(live) || shape.merge !== 'fields') return applied;
  const result = { ...live };
  for (const [field, child] of Object.entries(applied)) setField(result, field, merge(live[field], child, shape.child(field)));
  return result;
}

/** Takes away what `before` lists and neither `now` nor anybody else does; what becomes empty by that goes, too. */
function prune(value: unknown, before: JsonObject, now: JsonObject | undefined, others: readonly JsonObject[], shape: Shape): unknown {
  const entries = entriesOf(value, shape);
  if (entries) {
    return entries.flatMap(([id, item]) => {
      const set = before[id];
      if (!isObject(set) || now?.[id] !== undefined && shape.merge === 'set') return [item];
      const theirs = others.map((other) => other[id]).filter(isObject);
      if (shape.merge === 'set') return theirs.length > 0 ? [item] : [];
      const kept = prune(item, set, now?.[id] as JsonObject | undefined, theirs, shape.item ?? untyped(''));
      if (now?.[id] !== undefined || theirs.length > 0) return [withKeys(kept, item, shape.keys)];
      const rest = Object.keys(asMap(kept)).filter((field) => !shape.keys.includes(field));
      return rest.length > 0 ? [withKeys(kept, item, shape.keys)] : [];
    });
  }
  if (!isObject(value) || shape.merge !== 'fields') return value;
  const result = { ...value };
  for (const [id, set] of Object.entries(before)) {
    const field = id.slice(2);
    if (!id.startsWith('f:') || result[field] === undefined) continue;
    const theirs = others.map((other) => other[id]).filter(isObject);
    const present = now?.[id] as JsonObject | undefined;
    const isLeaf = Object.keys(set as JsonObject).length === 0;
    if (isLeaf) {
      // A map that was applied empty and that others have filled since is theirs.
      const filled = isObject(result[field]) && shape.child(field).merge === 'fields' && Object.keys(result[field]).length > 0;
      if (present === undefined && theirs.length === 0 && !filled) delete result[field];
      continue;
    }
    const kept = prune(result[field], set as JsonObject, present, theirs, shape.child(field));
    const empty = (isObject(kept) && Object.keys(kept).length === 0) || (Array.isArray(kept) && kept.length === 0);
    if (empty && present === undefined && theirs.length === 0) delete result[field];
    else result[field] = kept;
  }
  return result;
}

function withKeys(kept: unknown, item: unknown, keys: readonly string[]): unknown {
  return { ...Object.fromEntries(keys.filter((key) => asMap(item)[key] !== undefined).map((key) => [key, asMap(item)[key]])), ...asMap(kept) };
}

interface Conflict {
  readonly manager: string;
  readonly path: string;
}

function conflictsWith(entry: ManagedFieldsEntry, owned: JsonObject, live: unknown, applied: unknown, shape: Shape): Conflict[] {
  return differing(entry.fieldsV1, owned, live, applied, shape, '').map((path) => ({ manager: entry.manager, path }));
}

/** Paths that both sets hold and whose values differ. */
function differing(theirs: JsonObject, mine: JsonObject, live: unknown, applied: unknown, shape: Shape, path: string): string[] {
  return Object.keys(theirs).flatMap((id) => {
    if (id === '.' || mine[id] === undefined) return [];
    const [left, right, child] = step(id, live, applied, shape);
    const here = path + (id.startsWith('f:') ? `.${id.slice(2)}` : `[${id.slice(2)}]`);
    const sub = theirs[id] as JsonObject;
    if (isLeaf(sub, mine[id] as JsonObject)) return sameLeaf(left, right, child) ? [] : [here];
    return differing(sub, mine[id] as JsonObject, left, right, child, here);
  });
}

/** `theirs` without the fields whose values the forced configuration changes. */
function subtract(theirs: JsonObject, mine: JsonObject, live: unknown, applied: unknown, shape: Shape): JsonObject | undefined {
  const result: JsonObject = {};
  for (const [id, sub] of Object.entries(theirs) as [string, JsonObject][]) {
    const other = mine[id] as JsonObject | undefined;
    if (id === '.' || other === undefined) {
      result[id] = sub;
      continue;
    }
    const [left, right, child] = step(id, live, applied, shape);
    const kept = isLeaf(sub, other) ? (sameLeaf(left, right, child) ? sub : undefined) : subtract(sub, other, left, right, child);
    if (kept !== undefined) result[id] = kept;
  }
  return Object.keys(result).length > 0 ? result : Object.keys(theirs).length > 0 ? undefined : {};
}

function isLeaf(a: JsonObject, b: JsonObject): boolean {
  return Object.keys(a).length === 0 || Object.keys(b).length === 0;
}

/** A map that is applied empty claims nothing that is in it. */
function sameLeaf(live: unknown, applied: unknown, shape: Shape): boolean {
  return (isObject(live) && isObject(applied) && shape.merge === 'fields') || equalJson(live, applied);
}

function step(id: string, live: unknown, applied: unknown, shape: Shape): [unknown, unknown, Shape] {
  if (id.startsWith('f:')) return [asMap(live)[id.slice(2)], asMap(applied)[id.slice(2)], shape.child(id.slice(2))];
  const find = (list: unknown): unknown => new Map(entriesOf(list, shape)).get(id);
  return [find(live), find(applied), shape.item ?? untyped('')];
}

function conflictError(conflicts: readonly Conflict[]): StatusError {
  const managers = [...new Set(conflicts.map((c) => c.manager))];
  const listed = conflicts.map((c) => `conflict with ${JSON.stringify(c.manager)}: ${c.path}`).join(', ');
  return new StatusError(409, 'Conflict', `Apply failed with ${conflicts.length} conflict${conflicts.length > 1 ? 's' : ''}: ${listed}`, {
    causes: conflicts.map((c) => ({ reason: 'FieldManagerConflict', message: `conflict with ${JSON.stringify(managers.length === 1 ? managers[0] : c.manager)}`, field: c.path })),
  });
}

function asMap(value: unknown): JsonObject {
  return isObject(value) ? value : {};
}
