import { parse } from 'yaml';
import { canonicalQuantity, parseQuantity } from '../api/quantity.ts';
import { UsageError } from '../lib/usage-error.ts';
import type { Penalties } from './pod-request.ts';

const FIELDS = ['interruptionPenalty', 'reclamationPenalty'] as const;

/** Parses the penalty defaults by PriorityClass (spec: pod-controller 3.7). Throws a UsageError that names class and field. */
export function parsePriorityClassDefaults(text: string, source: string): Map<string, Penalties> {
  const document: unknown = parse(text) ?? {};
  if (!isMap(document)) throw new UsageError(`${source}: expected a map of PriorityClass names, such as "high: {interruptionPenalty: \\"8192\\"}"`);
  return new Map(Object.entries(document).map(([name, value]) => [name, penaltiesOf(`${source}: ${name}`, value)]));
}

function penaltiesOf(where: string, value: unknown): Penalties {
  if (!isMap(value)) throw new UsageError(`${where}: expected a map with ${FIELDS.join(' and/or ')}`);
  const unknown = Object.keys(value).find((key) => !FIELDS.some((field) => field === key));
  if (unknown !== undefined) throw new UsageError(`${where}: unknown field ${unknown}; known are ${FIELDS.join(' and ')}`);
  const penalties: { interruptionPenalty?: string; reclamationPenalty?: string } = {};
  for (const field of FIELDS) {
    const amount = value[field];
    if (amount !== undefined) penalties[field] = dollars(`${where}.${field}`, amount);
  }
  return penalties;
}

function dollars(where: string, amount: unknown): string {
  try {
    if ((typeof amount === 'string' || typeof amount === 'number') && parseQuantity(amount).nanos >= 0n) return canonicalQuantity(amount);
  } catch {
    // Reported below.
  }
  throw new UsageError(`${where}: ${JSON.stringify(amount)} is not an amount of dollars; write for example "8192" or "0.5"`);
}

function isMap(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
