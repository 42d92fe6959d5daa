import { createServer } from 'node:http';
import type { IncomingMessage, Server, ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { JoinRefused } from './node-agent.ts';
import type { NodeAgent } from './node-agent.ts';
import { readJoinRequest, record, text } from './join-request.ts';

const MAX_BODY_BYTES = 8 * 1024 * 1024;

export interface NodeAgentServer {
  readonly url: string;
  close(): Promise<void>;
}

export interface NodeAgentListen {
  /** The flag that the address came from, for the error if it cannot be had. */
  readonly flag: string;
  readonly host: string;
  readonly port: number;
}

/**
 * The node agent over HTTP, for a provider in another process: `POST /join`, `/leave` and `/kill` answer 204; 400 with
 * `{"error": …}` means that repeating the same request is of no use, 500 that it may help.
 */
export async function serveNodeAgent(agent: NodeAgent, { flag, host, port }: NodeAgentListen): Promise<NodeAgentServer> {
  const server = createServer((request, response) => {
    void answer(agent, request, response);
  });
  // A leave is answered only when the Pods are gone, which may take as long as the grace.
  server.requestTimeout = 0;
  await new Promise<void>((resolve, reject) => {
    server.once('error', (error) => reject(new Error(`${flag} ${host}:${port}: cannot listen: ${error.message}`, { cause: error })));
    server.listen(port, host, resolve);
  });
  const address = server.address() as AddressInfo;
  return { url: `http://${host}:${address.port}`, close: () => close(server) };
}

async function answer(agent: NodeAgent, request: IncomingMessage, response: ServerResponse): Promise<void> {
  try {
    if (request.method !== 'POST') return send(response, 405, { error: 'use POST' });
    const body = await readBody(request);
    if (request.socket.destroyed) return; // the caller has given up, and may have gone on to something else
    switch (request.url) {
      case '/join':
        await agent.join(readBadAs400(() => readJoinRequest(body)));
        break;
      case '/leave': {
        const { machineId, graceMs } = readBadAs400(() => readLeave(body));
        await agent.leave(machineId, graceMs);
        break;
      }
      case '/kill':
        await agent.kill(readBadAs400(() => text(record(body, 'the body'), 'machineId')));
        break;
      default:
        return send(response, 404, { error: `no ${request.url ?? ''}; there are /join, /leave and /kill` });
    }
    send(response, 204);
  } catch (error) {
    send(response, error instanceof JoinRefused ? 400 : 500, { error: error instanceof Error ? error.message : String(error) });
  }
}

function readLeave(body: unknown): { machineId: string; graceMs: number } {
  const fields = record(body, 'the body');
  const seconds = fields['graceSeconds'];
  if (typeof seconds !== 'number' || !(seconds >= 0)) throw new Error('graceSeconds: expected a number of seconds, 0 or more');
  return { machineId: text(fields, 'machineId'), graceMs: seconds * 1000 };
}

function readBadAs400<T>(read: () => T): T {
  try {
    return read();
  } catch (error) {
    throw new JoinRefused(error instanceof Error ? error.message : String(error));
  }
}

async function readBody(request: IncomingMessage): Promise<unknown> {
  const chunks: Buffer[] = [];
  let bytes = 0;
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw new JoinRefused(`the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  return readBadAs400(() => JSON.parse(Buffer.concat(chunks).toString('utf8')) as unknown);
}

function send(response: ServerResponse, code: number, body?: object): void {
  if (response.headersSent || response.destroyed) return;
  response.writeHead(code, body ? { 'content-type': 'application/json' } : {});
  response.end(body ? JSON.stringify(body) : undefined);
}

function close(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve());
    server.closeAllConnections();
  });
}
