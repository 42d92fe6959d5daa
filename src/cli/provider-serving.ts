import { existsSync, statSync } from 'node:fs';
import type { Command } from 'commander';
import type { ServerTlsFiles } from '../api/tls-listener.ts';
import { UsageError } from '../lib/usage-error.ts';
import { parseAddress } from '../provider/sim/settings.ts';
import { listenAddress } from './flags.ts';
import { addTlsFlags, tlsFilesOf, type TlsFlags } from './tls-flags.ts';

/** The flags of every provider that concern serving, not machines. */
export interface ServingFlags extends TlsFlags {
  listen: string;
  dataDir?: string;
  metricsAddr: string;
}

/**
 * Adds --addr/--listen and --state/--data-dir (spec: provider 1.4, B10xx), --metrics-addr, and --tls-cert, --tls-key and
 * --tls-ca (spec: identity 6).
 */
export function addServingFlags(command: Command): Command {
  command
    .option('--addr, --listen <host:port>', 'where to serve the provider API; port 0 takes a free one', '127.0.0.1:0')
    .option('--state, --data-dir <dir>', 'keep the state in this folder; without it a restart starts afresh')
    .option('--metrics-addr <host:port>', 'serve /metrics, /healthz and /readyz here, over plain HTTP; 0 = nowhere', '0');
  return addTlsFlags(command, {
    cert: 'certificate, looked at again every 5 s',
    ca: 'authorities of callers, who need bigfleet://shard/<id> (mutates as that shard, reads), bigfleet://readonly or bigfleet://admin in their certificates',
  });
}

/** What the flags mean for `serveProvider`. Throws a UsageError that names the flag and the fix. */
export function servingOptions(flags: ServingFlags): { readonly address: string; readonly metricsAddress: string; readonly tlsFiles?: ServerTlsFiles } {
  const tlsFiles = tlsFilesOf(flags);
  const address = /^:\d+$/.test(flags.listen) ? `0.0.0.0${flags.listen}` : flags.listen;
  parseAddress('--addr', address);
  if (flags.metricsAddr !== '0') listenAddress('--metrics-addr', flags.metricsAddr);
  return { address, metricsAddress: flags.metricsAddr, ...(tlsFiles && { tlsFiles }) };
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
