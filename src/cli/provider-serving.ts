import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';

/** The flags of every provider that concern serving, not machines. */
export interface ServingFlags {
  listen: string;
  dataDir?: string;
}

/** Adds --addr/--listen and --state/--data-dir (spec: provider 1.4, B10xx). */
export function addServingFlags(command: Command): Command {
  return command
    .option('--addr, --listen <host:port>', 'where to serve the provider API; port 0 takes a free one', '127.0.0.1:0')
    .option('--state, --data-dir <dir>', 'keep the state in this folder; without it a restart starts afresh');
}

/**
 * The folder that keeps the state: the one given, which may be missing; where an empty file stands in its place, the folder
 * of the same name with `.d` behind it. Throws a UsageError for a file that holds something.
 */
export function stateFolder(path: string): string {
  if (!existsSync(path) || statSync(path).isDirectory()) return path;
  if (statSync(path).size > 0) throw new UsageError(`--state: ${path} is a file with something in it; name a folder, which is made when it is missing`);
  return `${path}.d`;
}

/** Prints where the provider serves, as one JSON line, then resolves at SIGTERM or SIGINT. */
export async function untilStopped(listening: Readonly<Record<string, string>>): Promise<void> {
  process.stdout.write(`${JSON.stringify({ event: 'listening', ...listening })}\n`);
  await new Promise<void>((resolve) => {
    process.once('SIGTERM', () => resolve());
    process.once('SIGINT', () => resolve());
  });
}

/** `address` with the port that was really taken. */
export function withPort(address: string, port: number): string {
  return `${address.slice(0, address.lastIndexOf(':'))}:${port}`;
}
