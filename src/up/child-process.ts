import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { closeSync, openSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import type { Clock } from '../lib/clock.ts';
import type { ProcessSpec } from './commands.ts';

export interface SupervisedOptions {
  readonly spec: ProcessSpec;
  readonly logFile: string;
  readonly compileCache: string;
  readonly clock: Clock;
  /** Path of the program; `bigfleet` itself unless a test says otherwise. */
  readonly program?: string;
  readonly onMessage?: (message: unknown) => void;
  readonly onStarted?: (pid: number) => void;
  /** It died and is started again. */
  readonly onRestart: (how: string) => void;
  /** It died too often to go on. */
  readonly onGaveUp: (error: Error) => void;
}

const MAX_DEATHS = 5;
const DEATHS_WITHIN_MS = 10_000;
const BACKOFF_MS = 100;
const MAX_BACKOFF_MS = 2_000;
const STOP_GRACE_MS = 8_000;

const MAIN = fileURLToPath(new URL('../main.ts', import.meta.url));
const EXIT_WITH_PARENT = new URL('./exit-with-parent.ts', import.meta.url).href;

/** One process that is kept alive until it is told to stop. Its output goes to its log file. */
export class Supervised {
  private readonly options: SupervisedOptions;
  private child: ChildProcess | undefined;
  private deaths: number[] = [];
  private stopping = false;
  private cancelRestart = (): void => {};

  constructor(options: SupervisedOptions) {
    this.options = options;
  }

  get name(): string {
    return this.options.spec.name;
  }

  get pid(): number | undefined {
    return this.child?.pid;
  }

  start(): void {
    const { spec, logFile, compileCache, program = MAIN } = this.options;
    const log = openSync(logFile, 'a');
    const child = spawn(process.execPath, [`--max-old-space-size=${spec.heapMb}`, `--max-semi-space-size=${spec.semiSpaceMb}`, '--import', EXIT_WITH_PARENT, program, ...spec.args], {
      // A group of its own: Ctrl-C in a terminal reaches the supervisor alone, which stops the others in order.
      detached: true,
      stdio: ['ignore', log, log, 'ipc'],
      env: { ...process.env, NODE_COMPILE_CACHE: compileCache },
    });
    closeSync(log);
    this.child = child;
    child.on('message', (message) => this.options.onMessage?.(message));
    child.on('error', (error) => {
      // With a pid it has started; then this is about a message or a signal that came too late, and 'exit' says the rest.
      if (child.pid === undefined) this.options.onGaveUp(new Error(`${this.name} could not be started: ${error.message}`));
    });
    child.on('exit', (code, signal) => this.exited(child, signal ?? `exit code ${code ?? '?'}`));
    if (child.pid !== undefined) this.options.onStarted?.(child.pid);
  }

  send(message: object): void {
    if (this.child?.connected) this.child.send(message);
  }

  /** SIGKILL, as a power cut: the restart has to cope. */
  kill(): void {
    this.child?.kill('SIGKILL');
  }

  /** SIGTERM, then SIGKILL when the grace is over. Resolves when the process is gone. */
  stop(): Promise<void> {
    this.stopping = true;
    this.cancelRestart();
    const { child } = this;
    if (!child || child.exitCode !== null || child.signalCode !== null) return Promise.resolve();
    return new Promise((resolve) => {
      const cancel = this.options.clock.after(STOP_GRACE_MS, () => child.kill('SIGKILL'));
      child.once('exit', () => {
        cancel();
        resolve();
      });
      child.kill('SIGTERM');
    });
  }

  private exited(child: ChildProcess, how: string): void {
    if (this.stopping || child !== this.child) return;
    const now = this.options.clock.monotonic();
    this.deaths = [...this.deaths, now].filter((at) => now - at < DEATHS_WITHIN_MS);
    if (this.deaths.length >= MAX_DEATHS) {
      this.stopping = true;
      this.options.onGaveUp(new Error(`${this.name} died ${MAX_DEATHS} times within ${DEATHS_WITHIN_MS / 1000} s (last: ${how}); see ${this.options.logFile}`));
      return;
    }
    const backoff = Math.min(MAX_BACKOFF_MS, BACKOFF_MS * 2 ** (this.deaths.length - 1));
    this.options.onRestart(how);
    this.cancelRestart = this.options.clock.after(backoff, () => this.start());
  }
}
