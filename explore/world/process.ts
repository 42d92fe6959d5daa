import type { Clock } from '../../src/lib/clock.ts';
import type { Timeline } from './timeline.ts';

/** 2026-01-01. */
const EPOCH_MS = Date.UTC(2026, 0, 1);

/**
 * One run of a program in the simulated world. What it has in memory is its own; whatever it does outside goes through
 * `leave`, whatever reaches it comes through `enter`. Killed, it does nothing any more, although promises of it may still
 * go round; paused, it neither hears nor says anything until it is resumed, while the world goes on.
 */
export class Process {
  readonly name: string;
  readonly clock: Clock;
  private readonly timeline: Timeline;
  private readonly endings: (() => void)[] = [];
  private held: (() => void)[] = [];
  private state: 'running' | 'paused' | 'dead' = 'running';
  private suspendedAt: number | undefined;
  /** Of the world's time, while it was suspended. */
  private missedMs = 0;
  private wallBehindMs = 0;

  /** `skewMs`: how far its wall clock is off. */
  constructor(name: string, timeline: Timeline, skewMs = 0) {
    this.name = name;
    this.timeline = timeline;
    // A monotonic clock begins anywhere, and is nobody else's.
    const startedAt = timeline.now - 1_000;
    const worldNow = (): number => this.suspendedAt ?? timeline.now;
    this.clock = {
      now: () => EPOCH_MS + skewMs + worldNow() - this.wallBehindMs,
      monotonic: () => worldNow() - startedAt - this.missedMs,
      after: (ms, fn) => this.timer(ms, fn),
    };
  }

  get isAlive(): boolean {
    return this.state !== 'dead';
  }

  get isPaused(): boolean {
    return this.state === 'paused';
  }

  enter(fn: () => void): void {
    if (this.state === 'paused') this.held.push(fn);
    else if (this.state === 'running') fn();
  }

  /** The same rules hold on the way out: a process that is stopped between a thought and its deed does it when it goes on. */
  leave(fn: () => void): void {
    this.enter(fn);
  }

  pause(): void {
    if (this.state === 'running') this.state = 'paused';
  }

  /** With the machine on which it runs, and all its clocks. */
  suspend(): void {
    if (this.state !== 'running') return;
    this.pause();
    this.suspendedAt = this.timeline.now;
  }

  /** Somebody sets the wall clock of the machine right that was suspended. */
  setClock(): void {
    this.wallBehindMs = 0;
  }

  resume(): void {
    if (this.state !== 'paused') return;
    this.state = 'running';
    if (this.suspendedAt !== undefined) {
      const missedMs = this.timeline.now - this.suspendedAt;
      this.missedMs += missedMs;
      this.wallBehindMs += missedMs;
      this.suspendedAt = undefined;
    }
    const held = this.held;
    this.held = [];
    for (const fn of held) this.timeline.after(0, () => this.enter(fn));
  }

  kill(): void {
    if (this.state === 'dead') return;
    this.state = 'dead';
    this.held = [];
    for (const ending of this.endings.splice(0)) ending();
  }

  /** It runs by the monotonic clock: what is left of it when its machine is suspended is left of it afterwards. */
  private timer(ms: number, fn: () => void): () => void {
    const dueAt = this.clock.monotonic() + ms;
    let cancel = this.timeline.after(ms, () => this.enter(() => {
      const leftMs = dueAt - this.clock.monotonic();
      if (leftMs < 1) fn();
      else cancel = this.timer(leftMs, fn);
    }));
    return () => cancel();
  }

  /** Called when it is killed: its connections break. */
  onEnd(ending: () => void): () => void {
    this.endings.push(ending);
    return () => {
      const i = this.endings.indexOf(ending);
      if (i >= 0) this.endings.splice(i, 1);
    };
  }
}
