/** The thread behind ListThread: it makes the call, decodes the answer, and hands it over in parts, the next one when the last has been dealt with. */
import { parentPort, workerData } from 'node:worker_threads';
import { CapacityProviderService } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { Peer, toGrpcError } from '../api/grpc.ts';
import { providerCredentials } from './credentials.ts';
import { decodeSlices } from './list-decoder.ts';
import type { Answer, Ask, Tls } from './list-protocol.ts';
import { MachinePacker } from './packed-machines.ts';

/** So many machines are a millisecond's work for who receives them. */
const PER_PART = 1_000;
/** So much may be on its way here. With the 64 KiB that HTTP/2 begins with, a provider stops and waits a thousand times for a List of 68 MB. */
const WINDOW_BYTES = 2 ** 20;

interface Call {
  readonly abort: AbortController;
  /** Whoever waits for the last part to be dealt with. */
  next: () => void;
}

const rawList = { ...CapacityProviderService.list, responseDeserialize: (bytes: Buffer): Buffer => bytes };
const calls = new Map<number, Call>();
let peer: Peer | undefined;

const port = parentPort;
if (port === null) throw new Error('list-worker.ts is the inside of a thread; use ListThread');
port.on('message', (ask: Ask) => {
  if (ask.kind === 'list') void list(ask);
  else if (ask.kind === 'next') calls.get(ask.id)?.next();
  else {
    calls.get(ask.id)?.abort.abort();
    calls.get(ask.id)?.next();
  }
});

async function list({ id, address, filter, timeoutMs }: Extract<Ask, { kind: 'list' }>): Promise<void> {
  const call: Call = { abort: new AbortController(), next: () => undefined };
  const { signal } = call.abort;
  calls.set(id, call);
  try {
    const slices = decodeSlices(await peerAt(address).unary(rawList, filter, { timeoutMs, signal }), PER_PART);
    const packer = new MachinePacker();
    for (let slice = slices.next(); ; ) {
      signal.throwIfAborted();
      const machines = slice.done ? slice.value.last : slice.value;
      const dealtWith = new Promise<void>((resolve) => (call.next = resolve));
      answer({ id, packed: packer.pack(machines), rejected: machines.rejected, ...(slice.done && { revision: slice.value.revision }) });
      if (slice.done) return;
      slice = slices.next(); // while the other thread deals with this one
      await dealtWith;
    }
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
  return (peer = new Peer(address, { credentials: providerCredentials(workerData as Tls | undefined), channelOptions: { 'grpc-node.flow_control_window': WINDOW_BYTES } }));
}

function answer(message: Answer): void {
  port?.postMessage(message);
}
