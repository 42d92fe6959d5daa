import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** Answers with JSON; `body` is the request's text. An Error becomes 400, a NotHere 404, both with the message. */
export type JsonRoute = (body: string) => object;

/** What was asked about does not exist. */
export class NotHere extends Error {
  override readonly name = 'NotHere';
}

const MAX_BODY_BYTES = 64 * 1024;

/** A small control panel for simulations: routes such as `POST /interrupt`. For loopback; no authentication. `flag` is named when it cannot listen. */
export async function startJsonServer(
  address: { readonly host: string; readonly port: number }, flag: string, routes: Readonly<Record<string, JsonRoute>>,
): Promise<{ readonly port: number; close(): Promise<void> }> {
  const server = createServer((req, res) => {
    respond(req, routes).then(
      ({ status, body }) => answer(res, status, body),
      (error: unknown) => answer(res, error instanceof NotHere ? 404 : 400, { error: error instanceof Error ? error.message : String(error) }),
    );
  });
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`cannot listen on ${address.host}:${address.port} (${flag}): ${error.message}`)));
    server.listen(address.port, address.host, resolve);
  });
  return { port: (server.address() as AddressInfo).port, close: () => close(server) };
}

async function respond(req: IncomingMessage, routes: Readonly<Record<string, JsonRoute>>): Promise<{ status: number; body: object }> {
  const target = `${req.method} ${(req.url ?? '').split('?')[0]}`;
  const route = Object.hasOwn(routes, target) ? routes[target] : undefined;
  if (!route) return { status: 404, body: { error: `${target}: no such page; there are ${Object.keys(routes).join(', ')}` } };
  return { status: 200, body: route(await readBody(req)) };
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
