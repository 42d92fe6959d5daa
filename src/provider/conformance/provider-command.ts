import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type AddressInfo } from 'node:net';
import { join } from 'node:path';
import type { ChannelCredentials } from '@grpc/grpc-js';
import { sleep, type Clock } from '../../lib/clock.ts';
import { UsageError } from '../../lib/usage-error.ts';
import { Caller, connect } from './caller.ts';
import type { ProviderStarter, StartedProvider } from './durable-lane.ts';
import { Violation } from './expectation.ts';
import { Transcript } from './exchange.ts';

export interface CommandOptions {
  /** A line for the shell, with {addr}, {state} and {seeds} in it. */
  readonly command: string;
  /** An existing folder; {state} is a path in it that does not exist before the first start. */
  readonly folder: string;
  readonly credentials: ChannelCredentials;
  readonly clock: Clock;
  /** How long it may take to answer its first List. */
  readonly readyMs: number;
}

const STDERR_KEPT = 2_000;
const POLL_MS = 50;
/** The provider does not listen yet when it is first asked; by itself a channel would try again after a second. */
const EAGER = { 'grpc.initial_reconnect_backoff_ms': POLL_MS, 'grpc.max_reconnect_backoff_ms': POLL_MS };
/** Somebody outside of its group may hold its standard error open. */
const LAST_WORDS_MS = 2_000;

/** They do not outlive this process. */
const running = new Set<ChildProcess>();

/** Starts a provider by a command. Throws a UsageError when the command lacks a placeholder that it cannot do without. */
export function providerCommand(flag: string, options: CommandOptions): ProviderStarter {
  for (const placeholder of ['{addr}', '{state}']) {
    if (!options.command.includes(placeholder)) throw new UsageError(`${flag}: the command must say where ${placeholder} goes, as in --addr {addr} --state {state}`);
  }
  return {
    start: async (stateName, seeds) => {
      const address = `127.0.0.1:${await freePort()}`;
      const line = options.command.replaceAll('{addr}', address).replaceAll('{state}', quoted(join(options.folder, stateName))).replaceAll('{seeds}', String(seeds));
      return startLine(line, address, options);
    },
  };
}

async function startLine(line: string, address: string, { credentials, clock, readyMs }: CommandOptions): Promise<StartedProvider> {
  // A group of its own: what the shell starts dies with it.
  const child = spawn(line, { shell: true, detached: true, stdio: ['ignore', 'ignore', 'pipe'] });
  let told = '';
  child.stderr.on('data', (chunk: Buffer) => void (told = (told + chunk.toString()).slice(-STDERR_KEPT)));
  if (running.size === 0) process.on('exit', killAll);
  running.add(child);
  const ended = once(child, 'exit').then(() => true, () => true).finally(() => {
    running.delete(child);
    if (running.size === 0) process.off('exit', killAll);
  });
  // What it wrote last may arrive after its end.
  const silent = once(child, 'close').catch(() => undefined);
  const caller = new Caller(connect(address, credentials, EAGER), clock, new Transcript());
  try {
    const end = clock.monotonic() + readyMs;
    for (;;) {
      const reply = await caller.list({ max: 1 });
      if (reply.code === 'OK') return { address, kill: () => kill(child, ended) };
      const isOver = await Promise.race([ended, sleep(clock, POLL_MS).then(() => false)]);
      if (isOver || clock.monotonic() > end) {
        await kill(child, ended);
        await Promise.race([silent, sleep(clock, LAST_WORDS_MS)]);
        const what = isOver ? 'it ended' : `no answer within ${readyMs} ms: ${reply.exchange.got}`;
        throw new Violation(`a provider that serves at ${address} after: ${line}`, `${what}${told === '' ? '' : `. Its last words:\n${told.trim()}`}`);
      }
    }
  } finally {
    caller.peer.close();
  }
}

async function kill(child: ChildProcess, ended: Promise<boolean>): Promise<void> {
  killGroup(child);
  await ended;
}

function killAll(): void {
  for (const child of running) killGroup(child);
}

function killGroup({ pid }: ChildProcess): void {
  if (pid === undefined) return; // it could not be started
  try {
    process.kill(-pid, 'SIGKILL');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error;
  }
}

function quoted(path: string): string {
  return `'${path.replaceAll("'", `'\\''`)}'`;
}

async function freePort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}
