/** CustomResourceDefinitions: their own rules, and the kinds that they define. */
import { customResourceDefinitions } from './builtin-types.ts';
import { ageColumn, nameColumn } from './builtin-columns.ts';
import { ageSince } from './human-duration.ts';
import { asArray, asObject, at, equalJson, isObject, stringAt } from './json.ts';
import type { JsonObject, Stored } from './json.ts';
import { compileJsonPath } from './json-path.ts';
import { apiVersionOf, kindId } from './resource-kind.ts';
import type { Column, KindRules, ResourceKind } from './resource-kind.ts';
import { invalid } from './status-error.ts';
import type { FieldError } from './status-error.ts';
import { compileSchema } from './structural-schema.ts';

export const definitionRules: KindRules = {
  onCreate(definition, { now }) {
    definition['spec'] = withNames(definition['spec']);
    const version = storageVersion(definition);
    const time = new Date(now).toISOString().replace(/\.\d+Z$/, 'Z');
    const condition = (type: string, reason: string, message: string): JsonObject => ({ type, status: 'True', lastTransitionTime: time, reason, message });
    definition['status'] = {
      acceptedNames: at(definition, 'spec', 'names'),
      storedVersions: [stringAt(version, 'name')],
      conditions: [condition('NamesAccepted', 'NoConflicts', 'no conflicts found'), condition('Established', 'InitialNamesAccepted', 'the initial names have been accepted')],
    };
    return definition;
  },
  onUpdate(next, old, target) {
    if (target === 'status') return next;
    const spec = withNames(next['spec']);
    const frozen: [string, string[]][] = [['spec.group', ['group']], ['spec.scope', ['scope']], ['spec.names.plural', ['names', 'plural']], ['spec.names.kind', ['names', 'kind']]];
    for (const [field, path] of frozen) {
      if (!equalJson(at(spec, ...path), at(old['spec'], ...path))) throw invalid(customResourceDefinitions, old.metadata.name, [{ field, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(at(spec, ...path))}: field is immutable` }]);
    }
    return { ...next, spec };
  },
  validate(definition) {
    const errors: FieldError[] = [];
    for (const path of [['group'], ['scope'], ['names', 'plural'], ['names', 'kind']]) {
      if (stringAt(definition['spec'], ...path) === '') errors.push({ field: `spec.${path.join('.')}`, reason: 'FieldValueRequired', message: 'Required value' });
    }
    const expected = `${stringAt(definition, 'spec', 'names', 'plural')}.${stringAt(definition, 'spec', 'group')}`;
    if (definition.metadata.name !== expected) errors.push({ field: 'metadata.name', reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(definition.metadata.name)}: must be spec.names.plural+"."+spec.group` });
    const version = storageVersion(definition);
    if (!version) errors.push({ field: 'spec.versions', reason: 'FieldValueInvalid', message: 'Invalid value: must have exactly one version marked as storage version' });
    else if (!isObject(at(version, 'schema', 'openAPIV3Schema'))) errors.push({ field: 'spec.versions[0].schema.openAPIV3Schema', reason: 'FieldValueRequired', message: 'Required value: schemas are required' });
    if (errors.length > 0) return errors;
    try {
      customKind(definition);
    } catch (error) {
      errors.push({ field: 'spec.versions', reason: 'FieldValueInvalid', message: `Invalid value: ${(error as Error).message}` });
    }
    return errors;
  },
};

/** The kind that a valid definition defines, in its storage version; other versions are not served. */
export function customKind(definition: Stored): ResourceKind {
  const names = asObject(at(definition, 'spec', 'names'));
  const version = asObject(storageVersion(definition));
  const schema = asObject(at(version, 'schema', 'openAPIV3Schema'));
  const subresources = isObject(at(version, 'subresources', 'status')) ? ['status'] : [];
  const type = {
    group: stringAt(definition, 'spec', 'group'),
    version: stringAt(version, 'name'),
    plural: stringAt(names, 'plural'),
    kind: stringAt(names, 'kind'),
    namespaced: at(definition, 'spec', 'scope') === 'Namespaced',
  };
  const selectable = asArray(version['selectableFields']).map((field) => stringAt(field, 'jsonPath'));
  return {
    type,
    apiVersion: apiVersionOf(type),
    id: kindId(type),
    singular: stringAt(names, 'singular') || type.kind.toLowerCase(),
    shortNames: strings(names['shortNames']),
    categories: strings(names['categories']),
    custom: true,
    subresources,
    hasStatus: subresources.length > 0,
    statusOnCreate: subresources.length === 0,
    generation: true,
    unconditionalUpdate: false,
    nameRule: 'subdomain',
    schema: compileSchema(schema),
    openapi: schema,
    columns: printerColumns(version),
    fields: Object.fromEntries(selectable.map((path) => [path.replace(/^\./, ''), selectableField(path)])),
    rules: {},
  };
}

function selectableField(path: string): (object: Stored) => string {
  const find = compileJsonPath(path);
  return (object) => {
    const value = find(object)[0];
    return value === undefined || value === null ? '' : String(value as string | number | boolean);
  };
}

function printerColumns(version: JsonObject): readonly Column[] {
  const declared = asArray(version['additionalPrinterColumns']).filter(isObject);
  if (declared.length === 0) return [nameColumn, ageColumn];
  return [nameColumn, ...declared.map(printerColumn)];
}

function printerColumn(declared: JsonObject): Column {
  const find = compileJsonPath(stringAt(declared, 'jsonPath'));
  const type = stringAt(declared, 'type');
  return {
    name: stringAt(declared, 'name'),
    // The real server sends dates as text too: an age is computed for each answer.
    type: type === 'date' ? 'date' : type,
    ...(typeof declared['format'] === 'string' ? { format: declared['format'] } : {}),
    ...(typeof declared['description'] === 'string' ? { description: declared['description'] } : {}),
    priority: Number(declared['priority'] ?? 0),
    cell: (object, now) => {
      const found = find(object);
      const value = found[0];
      if (value === undefined || value === null) return null;
      if (type === 'date') return ageSince(value, now);
      if (typeof value === 'object') return JSON.stringify(value);
      if (type === 'string') return found.map(String).join(',');
      return value;
    },
  };
}

function withNames(spec: unknown): unknown {
  const names = asObject(at(spec, 'names'));
  const kind = stringAt(names, 'kind');
  if (kind === '') return spec;
  return { ...asObject(spec), names: { ...names, listKind: stringAt(names, 'listKind') || `${kind}List`, singular: stringAt(names, 'singular') || kind.toLowerCase() }, conversion: asObject(spec)['conversion'] ?? { strategy: 'None' } };
}

function storageVersion(definition: Stored): unknown {
  const found = asArray(at(definition, 'spec', 'versions')).filter((version) => at(version, 'storage') === true && at(version, 'served') === true);
  return found.length === 1 ? found[0] : undefined;
}

function strings(value: unknown): string[] {
  return asArray(value).filter((item) => typeof item === 'string');
}
