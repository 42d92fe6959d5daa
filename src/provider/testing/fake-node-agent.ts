import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

export interface AgentCall {
  readonly path: string;
  readonly body: Record<string, unknown>;
  reply(status: number, body?: object): void;
  /** Cuts the connection without an answer. */
  hangUp(): void;
}

/** A node agent over real HTTP that answers nothing by itself: the test takes each call and ends it. */
export interface FakeNodeAgent {
  readonly url: string;
  next(path: string): Promise<AgentCall>;
  close(): Promise<void>;
}

export async function startFakeNodeAgent(): Promise<FakeNodeAgent> {
  const arrived: AgentCall[] = [];
  const waiting: { path: string; resolve: (call: AgentCall) => void }[] = [];
  const server = createServer((req, res) => {
    const chunks: Buffer[] = [];
    req.on('data', (chunk: Buffer) => chunks.push(chunk));
    req.on('end', () => deliver(callOf(req.url ?? '', JSON.parse(Buffer.concat(chunks).toString()) as Record<string, unknown>, res)));
  });
  const deliver = (call: AgentCall): void => {
    const at = waiting.findIndex((w) => w.path === call.path);
    if (at < 0) arrived.push(call);
    else waiting.splice(at, 1)[0]!.resolve(call);
  };
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    next(path) {
      const at = arrived.findIndex((call) => call.path === path);
      return at < 0 ? new Promise((resolve) => waiting.push({ path, resolve })) : Promise.resolve(arrived.splice(at, 1)[0]!);
    },
    close: () => new Promise((resolve) => {
      server.close(() => resolve());
      server.closeAllConnections();
    }),
  };
}

function callOf(path: string, body: Record<string, unknown>, res: ServerResponse): AgentCall {
  return {
    path, body,
    reply: (status, answer) => void res.writeHead(status).end(answer && JSON.stringify(answer)),
    hangUp: () => void res.destroy(),
  };
}
