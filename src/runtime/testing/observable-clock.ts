import { VirtualClock } from '../../lib/virtual-clock.ts';

/** A virtual clock that lets a test wait until the code under test waits. */
export class ObservableClock extends VirtualClock {
  private readonly delays = new Set<{ ms: number }>();
  private readonly watchers = new Set<() => void>();

  override after(ms: number, fn: () => void): () => void {
    const delay = { ms };
    this.delays.add(delay);
    const cancel = super.after(ms, () => {
      this.delays.delete(delay);
      fn();
    });
    for (const watcher of [...this.watchers]) watcher();
    return () => {
      this.delays.delete(delay);
      cancel();
    };
  }

  /** Resolves with the delay of a pending timer that matches, as soon as there is one. */
  timer(matches: (ms: number) => boolean): Promise<number> {
    return new Promise((resolve) => {
      const look = (): void => {
        for (const { ms } of this.delays) {
          if (!matches(ms)) continue;
          this.watchers.delete(look);
          return resolve(ms);
        }
      };
      this.watchers.add(look);
      look();
    });
  }

  /** Waits for such a timer, then lets its time pass. Returns its delay. */
  async pass(matches: (ms: number) => boolean): Promise<number> {
    const ms = await this.timer(matches);
    await this.advance(ms);
    return ms;
  }
}
