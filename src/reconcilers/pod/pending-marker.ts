import type { CapacityRequest } from '../../api/types.ts';
import { sleep, type Clock } from '../../lib/clock.ts';
import { CapacityRequestResource } from '../../api/resources.ts';
import { parseKey } from '../../runtime/cache/store.ts';
import { isConflict, isNotFound } from '../../runtime/client/api-error.ts';
import type { KubeClient, Log, Runnable, Store } from '../../runtime/types.ts';

export interface PendingMarkerOptions {
  readonly client: KubeClient;
  readonly requests: Store<CapacityRequest>;
  readonly clock: Clock;
  readonly log: Log;
  /** A request without a phase for so long becomes Pending. 0 = right after its creation, as upstream does. */
  readonly afterMs: number;
}

const CONCURRENCY = 8;

/**
 * Writes phase Pending onto requests that the operator has not acknowledged in good time. In the ordinary case it does,
 * and the write that would be overwritten a second later is saved: one write per Pod less.
 */
export class PendingMarker implements Runnable {
  readonly name = 'pending-marker';
  private readonly options: PendingMarkerOptions;
  /** In order of creation, so that the first entry is always the next one due. */
  private readonly waiting = new Map<string, number>();
  private wake: () => void = () => {};

  constructor(options: PendingMarkerOptions) {
    this.options = options;
  }

  created(key: string): void {
    this.waiting.set(key, this.options.clock.monotonic() + this.options.afterMs);
    this.wake();
  }

  async run(signal: AbortSignal): Promise<void> {
    const { clock } = this.options;
    while (!signal.aborted) {
      const first = this.waiting.values().next();
      if (first.done) await this.somethingCreated(signal);
      else await sleep(clock, first.value - clock.monotonic(), signal).catch(() => {});
      if (!signal.aborted) await this.markDue(signal);
    }
  }

  private async markDue(signal: AbortSignal): Promise<void> {
    const now = this.options.clock.monotonic();
    const due: string[] = [];
    for (const [key, at] of this.waiting) {
      if (at > now) break;
      this.waiting.delete(key);
      due.push(key);
    }
    for (let i = 0; i < due.length; i += CONCURRENCY) await Promise.all(due.slice(i, i + CONCURRENCY).map((key) => this.mark(key, signal)));
  }

  private async mark(key: string, signal: AbortSignal): Promise<void> {
    const { client, requests, log } = this.options;
    const request = requests.get(key);
    if (request?.status?.phase) return;
    // The revision guards the one-way phase: an acknowledgement that came first must not be undone.
    const resourceVersion = request?.metadata.resourceVersion;
    const patch = { ...(resourceVersion ? { metadata: { resourceVersion } } : {}), status: { phase: 'Pending' } };
    try {
      await client.patch(CapacityRequestResource, parseKey(key), patch, { subresource: 'status', signal });
    } catch (error) {
      if (!isNotFound(error) && !isConflict(error)) log.warn({ request: key, err: error }, 'phase Pending could not be written');
    }
  }

  private async somethingCreated(signal: AbortSignal): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    this.wake = resolve;
    const onAbort = (): void => resolve();
    signal.addEventListener('abort', onAbort, { once: true });
    if (signal.aborted || this.waiting.size > 0) resolve();
    await promise;
    signal.removeEventListener('abort', onAbort);
  }
}
