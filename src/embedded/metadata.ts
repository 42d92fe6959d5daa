/** Rules that hold for the metadata of every kind. */
import { isObject } from './json.ts';
import type { Meta } from './json.ts';
import type { FieldError } from './status-error.ts';

const dnsLabel = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
const dnsSubdomain = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const labelName = /^([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]$/;
const labelValue = /^(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?$/;

const subdomainRule =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character";
const labelRule =
  "a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character";

export function isDnsLabel(text: string): boolean {
  return text.length <= 63 && dnsLabel.test(text);
}

export function nameErrors(name: string, rule: 'label' | 'subdomain'): FieldError[] {
  const fine = rule === 'label' ? isDnsLabel(name) : name.length <= 253 && dnsSubdomain.test(name);
  return fine ? [] : [bad('metadata.name', name, rule === 'label' ? labelRule : subdomainRule)];
}

export function metadataErrors(meta: Meta): FieldError[] {
  const errors: FieldError[] = [];
  stringMap(meta.labels, 'metadata.labels', errors, (key, value) => {
    if (!isQualifiedName(key)) errors.push(bad('metadata.labels', key, 'name part must consist of alphanumeric characters, "-", "_" or ".", at most 63, after an optional DNS prefix and "/"'));
    if (value.length > 63 || !labelValue.test(value)) errors.push(bad('metadata.labels', value, 'a valid label must be an empty string or consist of alphanumeric characters, "-", "_" or ".", at most 63'));
  });
  let size = 0;
  stringMap(meta.annotations, 'metadata.annotations', errors, (key, value) => {
    if (!isQualifiedName(key.toLowerCase())) errors.push(bad('metadata.annotations', key, 'not a qualified name'));
    size += key.length + value.length;
  });
  if (size > 262_144) errors.push({ field: 'metadata.annotations', reason: 'FieldValueTooLong', message: 'Too long: may not be more than 262144 bytes' });
  list(meta.finalizers, 'metadata.finalizers', errors).forEach((finalizer) => {
    if (typeof finalizer !== 'string' || !isQualifiedName(finalizer)) errors.push(bad('metadata.finalizers', finalizer, 'not a qualified name'));
  });
  list(meta.ownerReferences, 'metadata.ownerReferences', errors).forEach((owner, i) => {
    for (const field of ['apiVersion', 'kind', 'name', 'uid']) {
      if (!isObject(owner) || typeof owner[field] !== 'string' || owner[field] === '') {
        errors.push({ field: `metadata.ownerReferences[${i}].${field}`, reason: 'FieldValueInvalid', message: `Invalid value: "": must not be empty` });
      }
    }
  });
  const controllers = (meta.ownerReferences ?? []).filter((owner) => owner.controller === true);
  if (controllers.length > 1) errors.push({ field: 'metadata.ownerReferences', reason: 'FieldValueInvalid', message: 'Invalid value: only one reference can have Controller set to true' });
  return errors;
}

function isQualifiedName(key: string): boolean {
  const slash = key.indexOf('/');
  const name = key.slice(slash + 1);
  const prefix = slash < 0 ? undefined : key.slice(0, slash);
  return name.length <= 63 && labelName.test(name) && (prefix === undefined || (prefix.length <= 253 && dnsSubdomain.test(prefix)));
}

function stringMap(map: unknown, field: string, errors: FieldError[], each: (key: string, value: string) => void): void {
  if (map === undefined) return;
  if (!isObject(map)) {
    errors.push(bad(field, map, 'must be a map of strings'));
    return;
  }
  for (const [key, value] of Object.entries(map)) {
    if (typeof value !== 'string') errors.push(bad(`${field}[${key}]`, value, 'must be a string'));
    else each(key, value);
  }
}

function list(value: unknown, field: string, errors: FieldError[]): readonly unknown[] {
  if (value === undefined) return [];
  if (Array.isArray(value)) return value as unknown[];
  errors.push(bad(field, value, 'must be a list'));
  return [];
}

function bad(field: string, value: unknown, why: string): FieldError {
  return { field, reason: 'FieldValueInvalid', message: `Invalid value: ${JSON.stringify(value)}: ${why}` };
}
