/** The thread behind ListThread: it makes the call, puts the answer together, and hands the bytes over without a copy. */
import { parentPort, workerData } from 'node:worker_threads';
import { CapacityProviderService } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { Peer, toGrpcError } from '../api/grpc.ts';
import { providerCredentials } from './credentials.ts';
import type { Answer, Ask, Tls } from './list-protocol.ts';

const rawList = { ...CapacityProviderService.list, responseDeserialize: (bytes: Buffer): Buffer => bytes };
const calls = new Map<number, AbortController>();
let peer: Peer | undefined;

const port = parentPort;
if (port === null) throw new Error('list-worker.ts is the inside of a thread; use ListThread');
port.on('message', (ask: Ask) => {
  if (ask.kind === 'cancel') calls.get(ask.id)?.abort();
  else void list(ask);
});

async function list({ id, address, filter, timeoutMs }: Extract<Ask, { kind: 'list' }>): Promise<void> {
  const abort = new AbortController();
  calls.set(id, abort);
  try {
    const bytes = ownBytes(await peerAt(address).unary(rawList, filter, { timeoutMs, signal: abort.signal }));
    answer({ id, bytes }, [bytes.buffer]);
  } catch (error) {
    const { code, details } = toGrpcError(error);
    answer({ id, code, details });
  } finally {
    calls.delete(id);
  }
}

function peerAt(address: string): Peer {
  if (peer?.address === address) return peer;
  peer?.close();
  return (peer = new Peer(address, { credentials: providerCredentials(workerData as Tls | undefined) }));
}

/** A large answer fills a buffer of its own; a small one may be part of a larger buffer, which is not ours to give away. */
function ownBytes(bytes: Buffer): Uint8Array<ArrayBuffer> {
  const { buffer, byteLength } = bytes;
  return buffer instanceof ArrayBuffer && buffer.byteLength === byteLength ? new Uint8Array(buffer) : new Uint8Array(bytes);
}

function answer(message: Answer, transfer: readonly ArrayBuffer[] = []): void {
  port?.postMessage(message, transfer);
}
