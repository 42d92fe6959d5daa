import type { Observation } from './observer/observation.ts';

const PLAIN_EVERY_MS = 2_000;
const TERMINAL_EVERY_MS = 500;

/** Progress on a terminal is one line that rewrites itself; elsewhere it is a plain line every two seconds. */
export class Progress {
  private readonly write: (text: string) => void;
  private readonly terminal: boolean;
  private lastAt = -Infinity;
  private shown = false;
  /** The line last shown, without its time; undefined while every line is shown. */
  private shownFacts: string | undefined;

  constructor(write: (text: string) => void, terminal: boolean) {
    this.write = write;
    this.terminal = terminal;
  }

  /** Something that stays: an act, a restart, a warning. */
  say(text: string): void {
    this.clear();
    this.write(`${text}\n`);
  }

  tick(observation: Observation, now: number): void {
    if (now - this.lastAt < (this.terminal ? TERMINAL_EVERY_MS : PLAIN_EVERY_MS)) return;
    this.lastAt = now;
    const line = progressLine(observation, now);
    const facts = line.slice(line.indexOf(' s '));
    if (facts === this.shownFacts) return;
    if (this.shownFacts !== undefined) this.shownFacts = facts;
    this.write(this.terminal ? `\r\u001b[2K${line}` : `${line}\n`);
    this.shown = this.terminal;
  }

  /** The demand has ended: from now on only what is new is worth a line. */
  ended(observation: Observation, now: number): void {
    const line = progressLine(observation, now);
    this.shownFacts = line.slice(line.indexOf(' s '));
  }

  /** Leaves the cursor at the start of an empty line. */
  clear(): void {
    if (this.shown) this.write('\r\u001b[2K');
    this.shown = false;
  }
}

export function progressLine(observation: Observation, now: number): string {
  const { startedAt, machines, pods } = observation;
  if (startedAt === undefined) return 'starting the processes';
  const { submitted, finished, recreated } = observation.counts();
  const waiting = pods.waiting().length;
  const dollars = (machines.microUsdPerHour / 1_000_000).toFixed(2);
  return `${String(Math.round((now - startedAt) / 1000)).padStart(3)} s  Pods ${submitted} submitted, ${pods.aliveNow} running, ${waiting} waiting, ${finished} finished, ${recreated} recreated · machines ${machines.boundNow} bound · $${dollars}/h`;
}
