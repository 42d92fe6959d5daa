/** What an update may change, and what it counts as. */
import { equalJson } from './json.ts';
import type { JsonObject, Meta, Stored } from './json.ts';
import type { ResourceKind, WriteTarget } from './resource-kind.ts';
import type { FieldError } from './status-error.ts';

/** What the object would become: each target lets through only its part. */
export function replacement(kind: ResourceKind, old: Stored, given: Stored, target: WriteTarget): Stored {
  let metadata: Meta = { ...given.metadata };
  if (target === 'status' && kind.custom) metadata = { ...old.metadata };
  if (target === 'status' && !kind.custom) setOrDelete(metadata, 'ownerReferences', old.metadata.ownerReferences);
  for (const field of ['name', 'namespace', 'uid', 'resourceVersion', 'creationTimestamp', 'generation', 'deletionTimestamp', 'deletionGracePeriodSeconds', 'generateName', 'managedFields']) setOrDelete(metadata, field, old.metadata[field]);
  delete metadata['selfLink'];
  if (target === 'status') {
    const next: Stored = { ...old, metadata };
    setOrDelete(next, 'status', given['status']);
    return next;
  }
  const next: Stored = { ...given, metadata };
  if (kind.hasStatus) setOrDelete(next, 'status', old['status']);
  return next;
}

function setOrDelete(object: JsonObject, field: string, value: unknown): void {
  if (value === undefined) delete object[field];
  else object[field] = value;
}

export function sameMetadata(a: Meta, b: Meta): boolean {
  return a.labels === b.labels && a.annotations === b.annotations && a.finalizers === b.finalizers && a.ownerReferences === b.ownerReferences;
}

export function finalizerErrors(next: Meta, old: Meta): FieldError[] {
  if (old.deletionTimestamp === undefined) return [];
  const added = (next.finalizers ?? []).filter((finalizer) => !old.finalizers?.includes(finalizer));
  return added.length === 0 ? [] : [{ field: 'metadata.finalizers', reason: 'FieldValueForbidden', message: `Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers ${JSON.stringify(added)}` }];
}

export function contentChanged(kind: ResourceKind, next: Stored, old: Stored): boolean {
  const fields = new Set([...Object.keys(next), ...Object.keys(old)]);
  fields.delete('metadata');
  if (kind.hasStatus) fields.delete('status');
  return [...fields].some((field) => !equalJson(next[field], old[field]));
}
