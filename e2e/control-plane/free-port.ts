import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * A loopback TCP port that nobody listened on a moment ago. Another process may take it before it is used: whoever
 * starts a server on it must be ready to try another.
 */
export async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  server.close();
  await once(server, 'close');
  if (address === null || typeof address === 'string') throw new Error('the probe socket has no port');
  return address.port;
}
