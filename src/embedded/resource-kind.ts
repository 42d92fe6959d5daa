/** What the server knows about one kind of object: names, rules and presentation. */
import type { ResourceType } from '../runtime/types.ts';
import type { Stored } from './json.ts';
import type { Check } from './structural-schema.ts';
import type { FieldError } from './status-error.ts';

export interface Column {
  readonly name: string;
  readonly type: string;
  readonly format?: string;
  readonly description?: string;
  /** 0 is always shown, 1 with `-o wide`. */
  readonly priority: number;
  /** `now` is Unix milliseconds, for ages. */
  readonly cell: (object: Stored, now: number) => unknown;
}

/** Where a write comes from; admission of built-in kinds treats them differently. */
export type WriteTarget = 'object' | 'status' | 'resize' | 'binding';

export interface AdmissionContext {
  readonly now: number;
  lookup(group: string, plural: string): readonly Stored[];
}

export interface KindRules {
  /** Fills in defaults and runs admission on a private copy; throws a StatusError to refuse. */
  onCreate?(object: Stored, context: AdmissionContext): Stored;
  /** The same for a changed object; must not change `next` in place. */
  onUpdate?(next: Stored, old: Stored, target: WriteTarget, context: AdmissionContext): Stored;
  validate?(object: Stored, old: Stored | undefined): FieldError[];
}

export interface ResourceKind {
  readonly type: ResourceType;
  readonly apiVersion: string;
  /** `plural.group`, `plural` for the core group. */
  readonly id: string;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly custom: boolean;
  readonly subresources: readonly string[];
  readonly hasStatus: boolean;
  /** Whether status may be given on create (only Nodes and kinds without a status subresource). */
  readonly statusOnCreate: boolean;
  /** Whether metadata.generation counts changes outside metadata and status. */
  readonly generation: boolean;
  /** Whether an update may leave out metadata.resourceVersion. */
  readonly unconditionalUpdate: boolean;
  readonly nameRule: 'label' | 'subdomain';
  readonly schema?: Check;
  /** OpenAPI schema to publish. */
  readonly openapi?: object;
  readonly columns: readonly Column[];
  /** Selectable fields beside metadata.name and metadata.namespace. */
  readonly fields: Readonly<Record<string, (object: Stored) => string>>;
  /** Lists with identity, for server-side apply: path of field names to the key fields. */
  readonly rules: KindRules;
}

export function kindId(type: { readonly group: string; readonly plural: string }): string {
  return type.group === '' ? type.plural : `${type.plural}.${type.group}`;
}

export function apiVersionOf(type: { readonly group: string; readonly version: string }): string {
  return type.group === '' ? type.version : `${type.group}/${type.version}`;
}
