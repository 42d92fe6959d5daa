import type { CapacityType, Machine } from '../kit/machine.ts';
import type { Interruptions, InterruptRequest } from './interruptions.ts';
import { startJsonServer } from './json-server.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly machines: () => Iterable<Machine>;
  readonly interruptions: Interruptions;
}

const capacityTypes: readonly string[] = ['BareMetal', 'Reserved', 'OnDemand', 'Spot'];

/** The simulation's control panel: GET /healthz, GET /readyz, GET /state, POST /interrupt. For loopback; no authentication. */
export function startAdminServer({ host, port, machines, interruptions }: AdminOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  return startJsonServer({ host, port }, '--admin-listen', {
    'GET /healthz': () => ({ ok: true }),
    'GET /readyz': () => ({ ok: true }),
    'GET /state': () => countStates(machines()),
    'POST /interrupt': (body) => ({ interrupted: interruptions.interrupt(parseInterrupt(body)) }),
  });
}

/** `{machineId}` or `{capacityType, count}`; throws an Error that says what is wrong. */
export function parseInterrupt(text: string): InterruptRequest {
  const value: unknown = JSON.parse(text || '{}');
  if (typeof value !== 'object' || value === null) throw new Error('the body must be a JSON object');
  const { machineId, capacityType, count = 1 } = value as Record<string, unknown>;
  if (typeof machineId === 'string' && machineId !== '') return { machineId };
  if (typeof capacityType !== 'string' || !capacityTypes.includes(capacityType)) {
    throw new Error(`give machineId, or capacityType (one of ${capacityTypes.join(', ')}) with count`);
  }
  if (!Number.isInteger(count) || (count as number) < 1) throw new Error('count must be a whole number of 1 or more');
  return { capacityType: capacityType as CapacityType, count: count as number };
}

/** How many machines are in each state. */
export function countStates(machines: Iterable<Machine>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of machines) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}
