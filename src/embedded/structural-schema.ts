/**
 * Structural schemas of CustomResourceDefinitions, compiled once into closures that prune, default and validate an
 * object in one walk. Nothing is changed in place: a subtree that is already fine is returned as it is, and a subtree
 * that is identical to the stored one is not looked at again.
 *
 * Of x-kubernetes-validations only the rule `self == oldSelf` is enforced; of anyOf, oneOf, allOf and not, only the form
 * that goes with x-kubernetes-int-or-string. The real API server enforces all of them.
 */
import { equalJson, isObject, setField } from './json.ts';
import type { JsonObject } from './json.ts';
import type { FieldError } from './status-error.ts';

export interface Findings {
  readonly errors: FieldError[];
  /** Paths of fields that the schema does not know and that were dropped. */
  readonly pruned: string[];
}

/** Gives the value to keep. `old` is the stored value at the same place, undefined on create. */
export type Check = (value: unknown, old: unknown, path: string, findings: Findings) => unknown;

/** Compiles the schema of a whole object; apiVersion, kind and metadata are left to the caller. */
export function compileSchema(schema: JsonObject): Check {
  const properties = { ...(schema['properties'] as JsonObject | undefined) };
  for (const field of ['apiVersion', 'kind', 'metadata']) properties[field] = { 'x-kubernetes-preserve-unknown-fields': true };
  return compile({ ...schema, properties });
}

/** Compiles a schema as it stands, metadata and all. */
export function compile(schema: JsonObject): Check {
  const typed = schema['x-kubernetes-int-or-string'] === true ? intOrString(schema) : byType(schema);
  const rules = Array.isArray(schema['x-kubernetes-validations']) ? (schema['x-kubernetes-validations'] as JsonObject[]) : [];
  const immutable = rules.find((rule) => /^\s*self\s*==\s*oldSelf\s*$/.test(String(rule['rule'])));
  const nullable = schema['nullable'] === true;
  const allowed = Array.isArray(schema['enum']) ? (schema['enum'] as unknown[]) : undefined;

  return (value, old, path, findings) => {
    if (value === old && old !== undefined) return value;
    if (value === null && nullable) return null;
    const kept = typed(value, old, path, findings);
    if (allowed && !allowed.some((item) => equalJson(item, kept))) {
      const choices = allowed.map((item) => JSON.stringify(item)).join(', ');
      fail(findings, path, 'FieldValueNotSupported', `Unsupported value: ${JSON.stringify(value)}: supported values: ${choices}`);
    }
    if (immutable && old !== undefined && !equalJson(kept, old)) {
      fail(findings, path, 'FieldValueInvalid', `Invalid value: ${shown(value)}: ${String(immutable['message'] ?? 'failed rule: self == oldSelf')}`);
    }
    return kept;
  };
}

function byType(schema: JsonObject): Check {
  switch (schema['type']) {
    case 'object':
      return objectCheck(schema);
    case 'array':
      return arrayCheck(schema);
    case 'string':
      return stringCheck(schema);
    case 'integer':
    case 'number':
      return numberCheck(schema, schema['type']);
    case 'boolean':
      return (value, _old, path, findings) => {
        if (typeof value !== 'boolean') wrongType(findings, path, value, 'boolean');
        return value;
      };
    default:
      return isObject(schema['properties']) ? objectCheck(schema) : (value) => value;
  }
}

interface Property {
  readonly name: string;
  readonly check: Check;
  /** Where it is not, null counts as absent. */
  readonly nullable: boolean;
  /** The default with the defaults inside it filled in; shared by all objects. */
  readonly preset: unknown;
}

