/** The forms in which objects are answered: as they are, as rows of a table, or their metadata only. */
import type { Stored } from '../json.ts';
import type { ResourceKind } from '../resource-kind.ts';

export type Form = 'object' | 'table' | 'metadata';

/** The first form in an Accept header that this server has. */
export function acceptedForm(accept: string | undefined): Form {
  for (const range of (accept ?? '').split(',')) {
    const [type, ...parameters] = range.split(';').map((part) => part.trim());
    if (type !== 'application/json') continue;
    if (parameters.includes('as=Table')) return 'table';
    if (parameters.includes('as=PartialObjectMetadata') || parameters.includes('as=PartialObjectMetadataList')) return 'metadata';
    return 'object';
  }
  return 'object';
}

export type IncludeObject = 'None' | 'Metadata' | 'Object';

export function includedObject(query: URLSearchParams): IncludeObject {
  const value = query.get('includeObject');
  return value === 'None' || value === 'Object' ? value : 'Metadata';
}

export function tableOf(kind: ResourceKind, objects: readonly Stored[], now: number, include: IncludeObject, metadata: object, withHeader = true): object {
  return {
    kind: 'Table',
    apiVersion: 'meta.k8s.io/v1',
    metadata,
    columnDefinitions: withHeader
      ? kind.columns.map(({ name, type, format, description, priority }) => ({ name, type, format: format ?? '', description: description ?? '', priority }))
      : [],
    rows: objects.map((object) => ({
      cells: kind.columns.map((column) => column.cell(object, now) ?? null),
      ...(include === 'None' ? {} : { object: include === 'Object' ? object : metadataOf(object) }),
    })),
  };
}

export function metadataOf(object: Stored): object {
  return { kind: 'PartialObjectMetadata', apiVersion: 'meta.k8s.io/v1', metadata: object.metadata };
}
