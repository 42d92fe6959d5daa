import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import type { CapacityType, Machine } from '../kit/machine.ts';
import { UnknownMachine } from './interruptions.ts';
import type { Interruptions, InterruptRequest } from './interruptions.ts';

export interface AdminOptions {
  readonly host: string;
  readonly port: number;
  readonly machines: () => Iterable<Machine>;
  readonly interruptions: Interruptions;
}

const MAX_BODY_BYTES = 64 * 1024;
const capacityTypes: readonly string[] = ['BareMetal', 'Reserved', 'OnDemand', 'Spot'];

/** The simulation's control panel: GET /healthz, GET /readyz, GET /state, POST /interrupt. For loopback; no authentication. */
export async function startAdminServer(options: AdminOptions): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((req, res) => {
    route(req, options)
      .then(({ status, body }) => answer(res, status, body))
      .catch((error: unknown) => answer(res, error instanceof UnknownMachine ? 404 : 400, { error: error instanceof Error ? error.message : String(error) }));
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`cannot listen on ${options.host}:${options.port} (--admin-listen): ${error.message}`)));
    server.listen(options.port, options.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function route(req: IncomingMessage, options: AdminOptions): Promise<{ status: number; body: object }> {
  const target = `${req.method} ${(req.url ?? '').split('?')[0]}`;
  switch (target) {
    case 'GET /healthz':
    case 'GET /readyz':
      return { status: 200, body: { ok: true } };
    case 'GET /state':
      return { status: 200, body: countStates(options.machines()) };
    case 'POST /interrupt': {
      const interrupted = options.interruptions.interrupt(parseInterrupt(await readBody(req)));
      return { status: 200, body: { interrupted } };
    }
    default:
      return { status: 404, body: { error: `${target}: no such page; there are GET /healthz, GET /readyz, GET /state and POST /interrupt` } };
  }
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

function countStates(machines: Iterable<Machine>): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of machines) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

async function readBody(req: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let size = 0;
  for await (const chunk of req) {
    size += (chunk as Buffer).length;
    if (size > MAX_BODY_BYTES) throw new Error(`the body exceeds ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk as Buffer);
  }
  return Buffer.concat(chunks).toString('utf8');
}

function answer(res: ServerResponse, status: number, body: object): void {
  res.writeHead(status, { 'content-type': 'application/json' }).end(`${JSON.stringify(body)}\n`);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
