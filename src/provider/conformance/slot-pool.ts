import type { Caller } from './caller.ts';
import { accepted, NotTestable } from './expectation.ts';

/** A slot so labelled fails when it is created; only the test of that may have it. */
export const CREATE_FAULT_LABEL = 'conformance.fault/create';

/** The SPECULATIVE machines that trials may still take. One that a trial has had comes back once it is SPECULATIVE again. */
export class SlotPool {
  private readonly taken = new Set<string>();
  private free: string[] = [];
  private readonly awaitCleanUp: () => Promise<void>;

  constructor(awaitCleanUp: () => Promise<void>) {
    this.awaitCleanUp = awaitCleanUp;
  }

  async take(caller: Caller): Promise<string> {
    return (await this.nextFree(caller)) ?? (await this.afterCleanUp(caller));
  }

  /** Somebody found this machine without us. */
  reserve(id: string): void {
    this.taken.add(id);
  }

  giveBack(id: string): void {
    this.taken.delete(id);
    this.free.push(id);
  }

  private async nextFree(caller: Caller): Promise<string | undefined> {
    for (;;) {
      const id = this.free.shift();
      if (id === undefined) {
        await this.refill(caller);
        if (this.free.length === 0) return undefined;
        continue;
      }
      if (this.taken.has(id)) continue;
      this.taken.add(id);
      return id;
    }
  }

  private async afterCleanUp(caller: Caller): Promise<string> {
    await this.awaitCleanUp();
    const id = await this.nextFree(caller);
    if (id === undefined) throw new NotTestable('the provider lists no SPECULATIVE machine that is not in use yet; give it more (256 are plenty)');
    return id;
  }

  private async refill(caller: Caller): Promise<void> {
    const { machines } = accepted(await caller.list({ states: ['Speculative'] }), 'List of SPECULATIVE machines');
    this.free = machines.filter((m) => !this.taken.has(m.id) && !m.labels.has(CREATE_FAULT_LABEL)).map((m) => m.id);
  }
}
