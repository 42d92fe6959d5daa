import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, openSync } from 'node:fs';

/**
 * Turns the shell into the program, after starting a watch over the pipe on descriptor 0. Our end of that pipe
 * closes however we end, SIGKILL included; the watch then kills the program. The program leads its own process
 * group and the watch belongs to it, so `$$` cannot be given to a stranger while the watch lives.
 */
const GUARD_SCRIPT = 'exec 3<&0; (read -r _ <&3; kill -KILL $$) >/dev/null 2>&1 & exec 3<&-; exec "$@" </dev/null';

export interface GuardedProcessOptions {
  /** Says which program it is in messages. */
  readonly name: string;
  readonly command: string;
  readonly args: readonly string[];
  /** Added to a nearly empty environment: servers must not pick up the caller's KUBECONFIG or proxies. */
  readonly env?: Readonly<Record<string, string>>;
  /** Receives standard output and errors. */
  readonly logPath: string;
  /** Time the program has to end after SIGTERM, before SIGKILL. */
  readonly graceMs: number;
  /** Called when the program ends without having been stopped. */
  readonly onUnexpectedExit?: (message: string) => void;
}

/** A program that cannot outlive us. It does not keep our event loop alive. POSIX only. */
export class GuardedProcess implements AsyncDisposable {
  readonly pid: number;
  readonly #child: ChildProcess;
  readonly #graceMs: number;
  readonly #exited: Promise<unknown>;
  #stopping = false;
  /** Set once the program has ended: its exit code or signal, and where its log is. */
  #ending: string | undefined;

  private constructor(child: ChildProcess, pid: number, options: GuardedProcessOptions) {
    this.#child = child;
    this.pid = pid;
    this.#graceMs = options.graceMs;
    this.#exited = once(child, 'exit');
    child.once('exit', (code, signal) => {
      killGroup(pid); // ends the watch
      child.stdin?.destroy();
      this.#ending = `${options.name} ended with ${signal ?? `code ${code}`}, see ${options.logPath}`;
      if (!this.#stopping) options.onUnexpectedExit?.(this.#ending);
    });
    child.stdin?.on('error', () => undefined); // the pipe is never written to; its closing is the signal
    child.unref();
    if (child.stdin && 'unref' in child.stdin && typeof child.stdin.unref === 'function') child.stdin.unref();
  }

  /** Starts the program. Throws when the shell cannot be started; a missing program shows as exit code 127. */
  static start(options: GuardedProcessOptions): GuardedProcess {
    const logFile = openSync(options.logPath, 'a');
    try {
      const child = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'guard', options.command, ...options.args], {
        detached: true,
        stdio: ['pipe', logFile, logFile],
        env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...options.env },
      });
      if (child.pid === undefined) throw new Error(`${options.name}: /bin/sh could not be started`);
      return new GuardedProcess(child, child.pid, options);
    } finally {
      closeSync(logFile);
    }
  }

  /** How the program ended, or undefined while it runs. */
  get ending(): string | undefined {
    return this.#ending;
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

function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
