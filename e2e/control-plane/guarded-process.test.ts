import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { createServer } from 'node:net';
import type { Server, Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterEach, beforeEach, describe, expect, it } from 'vitest';

import { GuardedProcess } from './guarded-process.ts';
import { untilReady } from './until-ready.ts';

/** A program that lives as long as its connection to us, by which we see it start and end. */
const connected = (port: number, prelude = ''): string[] => [
  '-e',
  `${prelude}require('node:net').connect(${port}, '127.0.0.1').on('close', () => process.exit())`,
];

describe('a guarded process', () => {
  let dir: string;
  let server: Server;
  let port: number;

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'guarded-'));
    server = createServer().listen(0, '127.0.0.1');
    await once(server, 'listening');
    const address = server.address();
    if (address === null || typeof address === 'string') throw new Error('no port');
    port = address.port;
  });
  afterEach(() => {
    server.close();
    rmSync(dir, { recursive: true, force: true });
  });

  const connection = async (): Promise<Socket> => {
    const [socket]: Socket[] = await once(server, 'connection');
    if (socket === undefined) throw new Error('no socket');
    socket.on('error', () => undefined); // a killed peer may reset the connection
    return socket.resume();
  };
  const options = (args: string[], graceMs = 60_000) => ({ name: 'peer', command: process.execPath, args, logPath: join(dir, 'log'), graceMs });

  it('ends when its parent is killed', async () => {
    const module = JSON.stringify(join(import.meta.dirname, 'guarded-process.ts'));
    const script = `import { GuardedProcess } from ${module};
      GuardedProcess.start(${JSON.stringify(options(connected(port)))});
      setInterval(() => undefined, 1e6);`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: 'inherit' });
    const socket = await connection();
    parent.kill('SIGKILL');
    await once(socket, 'close'); // never comes while the program lives
  });

  it('does not keep a finished parent alive, and ends with it', async () => {
    const module = JSON.stringify(join(import.meta.dirname, 'guarded-process.ts'));
    const script = `import { GuardedProcess } from ${module};
      GuardedProcess.start(${JSON.stringify(options(connected(port)))});
      process.stdin.resume();`;
    const parent = spawn(process.execPath, ['--input-type=module', '-e', script], { stdio: ['pipe', 'inherit', 'inherit'] });
    const socket = await connection();
    parent.stdin.end(); // its last task
    const [[code]] = await Promise.all([once(parent, 'exit'), once(socket, 'close')]);
    expect(code).toBe(0);
  });

  it('is gone once stop has resolved, and reports no surprise', async () => {
    const surprises: string[] = [];
    const peer = GuardedProcess.start({ ...options(connected(port)), onUnexpectedExit: (message) => surprises.push(message) });
    await connection();
    await Promise.all([peer.stop(), peer.stop()]);
    expect(() => process.kill(peer.pid, 0)).toThrow('ESRCH');
    expect(peer.ending).toContain('SIGTERM');
    expect(surprises).toEqual([]);
    await peer.stop();
  });

  it('is killed when it ignores SIGTERM beyond the grace', async () => {
    const peer = GuardedProcess.start(options(connected(port, "process.on('SIGTERM', () => undefined);"), 1));
    await connection();
    await peer.stop();
    expect(peer.ending).toContain('SIGKILL');
  });

  it('reports an end nobody asked for, with the place of the log', async () => {
    const surprises: string[] = [];
    const peer = GuardedProcess.start({
      ...options(['-e', "console.error('port is taken'); process.exit(3)"]),
      onUnexpectedExit: (message) => surprises.push(message),
    });
    await peer.exited();
    expect(surprises).toEqual([`peer ended with code 3, see ${join(dir, 'log')}`]);
    expect(readFileSync(join(dir, 'log'), 'utf8')).toContain('port is taken');
    await expect(untilReady('the peer', { url: 'http://127.0.0.1:1/' }, [peer])).rejects.toThrow('the peer cannot become ready: peer ended with code 3');
  });

  it('sees neither the input nor the settings of its parent', async () => {
    process.env['GUARDED_TEST_SECRET'] = 'leaked';
    const peer = GuardedProcess.start({ ...options(['-e', "console.log(process.env.GUARDED_TEST_SECRET, process.env.GIVEN); process.stdin.resume()"]), env: { GIVEN: 'given' } });
    await peer.exited(); // its input is empty, so nothing keeps it
    delete process.env['GUARDED_TEST_SECRET'];
    expect(readFileSync(join(dir, 'log'), 'utf8')).toBe('undefined given\n');
  });
});
