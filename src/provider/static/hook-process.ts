import { spawn, type ChildProcess } from 'node:child_process';
import type { Clock } from '../../lib/clock.ts';
import type { HookOutput } from './hook-output.ts';
import { HookProcesses, RUN_VARIABLE } from './hook-processes.ts';

export interface ProcessSpec {
  readonly run: readonly string[];
  readonly directory: string;
  readonly environment: NodeJS.ProcessEnv;
  /** By which all that it starts is known; see HookProcesses. */
  readonly mark: string;
  /** Absent: nothing to read. */
  readonly input?: Uint8Array;
  readonly timeoutMs: number;
  readonly killAfterMs: number;
}

export interface ProcessContext {
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly output: HookOutput;
  /** The process exists. */
  readonly onStart?: (pid: number) => void;
}

/** How a process ended. Its own end, or why it was ended; `left` are processes of it that did not end even so. */
export type Ending =
  | { readonly end: 'exit'; readonly code: number; readonly left?: readonly number[] }
  | { readonly end: 'signal'; readonly signal: string; readonly left?: readonly number[] }
  | { readonly end: 'timeout' | 'aborted'; readonly isKilled: boolean; readonly left?: readonly number[] }
  | { readonly end: 'not started'; readonly reason: string; readonly mayPass: boolean };

/** What keeps a program from being started now, and not the next time: it is being replaced, or the system is short of something. */
const PASSING: readonly string[] = ['ETXTBSY', 'EAGAIN', 'EMFILE', 'ENFILE', 'ENOMEM'];

/** What a process leaves open behind itself (a daemon with its output) is waited for no longer than this. */
const OUTPUT_GRACE_MS = 500;
/** Nothing survives SIGKILL but what the kernel itself holds; that is not waited for any longer. */
const GIVE_UP_MS = 5_000;
const LOOK_MS = 100;

/**
 * Runs one process in a group of its own to its end. At the timeout and when the signal aborts, it and all that it started get
 * SIGTERM and later SIGKILL, and so does what it started and left behind when it failed. Resolves when they have gone, if they had
 * to be told to, or do not go; never rejects. What it leaves behind when it is done is its own business.
 */
export function runProcess(spec: ProcessSpec, context: ProcessContext): Promise<Ending> {
  return new Promise((resolve) => {
    if (context.signal.aborted) return resolve({ end: 'aborted', isKilled: false });
    let child: ChildProcess;
    try {
      child = spawn(spec.run[0]!, spec.run.slice(1), {
        cwd: spec.directory, env: { ...spec.environment, [RUN_VARIABLE]: spec.mark }, detached: true, stdio: [spec.input ? 'pipe' : 'ignore', 'pipe', 'pipe'],
      });
    } catch (error) {
      return resolve(notStarted(error));
    }
    new HookProcess(child, spec, context, resolve).begin();
  });
}

class HookProcess {
  private readonly child: ChildProcess;
  private readonly spec: ProcessSpec;
  private readonly context: ProcessContext;
  private readonly resolve: (ending: Ending) => void;
  private stopped: 'timeout' | 'aborted' | undefined;
  private isKilled = false;
  private readonly processes: HookProcesses;
  private hasEnded = false;
  private isClosed = false;
  private timers: (() => void)[] = [];

  constructor(child: ChildProcess, spec: ProcessSpec, context: ProcessContext, resolve: (ending: Ending) => void) {
    this.child = child;
    this.processes = new HookProcesses(spec.mark, child.pid);
    this.spec = spec;
    this.context = context;
    this.resolve = resolve;
  }

  begin(): void {
    const { child, spec, context } = this;
    child.once('error', (error) => child.pid === undefined && this.end(notStarted(error)));
    if (child.pid === undefined) return;
    context.onStart?.(child.pid);
    for (const stream of ['stdout', 'stderr'] as const) child[stream]?.on('data', (chunk: Buffer) => context.output.feed(stream, chunk));
    child.stdin?.on('error', () => {}); // a hook need not read what it is given
    child.stdin?.end(spec.input);
    child.once('close', () => (this.isClosed = true));
    child.once('exit', (code, signal) => this.exited(code, signal));
    context.signal.addEventListener('abort', this.onAbort, { once: true });
    this.after(spec.timeoutMs, () => this.stop('timeout'));
  }

  private readonly onAbort = (): void => this.stop('aborted');

  private stop(why: 'timeout' | 'aborted'): void {
    if (this.stopped || this.hasEnded) return;
    this.stopped = why;
    this.endAll((left) => ({ ...this.stoppedEnding(why), left }));
  }

  /** Tells all of them to end; `ifLeft` is how it ended if some do not. */
  private endAll(ifLeft: (left: readonly number[]) => Ending): void {
    this.processes.signal('SIGTERM');
    this.after(this.spec.killAfterMs, () => {
      this.isKilled = true;
      this.processes.signal('SIGKILL');
      this.after(GIVE_UP_MS, () => this.end(ifLeft(this.processes.running())));
    });
  }

  private exited(code: number | null, signal: string | null): void {
    const { stopped } = this;
    if (stopped) return this.waitForAll(() => this.endWithOutput(this.stoppedEnding(stopped)));
    const ending: Ending = code === null ? { end: 'signal', signal: signal ?? 'unknown' } : { end: 'exit', code };
    this.clearTimers();
    this.context.signal.removeEventListener('abort', this.onAbort);
    if (code === 0 || this.processes.running().length === 0) return this.endWithOutput(ending);
    // It failed, or somebody killed it, and what it began works on: the next try would meet it.
    this.endAll((left) => ({ ...ending, left }));
    this.waitForAll(() => this.endWithOutput(ending));
  }

  /** When what was written last has been read. */
  private endWithOutput(ending: Ending): void {
    const done = (): void => this.end(ending);
    if (this.isClosed) return done();
    this.child.once('close', done);
    this.after(OUTPUT_GRACE_MS, done);
  }

  /** The first of them may be gone while those it started are not. */
  private waitForAll(done: () => void): void {
    if (this.processes.running().length === 0) return done();
    this.processes.signal(this.isKilled ? 'SIGKILL' : 'SIGTERM');
    this.after(LOOK_MS, () => this.waitForAll(done));
  }

  private stoppedEnding(end: 'timeout' | 'aborted'): Extract<Ending, { readonly isKilled: boolean }> {
    return { end, isKilled: this.isKilled };
  }

  private end(ending: Ending): void {
    if (this.hasEnded) return;
    this.hasEnded = true;
    this.clearTimers();
    this.context.signal.removeEventListener('abort', this.onAbort);
    for (const stream of [this.child.stdin, this.child.stdout, this.child.stderr]) stream?.destroy();
    this.context.output.end();
    this.resolve(ending);
  }

  private after(ms: number, fn: () => void): void {
    this.timers.push(this.context.clock.after(ms, fn));
  }

  private clearTimers(): void {
    for (const cancel of this.timers.splice(0)) cancel();
  }
}

function notStarted(error: unknown): Ending {
  const reason = error instanceof Error ? error.message : String(error);
  return { end: 'not started', reason, mayPass: PASSING.includes((error as NodeJS.ErrnoException).code ?? '') };
}
