/** RFC 6902 patches. */
import { cloneJson, equalJson, isObject, setField } from './json.ts';
import { badRequest, StatusError } from './status-error.ts';

/** Applies the operations in order to a copy. A failing `test` or a missing path is 422, a malformed patch 400. */
export function jsonPatch(target: unknown, patch: unknown): unknown {
  if (!Array.isArray(patch)) throw badRequest('a JSON patch is an array of operations');
  let document = { root: cloneJson(target) };
  for (const step of patch as unknown[]) {
    if (!isObject(step) || typeof step['path'] !== 'string') throw badRequest('a JSON patch operation needs op and path');
    const path = pointer(step['path']);
    switch (step['op']) {
      case 'add':
        put(document, path, cloneJson(step['value']), true);
        break;
      case 'replace':
        get(document, path);
        put(document, path, cloneJson(step['value']), false);
        break;
      case 'remove':
        remove(document, path);
        break;
      case 'test':
        if (!equalJson(get(document, path), step['value'])) throw failed(`testing value ${step['path']} failed`);
        break;
      case 'move': {
        const from = pointer(String(step['from']));
        const value = get(document, from);
        remove(document, from);
        put(document, path, value, true);
        break;
      }
      case 'copy':
        put(document, path, cloneJson(get(document, pointer(String(step['from'])))), true);
        break;
      default:
        throw badRequest(`unknown JSON patch operation ${JSON.stringify(step['op'])}`);
    }
    document = { root: document.root };
  }
  return document.root;
}

function pointer(text: string): string[] {
  if (text === '') return ['root'];
  if (!text.startsWith('/')) throw badRequest(`JSON pointer ${JSON.stringify(text)} does not start with /`);
  return ['root', ...text.slice(1).split('/').map((part) => part.replaceAll('~1', '/').replaceAll('~0', '~'))];
}

function failed(message: string): StatusError {
  return new StatusError(422, 'Invalid', `the server rejected our request due to an error in our request: ${message}`);
}

function get(document: object, path: readonly string[]): unknown {
  let current: unknown = document;
  for (const part of path) {
    if (Array.isArray(current)) current = current[index(part, current.length - 1)];
    else if (isObject(current) && Object.hasOwn(current, part)) current = current[part];
    else throw failed(`path /${path.slice(1).join('/')} does not exist`);
  }
  return current;
}

function put(document: object, path: readonly string[], value: unknown, insert: boolean): void {
  const parent = get(document, path.slice(0, -1));
  const last = path.at(-1)!;
  if (Array.isArray(parent)) {
    if (!insert) parent[index(last, parent.length - 1)] = value;
    else parent.splice(last === '-' ? parent.length : index(last, parent.length), 0, value);
  } else if (isObject(parent)) setField(parent, last, value);
  else throw failed(`path /${path.slice(1).join('/')} does not exist`);
}

function remove(document: object, path: readonly string[]): void {
  get(document, path);
  const parent = get(document, path.slice(0, -1));
  const last = path.at(-1)!;
  if (Array.isArray(parent)) parent.splice(index(last, parent.length - 1), 1);
  else if (isObject(parent)) delete parent[last];
}

function index(part: string, max: number): number {
  const value = /^(0|[1-9][0-9]*)$/.test(part) ? Number(part) : Number.NaN;
  if (!(value <= max)) throw failed(`array index ${part} does not exist`);
  return value;
}
