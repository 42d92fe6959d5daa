/**
 * Whether an object has the types that its kind says, so that what reads it need not ask again. Real servers cannot even
 * decode such an object (400); this one answers as for custom kinds: 422, with the path of each field that is wrong.
 */
import { builtinSchemas, metadataSchema } from './builtin-schemas.ts';
import type { JsonObject, Stored } from './json.ts';
import { kindId } from './resource-kind.ts';
import type { ResourceKind } from './resource-kind.ts';
import { invalid } from './status-error.ts';
import { compile } from './structural-schema.ts';
import type { Check, Findings } from './structural-schema.ts';

function checkOf(properties: JsonObject): Check {
  return compile({ type: 'object', properties: { ...properties, metadata: metadataSchema }, 'x-kubernetes-preserve-unknown-fields': true });
}

const metadataOnly = checkOf({});
const checks = new Map(Object.entries(builtinSchemas).map(([id, properties]) => [id, checkOf(properties)]));

/**
 * The object without fields that are null; throws Invalid where a type is wrong. Parts shared with `old` are not looked
 * at: an object that was stored before there was a check can still be written to elsewhere. The rest of custom kinds has
 * a schema of its own.
 */
export function wellFormed(kind: ResourceKind, object: Stored, old?: Stored): Stored {
  const findings: Findings = { errors: [], pruned: [] };
  const check = kind.custom ? metadataOnly : (checks.get(kind.id) ?? metadataOnly);
  const result = check(object, old, '', findings) as Stored;
  if (findings.errors.length > 0) throw invalid(kind.type, object.metadata.name ?? object.metadata.generateName ?? '', findings.errors);
  return result;
}

/** What is wrong with the types in an object of a built-in kind, in words, fields first; undefined = nothing. */
export function malformation(type: { readonly group: string; readonly plural: string }, object: unknown): string | undefined {
  const findings: Findings = { errors: [], pruned: [] };
  (checks.get(kindId(type)) ?? metadataOnly)(object, undefined, '', findings);
  return findings.errors.length === 0 ? undefined : findings.errors.map(({ field, message }) => `${field}: ${message}`).join(', ');
}
