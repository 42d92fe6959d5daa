import type { Shard } from '../api/types.ts';
import type { Log, Runnable } from '../runtime/types.ts';

/** Another process has led this shard under an epoch that is not below ours: `run` rejects with it. */
export class SucceededError extends Error {
  override readonly name = 'SucceededError';
}

/** Whether the object names another process that has led the shard under an epoch that is not below ours. */
export function isSucceeded(shard: Shard | undefined, { epoch, holder }: { readonly epoch: bigint; readonly holder: string }): boolean {
  const { epoch: published = 0, holder: other = '' } = shard?.status ?? {};
  return BigInt(published) > epoch || (BigInt(published) === epoch && other !== '' && other !== holder);
}

export interface SuccessionOptions {
  /** Ours, as in Shard.status.holder. */
  readonly identity: string;
  readonly log: Log;
  /** Called once, before `run` rejects: nothing may be sent any more. */
  readonly onSucceeded: (error: SucceededError) => void;
}

/**
 * Ends a process that was succeeded and holds the Lease all the same. A person who deletes the Lease, or a hub that was
 * restored, makes that possible: providers and operators refuse such a process, and it would lead a shard that does nothing
 * (spec: coordinator 5.8 i). Started again, it claims an epoch above its successor's.
 */
export class Succession implements Runnable {
  readonly name = 'succession';
  private readonly options: SuccessionOptions;
  private readonly ended = Promise.withResolvers<never>();
  private isOver = false;

  constructor(options: SuccessionOptions) {
    this.options = options;
    // Awaited only while run() runs; elsewhere it must not count as an unhandled rejection.
    this.ended.promise.catch(() => undefined);
  }

  /** The Shard object has changed, or our epoch has. `epoch`: ours; 0 while there is none. */
  look(epoch: bigint, shard: Shard | undefined): void {
    if (this.isOver || epoch === 0n || !isSucceeded(shard, { epoch, holder: this.options.identity })) return;
    this.isOver = true;
    const { epoch: published, holder = '' } = shard?.status ?? {};
    const error = new SucceededError(`the Shard object names epoch ${published} of "${holder}", and this process acts under ${epoch}: it was succeeded and must be started again`);
    this.options.log.error({ epoch: String(epoch), published, holder }, 'another process has led this shard since: stopping at once');
    this.options.onSucceeded(error);
    this.ended.reject(error);
  }

  async run(signal: AbortSignal): Promise<void> {
    await Promise.race([this.ended.promise, new Promise<void>((resolve) => (signal.aborted ? resolve() : signal.addEventListener('abort', () => resolve(), { once: true })))]);
  }
}
