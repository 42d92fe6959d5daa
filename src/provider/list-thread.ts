import { Worker } from 'node:worker_threads';
import { GrpcError, GrpcCode } from '../api/grpc.ts';
import type { ListFilter } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { DecodedList } from './list-decoder.ts';
import type { Answer, Ask, Tls } from './list-protocol.ts';
import { MachineUnpacker } from './packed-machines.ts';
import type { ProviderMachine, RejectedMachine } from './provider-machine.ts';

export interface ListCall {
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
  /** See `ListRequest`. */
  readonly onPart?: (machines: readonly ProviderMachine[]) => Promise<void>;
}

interface Pending {
  readonly unpacker: MachineUnpacker;
  readonly onPart: ListCall['onPart'];
  /** Fulfilled when all parts have been dealt with that came so far. */
  dealt: Promise<void>;
  readonly machines: ProviderMachine[];
  readonly rejected: RejectedMachine[];
  readonly resolve: (list: DecodedList) => void;
  readonly reject: (error: Error) => void;
}

const CLOSED = 'the client was closed';

/**
 * Lists of large fleets, received and decoded on a thread of their own (D19): a List is one message, and merely putting the 150 MB of
 * 500,000 machines together holds a thread for a quarter of a second. The thread goes with the last call, and what it needed for it.
 */
export class ListThread {
  private readonly tls: Tls | undefined;
  private readonly pending = new Map<number, Pending>();
  private worker: Worker | undefined;
  private lastId = 0;
  private isClosed = false;

  constructor(tls: Tls | undefined) {
    this.tls = tls;
  }

  /** Rejects with GrpcError, as a call on this thread would. */
  list(address: string, filter: ListFilter, { timeoutMs, signal, onPart }: ListCall): Promise<DecodedList> {
    if (this.isClosed) return Promise.reject(new GrpcError(GrpcCode.CANCELLED, CLOSED));
    if (signal?.aborted) return Promise.reject(new GrpcError(GrpcCode.CANCELLED, String(signal.reason)));
    const id = ++this.lastId;
    const worker = (this.worker ??= this.start());
    const cancel = (): void => worker.postMessage({ kind: 'cancel', id } satisfies Ask);
    return new Promise<DecodedList>((resolve, reject) => {
      this.pending.set(id, { unpacker: new MachineUnpacker(), onPart, dealt: Promise.resolve(), machines: [], rejected: [], resolve, reject });
      signal?.addEventListener('abort', cancel, { once: true });
      worker.postMessage({ kind: 'list', id, address, filter, timeoutMs } satisfies Ask);
    }).finally(() => signal?.removeEventListener('abort', cancel));
  }

  close(): void {
    this.isClosed = true;
    this.stop();
    this.ended(CLOSED);
  }

  private start(): Worker {
    const worker = new Worker(new URL('./list-worker.ts', import.meta.url), { workerData: this.tls, execArgv: [] });
    worker.unref(); // no reason for the process to go on
    worker.on('message', (answer: Answer) => this.answered(answer));
    let why = 'the thread that lists ended';
    worker.on('error', (error) => (why = `the thread that lists failed: ${error instanceof Error ? error.message : String(error)}`));
    worker.on('exit', () => {
      if (this.worker === worker) this.ended(why);
    });
    return worker;
  }

  private answered(answer: Answer): void {
    const pending = this.pending.get(answer.id);
    if (pending === undefined) return;
    pending.dealt = pending.dealt.then(() => this.deal(answer, pending)).catch((error: unknown) => {
      this.worker?.postMessage({ kind: 'cancel', id: answer.id } satisfies Ask);
      this.settle(answer.id, () => pending.reject(error instanceof Error ? error : new Error(String(error))));
    });
  }

  private async deal(answer: Answer, { unpacker, onPart, machines, rejected, resolve, reject }: Pending): Promise<void> {
    const { id } = answer;
    if (!this.pending.has(id)) return;
    if (!('packed' in answer)) return this.settle(id, () => reject(new GrpcError(answer.code, answer.details)));
    // The next part comes over while this one is dealt with, and waits for its turn.
    if (answer.revision === undefined) this.worker?.postMessage({ kind: 'next', id } satisfies Ask);
    const part = unpacker.unpack(answer.packed);
    rejected.push(...answer.rejected);
    if (onPart) await onPart(part);
    else machines.push(...part);
    const { revision } = answer;
    if (revision !== undefined) this.settle(id, () => resolve({ machines, rejected, revision }));
  }

  /** Once: whoever comes later comes to nothing. */
  private settle(id: number, settle: () => void): void {
    if (!this.pending.delete(id)) return;
    settle();
    if (this.pending.size === 0) this.stop();
  }

  private stop(): void {
    void this.worker?.terminate();
    this.worker = undefined;
  }

  /** The next call starts another one. */
  private ended(why: string): void {
    this.worker = undefined;
    for (const { reject } of this.pending.values()) reject(new GrpcError(GrpcCode.UNAVAILABLE, why));
    this.pending.clear();
  }
}
