import type { Clock } from '../../lib/clock.ts';
import type { StateChange, StateStore } from './state-store.ts';

/** Told when the store turns from good to bad and back; `reason` says what is wrong. */
export type StoreWatch = (healthy: boolean, reason: string) => void;

/** A store that failed is tried again after this long. */
const PROBE_MS = 1_000;
const NOTHING: StateChange = {};

/** A store that says whether it can be written: after a failure it tries by itself, so that callers need not find out. */
export class GuardedStore implements StateStore {
  private readonly inner: StateStore;
  private readonly clock: Clock;
  private readonly watch: StoreWatch;
  private healthy = true;
  private closed = false;
  private cancelProbe = (): void => {};

  constructor(inner: StateStore, clock: Clock, watch: StoreWatch) {
    this.inner = inner;
    this.clock = clock;
    this.watch = watch;
  }

  load(): Iterable<StateChange> | undefined {
    return this.inner.load();
  }

  append(change: StateChange): void {
    try {
      this.inner.append(change);
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  async flush(): Promise<void> {
    try {
      await this.inner.flush();
    } catch (error) {
      this.failed(error);
      throw error;
    }
  }

  maybeCompact(snapshot: () => Iterable<StateChange>): void {
    this.inner.maybeCompact(snapshot);
  }

  close(): Promise<void> {
    this.closed = true;
    this.cancelProbe();
    return this.inner.close();
  }

  private failed(error: unknown): void {
    if (!this.healthy || this.closed) return;
    this.healthy = false;
    this.watch(false, error instanceof Error ? error.message : String(error));
    this.probeLater();
  }

  private probeLater(): void {
    this.cancelProbe = this.clock.after(PROBE_MS, () => {
      this.probe().then(
        () => {
          if (this.closed) return;
          this.healthy = true;
          this.watch(true, '');
        },
        () => this.closed || this.probeLater(),
      );
    });
  }

  private async probe(): Promise<void> {
    this.inner.append(NOTHING);
    await this.inner.flush();
  }
}
