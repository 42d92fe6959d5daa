import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { pino, type Logger } from 'pino';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import type { StateChangeEvent } from '../kit/events.ts';
import type { MachineState } from '../kit/machine.ts';
import { runStaticProvider, type RunningStatic, type StaticOptions } from '../static/run-static-provider.ts';
import { Rpc, stateName } from './rpc.ts';

export type LogLine = Record<string, unknown>;

/** A log that a test can wait for. */
export class LogWatch {
  readonly lines: LogLine[] = [];
  readonly log: Logger;
  private readonly waiting = new Set<() => void>();

  constructor() {
    this.log = pino({ level: 'debug', base: {}, formatters: { level: (level) => ({ level }) } }, { write: (text: string) => this.add(text) });
  }

  get text(): string {
    return this.lines.map((line) => JSON.stringify(line)).join('\n');
  }

  find(match: (line: LogLine) => boolean): LogLine | undefined {
    return this.lines.find(match);
  }

  /** The first line that matches, now or later. */
  async has(match: (line: LogLine) => boolean): Promise<LogLine> {
    for (;;) {
      const found = this.find(match);
      if (found) return found;
      await new Promise<void>((resolve) => this.waiting.add(resolve));
    }
  }

  /** A line that a hook wrote. */
  said(text: string): Promise<LogLine> {
    return this.has(({ line }) => line === text);
  }

  private add(text: string): void {
    this.lines.push(JSON.parse(text) as LogLine);
    for (const wake of [...this.waiting]) wake();
    this.waiting.clear();
  }
}

/** A folder with an inventory file and hooks in it, and a static provider that serves it: real processes, virtual time. */
export class StaticHarness {
  readonly directory = fs.mkdtempSync(join(tmpdir(), 'static-provider-'));
  readonly clock = new VirtualClock();
  readonly watch = new LogWatch();
  private readonly waiting = new Set<(event: StateChangeEvent) => void>();
  private running: RunningStatic | undefined;
  private client: Rpc | undefined;

  get static(): RunningStatic {
    if (!this.running) throw new Error('not started');
    return this.running;
  }

  get rpc(): Rpc {
    if (!this.client) throw new Error('not started');
    return this.client;
  }

  path(name: string): string {
    return join(this.directory, name);
  }

  read(name: string): string {
    return fs.readFileSync(this.path(name), 'utf8');
  }

  write(name: string, text: string): void {
    fs.writeFileSync(this.path(name), text);
  }

  /** An executable sh script beside the inventory. */
  script(name: string, body: string): void {
    fs.writeFileSync(this.path(name), `#!/bin/sh\n${body}\n`, { mode: 0o755 });
  }

  inventory(text: string): void {
    this.write('fleet.yaml', text);
  }

  async start(overrides: Partial<StaticOptions> = {}): Promise<void> {
    this.running = await runStaticProvider({
      inventory: this.path('fleet.yaml'), state: this.path('state'), serving: { address: '127.0.0.1:0', metricsAddress: '127.0.0.1:0' }, shutdownGraceMs: 5_000,
      clock: this.clock, random: () => 0.5, log: this.watch.log,
      onStateChange: (event) => this.waiting.forEach((wait) => wait(event)),
      ...overrides,
    });
    this.client = new Rpc(this.running.provider.port);
  }

  async stop(): Promise<void> {
    this.client?.close();
    const { running } = this;
    this.running = undefined;
    await running?.close();
  }

  async close(): Promise<void> {
    await this.stop();
    fs.rmSync(this.directory, { recursive: true });
  }

  /** Resolves at the next change of this machine to this state. */
  becomes(id: string, state: MachineState): Promise<void> {
    return new Promise((resolve) => {
      const wait = ({ machine }: StateChangeEvent): void => {
        if (machine.id !== id || machine.state !== state) return;
        this.waiting.delete(wait);
        resolve();
      };
      this.waiting.add(wait);
    });
  }

  /** [state, last error] */
  async look(id: string): Promise<[string, string]> {
    const machine = await this.rpc.get(id);
    return [stateName(machine), machine.lastError];
  }

  /** Does a call and waits until the machine has got to a state by it. */
  async until(id: string, state: MachineState, call: Promise<unknown>): Promise<void> {
    await Promise.all([this.becomes(id, state), call]);
  }

  /** Lets virtual time pass until something has happened; for what comes whatever the time is, such as the end of a process that was told to end. */
  async pass<T>(event: Promise<T>): Promise<T> {
    let done = false;
    void event.catch(() => {}).finally(() => (done = true));
    while (!done) await this.clock.advance(100);
    return event;
  }

  /** Lets virtual time pass whenever the provider says that it pauses, until something has happened. */
  async skipPauses<T>(event: Promise<T>): Promise<T> {
    let done = false;
    void event.catch(() => {}).finally(() => (done = true));
    for (let at = 0; ; at++) {
      await Promise.race([event, this.watch.has(() => this.watch.lines.length > at)]);
      if (done) return event;
      const pauseMs = this.watch.lines[at]?.['againInMs'];
      if (typeof pauseMs === 'number') await this.clock.advance(pauseMs);
    }
  }
}
