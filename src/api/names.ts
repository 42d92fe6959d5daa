/** Names of the objects we create, made from ids that others chose (D23). Equal ids give equal names, always. */
import { createHash } from 'node:crypto';

const LABEL = /^[a-z0-9]([-a-z0-9]{0,61}[a-z0-9])?$/;
const SUBDOMAIN = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const LABEL_VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** Name of a Machine object: the id itself if it is a DNS label, else a readable part of it and a hash of all of it. */
export function machineObjectName(machineId: string): string {
  return LABEL.test(machineId) ? machineId : hashedName(machineId);
}

/** Name of the UpcomingNode that announces a machine in its cluster (spec: operator 4.6). */
export function upcomingNodeName(machineId: string): string {
  return prefixedName('un-', machineId);
}

/** Name of the one CapacityRequest of a Pod: a second attempt to create it meets the first. */
export function capacityRequestName(podUid: string): string {
  return prefixedName('cr-pod-', podUid);
}

/** Name of the AvailableCapacity that keeps the newest update with this supersedes key (spec: operator 4.9). */
export function availableCapacityName(supersedesKey: string): string {
  return `ac-${sha256Hex(supersedesKey).slice(0, 32)}`;
}

/** A label value for `text`: itself if the API server takes it, else a readable part and a hash, so that texts stay apart. */
export function labelValue(text: string): string {
  if (LABEL_VALUE.test(text)) return text;
  const readable = text.slice(0, 40).replace(/[^-A-Za-z0-9_.]/g, '-').replace(/^[^A-Za-z0-9]+|[^A-Za-z0-9]+$/g, '');
  return [readable, shortHash(text)].filter(Boolean).join('-');
}

/** Names of objects may hold dots and be long, so that more ids can stay as they are. */
function prefixedName(prefix: string, id: string): string {
  const name = prefix + id;
  return name.length <= 253 && SUBDOMAIN.test(name) ? name : prefix + hashedName(id);
}

function hashedName(id: string): string {
  const sanitised = id.toLowerCase().replace(/[^a-z0-9]+/g, '-').replace(/^-/, '').slice(0, 40).replace(/-$/, '');
  return [sanitised, shortHash(id)].filter(Boolean).join('-');
}

function shortHash(text: string): string {
  return sha256Hex(text).slice(0, 8);
}

function sha256Hex(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
