/**
 * Strategic merge patch, which kubectl sends for built-in kinds: as a merge patch, but lists that have a merge key merge by
 * it, and directives ($patch, $retainKeys, $deleteFromPrimitiveList, $setElementOrder) are understood.
 */
import { isObject, setField } from './json.ts';
import type { JsonObject } from './json.ts';

/** Merge keys of the lists in built-in kinds, by field name: enough for the kinds that this server has. */
const mergeKeys: Readonly<Record<string, readonly string[]>> = {
  containers: ['name'],
  initContainers: ['name'],
  ephemeralContainers: ['name'],
  volumes: ['name'],
  env: ['name'],
  volumeMounts: ['mountPath'],
  volumeDevices: ['devicePath'],
  imagePullSecrets: ['name'],
  hostAliases: ['ip'],
  topologySpreadConstraints: ['topologyKey'],
  schedulingGates: ['name'],
  conditions: ['type'],
  addresses: ['type'],
  ports: ['containerPort', 'port'],
  ownerReferences: ['uid'],
  secrets: ['name'],
};
const mergedPrimitives = new Set(['finalizers', 'podCIDRs']);

export function strategicMerge(target: unknown, patch: unknown): unknown {
  if (!isObject(patch)) return patch;
  if (patch['$patch'] === 'replace') return without(patch, (field) => field === '$patch');
  const result: JsonObject = isObject(target) ? { ...target } : {};
  const retain = patch['$retainKeys'];
  if (Array.isArray(retain)) for (const field of Object.keys(result)) if (!retain.includes(field)) delete result[field];
  for (const [field, value] of Object.entries(patch)) {
    if (field.startsWith('$deleteFromPrimitiveList/')) {
      const name = field.slice(field.indexOf('/') + 1);
      const present = result[name];
      if (Array.isArray(present)) result[name] = present.filter((item) => !(value as unknown[]).includes(item));
    } else if (field.startsWith('$')) continue;
    else if (value === null) delete result[field];
    else if (Array.isArray(value)) setField(result, field, mergeList(field, result[field], value));
    else setField(result, field, strategicMerge(result[field], value));
  }
  return result;
}

function mergeList(field: string, present: unknown, patch: unknown[]): unknown[] {
  const old = Array.isArray(present) ? (present as unknown[]) : [];
  if (mergedPrimitives.has(field)) return [...old, ...patch.filter((item) => !old.includes(item))];
  const key = mergeKeys[field]?.find((name) => patch.every((item) => isObject(item) && (name in item || '$patch' in item)));
  if (key === undefined) return patch;
  if (patch.some((item) => (item as JsonObject)['$patch'] === 'replace')) {
    return patch.filter((item) => (item as JsonObject)['$patch'] !== 'replace');
  }
  let result = [...old];
  for (const item of patch as JsonObject[]) {
    const position = result.findIndex((other) => isObject(other) && other[key] === item[key]);
    if (item['$patch'] === 'delete') result = result.filter((_, i) => i !== position);
    else if (position < 0) result.push(strategicMerge(undefined, item));
    else result[position] = strategicMerge(result[position], item);
  }
  return result;
}

function without(object: JsonObject, drop: (field: string) => boolean): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !drop(field)));
}
