/**
 * Reading data that people wrote: every function takes a value and the path under which it was found, and either returns
 * it with its type or throws a SnapshotError that names the path, what was found and what is expected.
 */
import { closest } from './closest.ts';

export class SnapshotError extends Error {
  override readonly name = 'SnapshotError';
  readonly path: string;

  constructor(path: string, message: string) {
    super(path === '' ? message : `${path}: ${message}`);
    this.path = path;
  }
}

export type Read<T> = (value: unknown, path: string) => T;

export function wrong(path: string, value: unknown, expected: string): never {
  throw new SnapshotError(path, `found ${shown(value)}, expected ${expected}`);
}

export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  const text = typeof value === 'number' ? String(value) : JSON.stringify(value) ?? typeof value;
  return text.length > 60 ? `${text.slice(0, 59)}…` : text;
}

/** ` (did you mean "x"?)`, or nothing. */
export function hintFor(name: string, known: Iterable<string>): string {
  const near = closest(name, known);
  return near === undefined ? '' : ` (did you mean ${JSON.stringify(near)}?)`;
}

export function within(path: string, field: string | number): string {
  if (typeof field === 'number') return `${path}[${String(field)}]`;
  if (!/^[A-Za-z_$][\w$]*$/.test(field)) return `${path}[${JSON.stringify(field)}]`;
  return path === '' ? field : `${path}.${field}`;
}

export function text(value: unknown, path: string): string {
  return typeof value === 'string' ? value : wrong(path, value, 'a text');
}

export function flag(value: unknown, path: string): boolean {
  return typeof value === 'boolean' ? value : wrong(path, value, 'true or false');
}

export function numberFrom(min: number, max: number, what: string): Read<number> {
  return (value, path) => (typeof value === 'number' && value >= min && value <= max ? value : wrong(path, value, what));
}

export function wholeFrom(min: number, max: number, what: string): Read<number> {
  return (value, path) => (Number.isSafeInteger(value) && (value as number) >= min && (value as number) <= max ? (value as number) : wrong(path, value, what));
}

export function oneOf<const T extends string>(...names: readonly T[]): Read<T> {
  return (value, path) =>
    names.find((name) => name === value) ??
    wrong(path, value, `one of ${names.join(', ')}${typeof value === 'string' ? hintFor(value, names) : ''}`);
}

export function listOf<T>(read: Read<T>): Read<T[]> {
  return (value, path) => {
    if (!Array.isArray(value)) return wrong(path, value, 'a list');
    return value.map((item, i) => read(item, within(path, i)));
  };
}

/** An object whose keys are names that the author chose. */
export function tableOf<T>(read: Read<T>): Read<Map<string, T>> {
  return (value, path) => new Map(Object.entries(objectAt(value, path)).map(([name, item]) => [name, read(item, within(path, name))]));
}

export function objectAt(value: unknown, path: string): Readonly<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null || Array.isArray(value)) return wrong(path, value, 'an object');
  return value as Readonly<Record<string, unknown>>;
}

/** An object that has none but these fields, as it is: what they hold is not looked at. */
export function knownFields(known: readonly string[]): Read<Readonly<Record<string, unknown>>> {
  return (value, path) => {
    new Fields(value, path, known);
    return objectAt(value, path);
  };
}

/** An object with a fixed set of fields, each of which may be left out. A field that is not in the set is an error. */
export class Fields {
  readonly #value: Readonly<Record<string, unknown>>;
  readonly #path: string;

  constructor(value: unknown, path: string, known: readonly string[]) {
    this.#value = objectAt(value, path);
    this.#path = path;
    for (const field of Object.keys(this.#value)) {
      if (known.includes(field)) continue;
      throw new SnapshotError(within(path, field), `is no field here${hintFor(field, known)}; the fields are ${known.join(', ')}`);
    }
  }

  has(field: string): boolean {
    return Object.hasOwn(this.#value, field);
  }

  pathOf(field: string): string {
    return within(this.#path, field);
  }

  raw(field: string): unknown {
    return Object.hasOwn(this.#value, field) ? this.#value[field] : undefined;
  }

  optional<T>(field: string, read: Read<T>): T | undefined {
    return this.has(field) ? read(this.#value[field], this.pathOf(field)) : undefined;
  }

  get<T>(field: string, read: Read<T>, otherwise: T): T {
    return this.has(field) ? read(this.#value[field], this.pathOf(field)) : otherwise;
  }
}
