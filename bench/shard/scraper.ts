/** What a shard process says of itself on /metrics, asked four times a second. */
const EVERY_MS = 250;
const TELL_EVERY_MS = 2_000;

export interface Phase {
  /** Longest stall of the event loop between two questions. */
  readonly stallsMs: readonly number[];
  readonly wallMs: number;
  readonly actions: number;
}

export class Scraper {
  private readonly url: string;
  private readonly failed: () => Error | undefined;
  private readonly signal: AbortSignal;
  private samples: readonly Sample[] = [];

  constructor(url: string, failed: () => Error | undefined, signal: AbortSignal) {
    this.url = url;
    this.failed = failed;
    this.signal = signal;
  }

  /** Machines in this state, or all. */
  machines(state?: string): number {
    return this.sum('bigfleet_shard_inventory_machines', state === undefined ? undefined : `state="${state}"`);
  }

  /** Asks until it is over. Rejects when that takes longer than `patienceMs`, or when a process has ended. */
  async until(isOver: () => boolean, patienceMs: number, tell: (text: string) => void): Promise<Phase> {
    const begun = performance.now();
    const before = this.sum('bigfleet_shard_actions_total');
    const stallsMs: number[] = [];
    let told = begun;
    for (;;) {
      await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
      this.signal.throwIfAborted();
      const failure = this.failed();
      if (failure) throw failure;
      const now = performance.now();
      if (now - begun > patienceMs) throw new Error(`not over after ${Math.round(patienceMs / 1000)} s: ${this.states()}`);
      if (!(await this.scrape())) continue; // it is still starting
      stallsMs.push(this.sum('event_loop_stall_seconds') * 1_000);
      if (now - told >= TELL_EVERY_MS) {
        told = now;
        tell(`${Math.round((now - begun) / 1000)} s, ${this.states()}, longest stall ${Math.round(Math.max(...stallsMs))} ms`);
      }
      if (isOver()) return { stallsMs, wallMs: Math.round(now - begun), actions: this.sum('bigfleet_shard_actions_total') - before };
    }
  }

  private states(): string {
    return ['Idle', 'Configuring', 'Configured', 'Draining', 'Failed'].map((state) => `${state} ${this.machines(state)}`).join(', ');
  }

  private sum(name: string, label?: string): number {
    return this.samples.filter((sample) => sample.name === name && (label === undefined || sample.labels.includes(label))).reduce((sum, { value }) => sum + value, 0);
  }

  private async scrape(): Promise<boolean> {
    try {
      const text = await (await fetch(this.url, { signal: this.signal })).text();
      this.samples = text.split('\n').flatMap(parse);
      return this.samples.length > 0;
    } catch {
      this.signal.throwIfAborted();
      return false;
    }
  }
}

interface Sample {
  readonly name: string;
  readonly labels: string;
  readonly value: number;
}

function parse(line: string): Sample[] {
  const match = /^([a-z_]+)(\{.*\})? (\S+)$/.exec(line);
  return match ? [{ name: match[1] ?? '', labels: match[2] ?? '', value: Number(match[3]) }] : [];
}
