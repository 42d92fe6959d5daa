/** What `values.schema.json` of a chart says of each value. */
export interface Schema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly string[];
  readonly pattern?: string;
  readonly properties?: Readonly<Record<string, Schema>>;
  readonly additionalProperties?: unknown;
  readonly items?: Schema;
}

export interface Value {
  readonly path: readonly string[];
  readonly schema: Schema;
}

/** Values without parts of their own; `global` is Helm's. */
export function leavesOf(schema: Schema, path: readonly string[] = []): Value[] {
  return Object.entries(schema.properties ?? {}).flatMap(([name, each]) =>
    each.properties !== undefined ? leavesOf(each, [...path, name]) : name === 'global' ? [] : [{ path: [...path, name], schema: each }]);
}

/** A value of a type that no leaf has: all wrong at once, to be refused one by one. */
export function wrongValues(leaves: readonly Value[]): object {
  const values: Record<string, unknown> = {};
  for (const { path, schema } of leaves) {
    let at = values;
    for (const name of path.slice(0, -1)) at = (at[name] ??= {}) as Record<string, unknown>;
    at[path.at(-1)!] = schema.type === 'string' || schema.enum ? 5 : 'wrong';
  }
  return values;
}

/** Names that stand in a `values.yaml` as leaves: what the schema must know, and the reverse. */
export function namesIn(values: unknown, path: readonly string[] = []): string[] {
  if (typeof values !== 'object' || values === null || Array.isArray(values) || Object.keys(values).length === 0) return [path.join('.')];
  return Object.entries(values).flatMap(([name, each]) => namesIn(each, [...path, name]));
}
