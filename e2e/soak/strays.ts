/** While faults come every few seconds, what should pass may take its time. */
const TOLERATED_S = 90;

/** Watches for what should be a passing thing and stays. */
export class Strays {
  /** What stayed too long, in words. */
  readonly found: string[] = [];
  longestSeconds = 0;
  private readonly since = new Map<string, number>();
  private readonly list: () => Promise<readonly string[]>;
  private looking = false;

  constructor(list: () => Promise<readonly string[]>) {
    this.list = list;
  }

  async look(nowMs: number): Promise<void> {
    if (this.looking) return;
    this.looking = true;
    try {
      const now = new Set(await this.list());
      for (const known of this.since.keys()) if (!now.has(known)) this.since.delete(known);
      for (const each of now) this.note(each, nowMs);
    } catch {
      // An API server that is paused does not answer: another look comes soon.
    } finally {
      this.looking = false;
    }
  }

  private note(what: string, nowMs: number): void {
    const since = this.since.get(what) ?? nowMs;
    this.since.set(what, since);
    const seconds = Math.round((nowMs - since) / 1_000);
    this.longestSeconds = Math.max(this.longestSeconds, seconds);
    if (seconds <= TOLERATED_S) return;
    this.found.push(`${what}, for ${seconds} s`);
    this.since.delete(what);
  }
}
