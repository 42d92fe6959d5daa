import type { Command } from 'commander';
import type { ServerTlsFiles } from '../api/tls-listener.ts';
import { UsageError } from '../lib/usage-error.ts';

/** The flags of every process that speaks gRPC (spec: identity 6). */
export interface TlsFlags {
  tlsCert?: string;
  tlsKey?: string;
  tlsCa?: string;
}

/** Adds --tls-cert, --tls-key and --tls-ca; `ca` says whose certificates the authorities must have signed. */
export function addTlsFlags(command: Command, { cert, ca }: { readonly cert: string; readonly ca: string }): Command {
  return command
    .option('--tls-cert <file>', `${cert} (PEM); with --tls-key and --tls-ca: mTLS, with none of them: plaintext`)
    .option('--tls-key <file>', 'key of --tls-cert')
    .option('--tls-ca <file>', ca);
}

/** The three files, or undefined where none is given. Throws a UsageError for anything between. */
export function tlsFilesOf({ tlsCert: cert, tlsKey: key, tlsCa: ca }: TlsFlags): ServerTlsFiles | undefined {
  if (cert && key && ca) return { cert, key, ca };
  // An empty one asks for TLS: a variable that was to name a file is not set.
  if (cert === undefined && key === undefined && ca === undefined) return undefined;
  const given = Object.entries({ '--tls-cert': cert, '--tls-key': key, '--tls-ca': ca }).map(([flag, value]) => `${flag} is ${value ? `"${value}"` : value === '' ? 'empty' : 'missing'}`);
  throw new UsageError(`--tls-cert, --tls-key and --tls-ca go together: give all three for mTLS or none for plaintext; ${given.join(', ')}`);
}
