/** How the verbs that ask a running shard reach it, and what they say when they cannot. */
import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import type { Peer } from '../api/grpc.ts';
import { durationMs } from './flags.ts';
import { addTlsFlags, tlsFilesOf, type TlsFlags } from './tls-flags.ts';

export interface ShardFlags extends TlsFlags {
  shard: string;
  timeout: string;
}

/** The shard's own default port on this host. */
const DEFAULT_SHARD = '127.0.0.1:7780';

export function addShardFlags(command: Command): Command {
  command
    .option('--shard <host:port>', 'the shard to ask: where its --listen is', process.env['BIGFLEET_SHARD'] ?? DEFAULT_SHARD)
    .option('--timeout <time>', 'how long to wait for its answer', '10s');
  return addTlsFlags(command, { cert: 'our certificate, with the name bigfleet://readonly or bigfleet://admin', ca: 'authorities of the shard' });
}

/** Runs `ask` over a connection that is closed afterwards. Throws with what a person can do about it. */
export async function withShard<T>({ shard, timeout, ...tls }: ShardFlags, ask: (peer: Peer, timeoutMs: number) => Promise<T>): Promise<T> {
  if (!/^.+:\d+$/.test(shard)) throw new UsageError(`--shard: "${shard}" is not an address; write host:port`);
  const timeoutMs = durationMs('--timeout', timeout, 1);
  const tlsFiles = tlsFilesOf(tls);
  const [{ Peer, GrpcCode, GrpcError }, { dialCredentials }] = await Promise.all([import('../api/grpc.ts'), import('../api/dial-credentials.ts')]);
  const peer = new Peer(shard, { credentials: dialCredentials(tlsFiles)() });
  try {
    return await ask(peer, timeoutMs);
  } catch (error) {
    if (!(error instanceof GrpcError)) throw error;
    if (error.code === GrpcCode.UNAVAILABLE) {
      throw new Error(`no shard answers at ${shard}: ${error.details}\nIs it running, and is this its --listen address? (bigfleet up prints it; --shard host:port says another one)`, { cause: error });
    }
    if (error.code === GrpcCode.DEADLINE_EXCEEDED) throw new Error(`the shard at ${shard} did not answer within ${timeout}`, { cause: error });
    if (error.code === GrpcCode.UNIMPLEMENTED) throw new Error(`the shard at ${shard} is another one than this command knows: ${error.details}`, { cause: error });
    throw new Error(error.details, { cause: error });
  } finally {
    peer.close();
  }
}