function objectCheck(schema: JsonObject): Check {
  const properties = new Map<string, Property>();
  for (const [name, child] of Object.entries((schema['properties'] as JsonObject | undefined) ?? {})) {
    const check = compile(child as JsonObject);
    const preset = (child as JsonObject)['default'];
    const filled = preset === undefined ? undefined : check(preset, undefined, name, { errors: [], pruned: [] });
    const open = Object.keys(child as JsonObject).length <= 1 && (child as JsonObject)['x-kubernetes-preserve-unknown-fields'] === true;
    properties.set(name, { name, check, nullable: open || (child as JsonObject)['nullable'] === true, preset: filled });
  }
  const withDefaults = [...properties.values()].filter((property) => property.preset !== undefined);
  const extra = schema['additionalProperties'];
  const additional = isObject(extra) ? compile(extra) : undefined;
  const preserve = schema['x-kubernetes-preserve-unknown-fields'] === true || extra === true || schema['x-kubernetes-embedded-resource'] === true;
  const required = (schema['required'] as string[] | undefined) ?? [];
  const maxProperties = schema['maxProperties'] as number | undefined;
  const minProperties = schema['minProperties'] as number | undefined;

  return (value, old, path, findings) => {
    if (!isObject(value)) {
      wrongType(findings, path, value, 'object');
      return value;
    }
    const before = isObject(old) ? old : undefined;
    let result = value;
    const own = (): JsonObject => (result === value ? (result = { ...value }) : result);
    for (const field of Object.keys(value)) {
      const item = value[field];
      const property = properties.get(field);
      const at = path === '' ? field : `${path}.${field}`;
      if (item === undefined || (item === null && property && !property.nullable)) {
        delete own()[field];
        continue;
      }
      const check = property?.check ?? additional;
      if (check) {
        const kept = check(item, before?.[field], at, findings);
        if (kept !== item) setField(own(), field, kept);
      } else if (!preserve) {
        findings.pruned.push(at);
        delete own()[field];
      }
    }
    for (const property of withDefaults) {
      if (result[property.name] === undefined) own()[property.name] = property.preset;
    }
    for (const field of required) {
      if (result[field] === undefined) fail(findings, path === '' ? field : `${path}.${field}`, 'FieldValueRequired', 'Required value');
    }
    if (maxProperties !== undefined || minProperties !== undefined) {
      const count = Object.keys(result).length;
      if (count > (maxProperties ?? Infinity)) fail(findings, path, 'FieldValueTooMany', `Too many: ${count}: must have at most ${maxProperties} items`);
      if (count < (minProperties ?? 0)) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${count}: ${path} in body should have at least ${minProperties} properties`);
    }
    return result;
  };
}

function arrayCheck(schema: JsonObject): Check {
  const item = isObject(schema['items']) ? compile(schema['items']) : undefined;
  const maxItems = schema['maxItems'] as number | undefined;
  const minItems = schema['minItems'] as number | undefined;
  const listType = schema['x-kubernetes-list-type'];
  const keys = (schema['x-kubernetes-list-map-keys'] as string[] | undefined) ?? [];
  const identity =
    listType === 'map'
      ? (entry: unknown) => JSON.stringify(Object.fromEntries(keys.map((key) => [key, isObject(entry) ? entry[key] : undefined])))
      : listType === 'set'
        ? (entry: unknown) => JSON.stringify(entry)
        : undefined;

  return (value, old, path, findings) => {
    if (!Array.isArray(value)) {
      wrongType(findings, path, value, 'array');
      return value;
    }
    let result = value as unknown[];
    if (item) {
      const before = Array.isArray(old) ? (old as unknown[]) : [];
      for (let i = 0; i < value.length; i++) {
        // Items of a list cannot be matched with old ones by position, but an identical one was checked before.
        const entry = value[i] as unknown;
        const kept = item(entry, before[i] === entry ? entry : undefined, `${path}[${i}]`, findings);
        if (kept !== entry) {
          if (result === value) result = [...(value as unknown[])];
          result[i] = kept;
        }
      }
    }
    if (value.length > (maxItems ?? Infinity)) fail(findings, path, 'FieldValueTooMany', `Too many: ${value.length}: must have at most ${maxItems} items`);
    if (value.length < (minItems ?? 0)) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${value.length}: ${path} in body should have at least ${minItems} items`);
    if (identity) {
      const seen = new Set<string>();
      result.forEach((entry, i) => {
        const key = identity(entry);
        if (seen.has(key)) fail(findings, `${path}[${i}]`, 'FieldValueDuplicate', `Duplicate value: ${key}`);
        seen.add(key);
      });
    }
    return result;
  };
}

