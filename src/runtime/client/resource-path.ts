import type { ObjectRef, ResourceType } from '../types.ts';

/** `group/version`, or `v1` for the core group: the apiVersion of objects of this type. */
export function apiVersionOf(type: ResourceType): string {
  return type.group ? `${type.group}/${type.version}` : type.version;
}

/** The collection's URL path; without a namespace that of all namespaces. */
export function collectionPath(type: ResourceType, namespace?: string): string {
  const root = type.group ? `/apis/${type.group}/${type.version}` : `/api/${type.version}`;
  const scope = type.namespaced && namespace ? `/namespaces/${encodeURIComponent(namespace)}` : '';
  return `${root}${scope}/${type.plural}`;
}

/** Where an object of this type is created. */
export function creationPath(type: ResourceType, namespace: string | undefined): string {
  if (type.namespaced && !namespace) throw new Error(`${type.kind}: metadata.namespace is missing; set the namespace to create it in`);
  return collectionPath(type, namespace);
}

/** The URL path of one object, or of a subresource of it. */
export function objectPath(type: ResourceType, ref: ObjectRef, subresource?: string): string {
  if (!ref.name) throw new Error(`${type.kind}: metadata.name is missing; an empty name would address the whole collection`);
  if (type.namespaced && !ref.namespace) throw new Error(`${type.kind} "${ref.name}": metadata.namespace is missing; set the object's namespace`);
  const path = `${collectionPath(type, ref.namespace)}/${encodeURIComponent(ref.name)}`;
  return subresource ? `${path}/${subresource}` : path;
}

/** `?a=1&b=2` of the defined, non-empty parameters; '' if there are none. */
export function queryString(params: Readonly<Record<string, string | number | boolean | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(params)) {
    if (value !== undefined && value !== '') query.set(name, String(value));
  }
  const text = query.toString();
  return text ? `?${text}` : '';
}
