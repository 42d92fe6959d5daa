/** The form of Kubernetes quantities in built-in kinds. Reading their value is not this server's business. */
import { isObject } from './json.ts';
import { badRequest } from './status-error.ts';

const pattern = /^(\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))(([KMGTPE]i)|[numkMGTPE]|([eE](\+|-)?(([0-9]+(\.[0-9]*)?)|(\.[0-9]+))))?$/;

/** Refuses (400, as a request that cannot be decoded) a map of quantities with an entry that is none. */
export function checkQuantities(map: unknown, field: string): void {
  if (map === undefined || map === null) return;
  if (!isObject(map)) throw badRequest(`${field} must be a map of quantities`);
  for (const [name, value] of Object.entries(map)) {
    if (typeof value === 'number' ? !Number.isFinite(value) : typeof value !== 'string' || !pattern.test(value)) {
      throw badRequest(`${field}[${name}]: quantities must match the regular expression '${pattern.source}', not ${JSON.stringify(value)}`);
    }
  }
}