const dateTime = /^\d{4}-\d{2}-\d{2}[Tt]\d{2}:\d{2}:\d{2}(\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

function stringCheck(schema: JsonObject): Check {
  const pattern = compilePattern(schema);
  const maxLength = schema['maxLength'] as number | undefined;
  const minLength = schema['minLength'] as number | undefined;
  const isDateTime = schema['format'] === 'date-time';
  return (value, _old, path, findings) => {
    if (typeof value !== 'string') {
      wrongType(findings, path, value, 'string');
      return value;
    }
    if (maxLength !== undefined && value.length > maxLength) fail(findings, path, 'FieldValueTooLong', `Too long: may not be more than ${maxLength} bytes`);
    if (minLength !== undefined && value.length < minLength) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${shown(value)}: ${path} in body should be at least ${minLength} chars long`);
    pattern?.(value, path, findings);
    if (isDateTime && !(dateTime.test(value) && !Number.isNaN(Date.parse(value)))) {
      fail(findings, path, 'FieldValueTypeInvalid', `Invalid value: ${shown(value)}: ${path} in body must be of type date-time: ${shown(value)}`);
    }
    return value;
  };
}

function numberCheck(schema: JsonObject, type: 'integer' | 'number'): Check {
  const bounds = { int32: [-2_147_483_648, 2_147_483_647] }[String(schema['format'])] ?? [-Infinity, Infinity];
  const minimum = Math.max(bounds[0]!, (schema['minimum'] as number | undefined) ?? -Infinity);
  const maximum = Math.min(bounds[1]!, (schema['maximum'] as number | undefined) ?? Infinity);
  const openMin = schema['exclusiveMinimum'] === true;
  const openMax = schema['exclusiveMaximum'] === true;
  return (value, _old, path, findings) => {
    if (typeof value !== 'number' || (type === 'integer' && !Number.isInteger(value))) {
      wrongType(findings, path, value, type);
      return value;
    }
    if (value < minimum || (openMin && value === minimum)) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${value}: ${path} in body should be greater than ${openMin ? '' : 'or equal to '}${minimum}`);
    if (value > maximum || (openMax && value === maximum)) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${value}: ${path} in body should be less than ${openMax ? '' : 'or equal to '}${maximum}`);
    return value;
  };
}

function intOrString(schema: JsonObject): Check {
  const pattern = compilePattern(schema);
  return (value, _old, path, findings) => {
    if (typeof value === 'string') pattern?.(value, path, findings);
    else if (!Number.isInteger(value)) wrongType(findings, path, value, 'integer,string');
    return value;
  };
}

function compilePattern(schema: JsonObject): ((value: string, path: string, findings: Findings) => void) | undefined {
  const source = schema['pattern'];
  if (typeof source !== 'string') return undefined;
  const regexp = new RegExp(source);
  return (value, path, findings) => {
    if (!regexp.test(value)) fail(findings, path, 'FieldValueInvalid', `Invalid value: ${shown(value)}: ${path} in body should match '${source}'`);
  };
}

function fail(findings: Findings, field: string, reason: string, message: string): void {
  findings.errors.push({ field: field === '' ? '<nil>' : field, reason, message });
}

function wrongType(findings: Findings, path: string, value: unknown, type: string): void {
  const actual = value === null ? 'null' : Array.isArray(value) ? 'array' : typeof value;
  fail(findings, path, 'FieldValueTypeInvalid', `Invalid value: ${JSON.stringify(actual)}: ${path} in body must be of type ${type}: ${JSON.stringify(actual)}`);
}

function shown(value: unknown): string {
  const text = JSON.stringify(value);
  return text.length > 200 ? `${text.slice(0, 200)}…` : text;
}
