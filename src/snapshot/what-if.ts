/** Small changes to a snapshot, to see what would have been decided. Each one names something that must exist. */
import type { Need, Policy, Snapshot } from '../engine/types.ts';
import { uncountable } from './countable.ts';
import type { SnapshotDocument } from './parse.ts';
import { readPolicy } from './parse.ts';
import { flag, hintFor, shown, SnapshotError, wrong } from './reader.ts';
import { instant, microUsd } from './values.ts';

export interface WhatIf {
  /** `policy.FIELD=VALUE`, `supplyTrusted=BOOL` or `at=TIME`. */
  readonly set?: readonly string[];
  /** `TYPE=MICROUSD`: the price per hour of every machine of an instance type. */
  readonly price?: readonly string[];
  /** `CLUSTER=FACTOR`: the aggregates of a cluster times a factor. */
  readonly demand?: readonly string[];
  readonly withoutSession?: readonly string[];
}

/** The document as if. Throws a SnapshotError whose path is the flag. */
export function whatIf(document: SnapshotDocument, changes: WhatIf): SnapshotDocument {
  let { at, snapshot } = document;
  for (const text of changes.set ?? []) {
    const [field, value] = assignment('--set', text, 'policy.reclaimCapFraction=0.1');
    if (field === 'at') at = instant(parsed(value), '--set at');
    else if (field === 'supplyTrusted') snapshot = { ...snapshot, supplyTrusted: flag(parsed(value), '--set supplyTrusted') };
    else if (field.startsWith('policy.')) snapshot = { ...snapshot, policy: withPolicy(snapshot.policy, field.slice('policy.'.length), parsed(value)) };
    else throw new SnapshotError('--set', `${shown(field)} is not settable; settable are policy.FIELD, supplyTrusted and at`);
  }
  for (const text of changes.price ?? []) snapshot = withPrice(snapshot, ...assignment('--price', text, 'm5.large=96000'));
  for (const text of changes.demand ?? []) snapshot = withDemand(snapshot, ...assignment('--demand', text, 'cluster-1=1.5'));
  for (const cluster of changes.withoutSession ?? []) snapshot = withoutSession(snapshot, cluster);
  return { at, snapshot };
}

function assignment(name: string, text: string, example: string): [string, string] {
  const at = text.lastIndexOf('=');
  if (at < 1 || at === text.length - 1) return wrong(name, text, `NAME=VALUE, for instance ${name} ${example}`);
  return [text.slice(0, at), text.slice(at + 1)];
}

/** JSON where it is JSON, else the text itself. */
function parsed(value: string): unknown {
  try {
    return JSON.parse(value) as unknown;
  } catch {
    return value;
  }
}

/**
 * The field is put into the policy, which is then read like one from a file: unknown fields and wrong values are refused alike.
 * Of an object what it names changes and the rest stays; null is as if left out.
 */
function withPolicy(policy: Policy, path: string, value: unknown): Policy {
  const [field = '', inner, ...more] = path.split('.');
  if (more.length > 0) throw new SnapshotError('--set', `policy.${path} is no field of a policy`);
  const outer = policy as unknown as Readonly<Record<string, unknown>>;
  const before = Object.hasOwn(outer, field) ? outer[field] : undefined;
  const named = inner === undefined ? value : { [inner]: value };
  if (isObject(named) && Object.keys(named).length === 0) throw new SnapshotError('--set', `policy.${path}={} changes nothing; policy.${path}=null is as if left out`);
  const changed = isObject(named) ? withoutNulls({ ...(isObject(before) ? before : {}), ...named }) : named;
  return readPolicy(withoutNulls({ ...outer, [field]: changed }), '--set policy');
}

function isObject(value: unknown): value is object {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

function withoutNulls(value: object): object {
  return Object.fromEntries(Object.entries(value).filter(([, inner]) => inner !== null));
}

/** NaN for what is none, blanks included. */
function numberIn(text: string): number {
  return text.trim() === '' ? NaN : Number(text);
}

function withPrice(snapshot: Snapshot, type: string, value: string): Snapshot {
  const types = new Set(snapshot.machines.map(({ instanceType }) => instanceType));
  if (!types.has(type)) throw new SnapshotError('--price', `no machine is of type ${shown(type)}${hintFor(type, types)}`);
  const price = microUsd(numberIn(value), '--price');
  return { ...snapshot, machines: snapshot.machines.map((machine) => (machine.instanceType === type ? { ...machine, priceMicroUsdPerHour: price } : machine)) };
}

function withDemand(snapshot: Snapshot, cluster: string, value: string): Snapshot {
  const factor = numberIn(value);
  if (!Number.isFinite(factor) || factor < 0) wrong('--demand', value, 'a factor of at least 0');
  const needs = snapshot.needs.get(cluster);
  if (needs === undefined) throw new SnapshotError('--demand', `no cluster ${shown(cluster)} has reported${hintFor(cluster, snapshot.needs.keys())}`);
  const scaled = needs.map((need): Need => ({ ...need, aggregate: need.aggregate.map(([name, amount]) => [name, times(amount, factor)]) }));
  if (uncountable(scaled) !== undefined) wrong('--demand', value, 'a factor that leaves amounts that can be counted exactly');
  return { ...snapshot, needs: new Map([...snapshot.needs, [cluster, scaled]]) };
}

/** Rounded up, of the factor as it is written: 100,000 times 1.1 is 110,000, of which doubles would make a little more. */
function times(amount: number, factor: number): number {
  const [digits = '', exponent = '0'] = String(factor).split('e');
  const [whole = '', fraction = ''] = digits.split('.');
  const product = BigInt(amount) * BigInt(whole + fraction);
  const scale = Number(exponent) - fraction.length;
  if (scale >= 0) return Number(product * 10n ** BigInt(scale));
  const divisor = 10n ** BigInt(-scale);
  return Number((product + divisor - 1n) / divisor);
}

function withoutSession(snapshot: Snapshot, cluster: string): Snapshot {
  if (!snapshot.sessions.has(cluster)) throw new SnapshotError('--without-session', `cluster ${shown(cluster)} is not connected${hintFor(cluster, snapshot.sessions)}`);
  return { ...snapshot, sessions: new Set([...snapshot.sessions].filter((name) => name !== cluster)) };
}
