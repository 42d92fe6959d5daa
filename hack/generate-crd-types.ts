/** TypeScript interfaces of our kinds, from the CRDs, so that types and validation cannot drift apart. */
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { compile } from 'json-schema-to-typescript';
import { parse } from 'yaml';

type Schema = Record<string, unknown>;

const banner = `// Generated from config/crd/bases by hack/generate.ts. DO NOT EDIT.
import type { ObjectMeta } from '../runtime/types.ts';
import type { Condition, IntOrString, LabelSelector, ObjectReference } from './core.ts';
`;

/** Writes `outFile` from every CRD in `crdFolder`; throws, naming the file, for what is no CRD with one schema. */
export async function generateCrdTypes(crdFolder: string, outFile: string): Promise<void> {
  const files = readdirSync(crdFolder).filter((name) => name.endsWith('.yaml')).sort();
  const parts: string[] = [];
  for (const file of files) {
    const { kind, schema } = readCrd(join(crdFolder, file));
    parts.push(
      await compile(toTypeSchema(kind, schema), kind, {
        bannerComment: '',
        additionalProperties: false,
        ignoreMinAndMaxItems: true,
        unknownAny: true,
        style: { singleQuote: true, printWidth: 140 },
      }),
    );
  }
  writeFileSync(outFile, `${banner}\n${parts.join('\n')}`);
}

function readCrd(file: string): { kind: string; schema: Schema } {
  const crd = parse(readFileSync(file, 'utf8')) as {
    spec?: { names?: { kind?: string }; versions?: { schema?: { openAPIV3Schema?: Schema } }[] };
  };
  const kind = crd.spec?.names?.kind;
  const schema = crd.spec?.versions?.[0]?.schema?.openAPIV3Schema;
  if (!kind || !schema) throw new Error(`${file}: needs spec.names.kind and spec.versions[0].schema.openAPIV3Schema`);
  return { kind, schema };
}

/** The root of a kind: metadata is the shared type, and always there. */
function toTypeSchema(kind: string, root: Schema): Schema {
  const names = new Names(kind);
  const converted = convert(root, [], names);
  const properties = { ...(converted['properties'] as Schema), metadata: { tsType: 'ObjectMeta' } };
  const required = [...new Set([...((root['required'] as string[] | undefined) ?? []), 'metadata'])];
  return { ...converted, title: kind, properties, required };
}

/** Turns a structural schema into what the type generator understands, naming every nested object after kind and field. */
function convert(schema: Schema, path: readonly string[], names: Names): Schema {
  const description = schema['description'] ? { description: schema['description'] } : {};
  if (schema['x-kubernetes-int-or-string']) return { ...description, tsType: 'IntOrString' };
  const field = path.at(-1);
  if (schema['type'] === 'array') {
    if (field === 'conditions') return { ...description, tsType: 'Condition[]' };
    return { ...description, type: 'array', items: convert(schema['items'] as Schema, [...path.slice(0, -1), singular(field ?? 'item')], names) };
  }
  if (schema['type'] !== 'object') {
    return { ...description, ...(schema['enum'] ? { enum: schema['enum'] } : { type: schema['type'] }) };
  }
  if (field === 'labelSelector') return { ...description, tsType: 'LabelSelector' };
  if (field === 'nodeRef') return { ...description, tsType: 'ObjectReference' };
  if (schema['additionalProperties']) {
    return { ...description, type: 'object', additionalProperties: convert(schema['additionalProperties'] as Schema, [...path, 'value'], names) };
  }
  if (!schema['properties']) return { ...description, tsType: path.length === 1 ? 'object' : 'Record<string, unknown>' };
  const properties = Object.entries(schema['properties'] as Record<string, Schema>).map(
    ([name, child]) => [name, convert(child, [...path, name], names)] as const,
  );
  return {
    ...description,
    type: 'object',
    ...(path.length > 0 && { title: names.unique(path) }),
    properties: Object.fromEntries(properties),
    required: schema['required'] ?? [],
  };
}

/** Interface names within one kind: the kind and the field, with the enclosing field where two would meet. */
class Names {
  private readonly kind: string;
  private readonly taken = new Set<string>();

  constructor(kind: string) {
    this.kind = kind;
  }

  unique(path: readonly string[]): string {
    for (let parts = 1; parts <= path.length; parts++) {
      const name = this.kind + path.slice(-parts).map(capitalised).join('');
      if (this.taken.has(name)) continue;
      this.taken.add(name);
      return name;
    }
    throw new Error(`${this.kind}: no free name for ${path.join('.')}`);
  }
}

function singular(name: string): string {
  if (name.endsWith('ies')) return `${name.slice(0, -3)}y`;
  return name.endsWith('s') ? name.slice(0, -1) : name;
}

function capitalised(name: string): string {
  return name.charAt(0).toUpperCase() + name.slice(1);
}
