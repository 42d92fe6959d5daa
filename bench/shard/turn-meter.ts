/** How long the turns of an event loop are, and how much of that is collection of garbage. */
import { performance, PerformanceObserver } from 'node:perf_hooks';

interface Turn {
  readonly beganAt: number;
  readonly endedAt: number;
  /** Of the main thread, at most. */
  readonly cpuMs: number;
}

interface Pause {
  readonly startTime: number;
  readonly duration: number;
}

export interface Metered {
  readonly wallMs: number;
  /** Processor time of the main thread, of all threads. */
  readonly mainMs: number;
  readonly processMs: number;
  /** Turns of the main thread by its processor time: all of them, and less the collections in them. */
  readonly turnsMs: readonly number[];
  readonly ownMs: readonly number[];
  /** Collections of garbage by the clock. */
  readonly pausesMs: readonly number[];
}

/** Below that it is the meter's own turn. */
const LEAST_MS = 0.2;

/** Measures from its making until `stop`. It looks at the clock once per millisecond, or once per turn if these are longer. */
export class TurnMeter {
  private readonly began = performance.now();
  private readonly main = process.threadCpuUsage();
  private readonly all = process.cpuUsage();
  private readonly turns: Turn[] = [];
  private readonly pauses: Pause[] = [];
  private readonly observer = new PerformanceObserver((list) => this.pauses.push(...list.getEntries()));
  private timer: NodeJS.Timeout | undefined;

  constructor() {
    this.observer.observe({ entryTypes: ['gc'] });
    this.look(this.began, cpuMs());
  }

  async stop(): Promise<Metered> {
    const wallMs = performance.now() - this.began;
    const mainMs = total(process.threadCpuUsage(this.main));
    const processMs = total(process.cpuUsage(this.all));
    clearTimeout(this.timer);
    await new Promise((resolve) => setTimeout(resolve, 20)); // observers hear later
    this.observer.disconnect();
    const { turns, pauses } = this;
    const gcIn = ({ beganAt, endedAt }: Turn): number => pauses.filter(({ startTime }) => startTime >= beganAt && startTime < endedAt).reduce((sum, { duration }) => sum + duration, 0);
    return { wallMs, mainMs, processMs, turnsMs: turns.map((turn) => turn.cpuMs), ownMs: turns.map((turn) => Math.max(0, turn.cpuMs - gcIn(turn))), pausesMs: pauses.map(({ duration }) => duration) };
  }

  private look(beganAt: number, before: number): void {
    this.timer = setTimeout(() => {
      const [endedAt, now] = [performance.now(), cpuMs()];
      // Processor time may be told in steps of several milliseconds, the clock counts the turns of others: neither is less than what it was.
      const ms = Math.min(now - before, endedAt - beganAt);
      if (ms >= LEAST_MS) this.turns.push({ beganAt, endedAt, cpuMs: ms });
      this.look(endedAt, now);
    }, 1);
  }
}

function cpuMs(): number {
  return total(process.threadCpuUsage());
}

function total({ user, system }: NodeJS.CpuUsage): number {
  return (user + system) / 1_000;
}
