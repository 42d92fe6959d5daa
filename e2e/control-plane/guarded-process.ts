import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

import { killGroup, spawnGuarded } from './guarded-spawn.ts';

export interface GuardedProcessOptions {
  /** Says which program it is in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Receives standard output and errors. */
  readonly logPath: string;
  /** Time the program has to end after SIGTERM, before SIGKILL. */
  readonly graceMs: number;
  /** Called when the program ends without having been stopped. */
  readonly onUnexpectedExit?: (message: string) => void;
}

/** A server program that cannot outlive us, and that does not keep our event loop alive. */
export class GuardedProcess implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #graceMs: number;
  readonly #exited: Promise<unknown>;
  #stopping = false;
  #ending: string | undefined;

  private constructor(child: ChildProcess & { readonly pid: number }, options: GuardedProcessOptions) {
    this.#child = child;
    this.pid = child.pid;
    this.#graceMs = options.graceMs;
    this.#exited = once(child, 'exit');
    child.once('exit', (code: number | null, signal: NodeJS.Signals | null) => {
      this.#ending = `${options.name} ended with ${signal ?? `code ${code}`}, see ${options.logPath}`;
      if (!this.#stopping) options.onUnexpectedExit?.(this.#ending);
    });
    child.unref();
    const pipe = child.stdin;
    if (pipe && 'unref' in pipe && typeof pipe.unref === 'function') pipe.unref();
  }

  /** Starts the program. Throws when the shell cannot be started; a missing program shows as exit code 127. */
  static start(options: GuardedProcessOptions): GuardedProcess {
    const output = openSync(options.logPath, 'a');
    try {
      return new GuardedProcess(spawnGuarded({ ...options, output }), options);
    } finally {
      closeSync(output);
    }
  }

  /** How the program ended and where its log is, or undefined while it runs. */
  get ending(): string | undefined {
    return this.#ending;
  }

  /** Resolves when the program has ended. */
  async exited(): Promise<void> {
    await this.#exited;
  }

  /** Does nothing once it has ended. */
  signal(signal: NodeJS.Signals): void {
    if (this.#ending === undefined) this.#child.kill(signal);
  }

  /** Ends the program: SIGTERM, then SIGKILL after the grace. Resolves when it is gone; may be called again. */
  async stop(): Promise<void> {
    this.#stopping = true;
    if (this.#ending !== undefined) return;
    this.#child.ref();
    this.#child.kill('SIGTERM');
    const timer = setTimeout(() => killGroup(this.pid), this.#graceMs);
    await this.#exited;
    clearTimeout(timer);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.stop();
  }
}
