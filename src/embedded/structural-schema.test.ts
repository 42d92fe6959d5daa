import { readFileSync } from 'node:fs';
import { expect, test } from 'vitest';
import { parse } from 'yaml';
import { compileSchema } from './structural-schema.ts';
import type { Findings } from './structural-schema.ts';
import { crds } from './testing/harness.ts';
import type { Loose } from './testing/harness.ts';

function run(spec: Loose, value: Loose, old?: Loose): { value: Loose; errors: string[]; pruned: string[] } {
  const check = compileSchema({ type: 'object', properties: { spec } });
  const findings: Findings = { errors: [], pruned: [] };
  const result = check({ apiVersion: 'v1', kind: 'X', metadata: { name: 'a', odd: 1 }, spec: value }, old === undefined ? undefined : { spec: old }, '', findings) as Loose;
  return { value: result.spec, errors: findings.errors.map((e) => `${e.field}: ${e.reason}`), pruned: findings.pruned };
}

test('defaults fill in from the outside to the inside, and nothing is shared with the input', () => {
  const schema = { type: 'object', properties: { rails: { type: 'object', default: {}, properties: { cap: { type: 'string', default: '0.05' }, guard: { type: 'boolean', default: true } } } } };
  expect(run(schema, {}).value).toEqual({ rails: { cap: '0.05', guard: true } });
  const input = { rails: { cap: '1' } };
  expect(run(schema, input).value).toEqual({ rails: { cap: '1', guard: true } });
  expect(input).toEqual({ rails: { cap: '1' } });
});

test('null counts as absent unless the schema allows it', () => {
  const schema = { type: 'object', required: ['must'], properties: { must: { type: 'string' }, preset: { type: 'integer', default: 3 }, may: { type: 'string', nullable: true } } };
  expect(run(schema, { must: null, preset: null, may: null })).toMatchObject({ value: { preset: 3, may: null }, errors: ['spec.must: FieldValueRequired'] });
});

test('unknown fields go, at every depth, but not below preserve-unknown-fields', () => {
  const schema = {
    type: 'object',
    properties: { list: { type: 'array', items: { type: 'object', properties: { a: { type: 'integer' } } } }, open: { type: 'object', 'x-kubernetes-preserve-unknown-fields': true } },
  };
  expect(run(schema, { x: 1, list: [{ a: 1, b: 2 }], open: { any: { thing: 1 } } })).toEqual({ value: { list: [{ a: 1 }], open: { any: { thing: 1 } } }, errors: [], pruned: ['spec.x', 'spec.list[0].b'] });
});

test.each([
  [{ type: 'string', enum: ['A'] }, 'B', 'FieldValueNotSupported'],
  [{ type: 'string', pattern: '^a+$' }, 'b', 'FieldValueInvalid'],
  [{ type: 'string', maxLength: 2 }, 'abc', 'FieldValueTooLong'],
  [{ type: 'string', minLength: 2 }, 'a', 'FieldValueInvalid'],
  [{ type: 'string', format: 'date-time' }, 'yesterday', 'FieldValueTypeInvalid'],
  [{ type: 'string', format: 'date-time' }, '2026-13-01T00:00:00Z', 'FieldValueTypeInvalid'],
  [{ type: 'string' }, 1, 'FieldValueTypeInvalid'],
  [{ type: 'integer' }, 1.5, 'FieldValueTypeInvalid'],
  [{ type: 'integer', format: 'int32' }, 2_147_483_648, 'FieldValueInvalid'],
  [{ type: 'integer', minimum: 1 }, 0, 'FieldValueInvalid'],
  [{ type: 'integer', maximum: 1 }, 2, 'FieldValueInvalid'],
  [{ type: 'number', minimum: 0, exclusiveMinimum: true }, 0, 'FieldValueInvalid'],
  [{ type: 'boolean' }, 'true', 'FieldValueTypeInvalid'],
  [{ type: 'array', items: { type: 'integer' } }, {}, 'FieldValueTypeInvalid'],
  [{ type: 'array', maxItems: 1, items: { type: 'integer' } }, [1, 2], 'FieldValueTooMany'],
  [{ type: 'object', additionalProperties: { type: 'integer' } }, [], 'FieldValueTypeInvalid'],
  [{ 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+m?$' }, '1q', 'FieldValueInvalid'],
  [{ 'x-kubernetes-int-or-string': true }, true, 'FieldValueTypeInvalid'],
])('%j refuses %j as %s', (schema, value, reason) => {
  expect(run(schema, value).errors).toEqual([`spec: ${reason}`]);
});

test.each([
  [{ type: 'string', format: 'date-time' }, '2026-01-01T00:00:00.123456+02:00'],
  [{ type: 'integer', format: 'int64' }, 9_000_000_000_000],
  [{ 'x-kubernetes-int-or-string': true, pattern: '^[0-9]+m?$' }, '100m'],
  [{ 'x-kubernetes-int-or-string': true, pattern: '^x$' }, 5],
  [{ type: 'string', nullable: true }, null],
])('%j accepts %j', (schema, value) => {
  expect(run(schema, value)).toEqual({ value, errors: [], pruned: [] });
});

test('lists with identity refuse doubles', () => {
  const conditions = { type: 'array', 'x-kubernetes-list-type': 'map', 'x-kubernetes-list-map-keys': ['type'], items: { type: 'object', properties: { type: { type: 'string' }, status: { type: 'string' } } } };
  expect(run(conditions, [{ type: 'A', status: '1' }, { type: 'B' }, { type: 'A', status: '2' }]).errors).toEqual(['spec[2]: FieldValueDuplicate']);
  expect(run({ type: 'array', 'x-kubernetes-list-type': 'set', items: { type: 'string' } }, ['a', 'a']).errors).toEqual(['spec[1]: FieldValueDuplicate']);
});

test('self == oldSelf compares with the stored value, and only if there is one', () => {
  const schema = { type: 'object', properties: { id: { type: 'string', 'x-kubernetes-validations': [{ rule: 'self == oldSelf', message: 'id is immutable' }] } } };
  expect(run(schema, { id: 'a' }).errors).toEqual([]);
  expect(run(schema, { id: 'a' }, {}).errors).toEqual([]);
  expect(run(schema, { id: 'a' }, { id: 'a' }).errors).toEqual([]);
  expect(run(schema, { id: 'b' }, { id: 'a' }).errors).toEqual(['spec.id: FieldValueInvalid']);
});

test('a subtree that is the stored one is returned as it is', () => {
  const schema = { type: 'object', properties: { a: { type: 'object', properties: { n: { type: 'integer' } } }, b: { type: 'integer' } } };
  const old = { a: { n: 1 }, b: 1 };
  const { value } = run(schema, { a: old.a, b: 2 }, old);
  expect(value.a).toBe(old.a);
});

test('metadata is left to others', () => {
  const check = compileSchema({ type: 'object', properties: {} });
  const findings: Findings = { errors: [], pruned: [] };
  expect(check({ metadata: { odd: 1 }, gone: 1 }, undefined, '', findings)).toEqual({ metadata: { odd: 1 } });
});

test.each(crds)('%s compiles, and each list and string of its status may be empty', (path) => {
  const definition = parse(readFileSync(path, 'utf8')) as Loose;
  const schema = definition.spec.versions[0].schema.openAPIV3Schema;
  const findings: Findings = { errors: [], pruned: [] };
  compileSchema(schema)({ metadata: {}, status: {} }, undefined, '', findings);
  expect(findings.errors.map((e) => e.field)).toContain('spec');
  expect(findings.pruned).toEqual([]);
});
