import { randomUUID } from 'node:crypto';
import type { Logger } from 'pino';
import { sleep, type Clock } from '../../lib/clock.ts';
import type { Random } from '../../lib/random.ts';
import { Semaphore } from '../../lib/semaphore.ts';
import { createBackoff } from '../../runtime/backoff.ts';
import { failureClass } from '../failure-class.ts';
import { BackendError } from '../kit/backend-error.ts';
import { hookEnvironment, type HookFacts } from './hook-environment.ts';
import { outcomeOf, type Hook, type HookKind, type Outcome } from './hook.ts';
import { HookOutput } from './hook-output.ts';
import { runProcess, type Ending } from './hook-process.ts';
import type { HookRecords, HookRun } from './hook-records.ts';
import type { StaticMachine } from './inventory.ts';
import { secretFilter } from './secret-filter.ts';

export interface HookRunnerOptions {
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Logger;
  /** How many processes may run at a time; may change. */
  readonly concurrency: () => number;
  /** Where hooks run. */
  readonly directory: () => string;
  readonly records?: HookRecords;
  /** An attempt has ended. */
  readonly onOutcome?: (kind: HookKind, outcome: Outcome) => void;
}

export interface HookRequest {
  readonly kind: HookKind;
  readonly hook: Hook;
  readonly machine: StaticMachine;
  readonly facts: HookFacts;
  /** The bootstrap blob, on standard input. Never logged. */
  readonly input?: Uint8Array;
}

/** A hook that did not do what it is there for. The message says how it ended and what it said last, which may class it. */
export class HookFailed extends BackendError {
  constructor(message: string, said: string) {
    super(failureClass(said), message);
    this.name = 'HookFailed';
  }
}

interface Tried {
  readonly ending: Ending;
  /** The last lines of its output. */
  readonly said: string;
}

/**
 * Runs hooks: attempts with growing pauses, never two at a time on a machine, never more than so many in all. Where one does
 * not end, no other begins. What they write is logged line by line with the machine's id.
 */
export class HookRunner {
  private readonly options: HookRunnerOptions;
  private readonly slots: Semaphore;
  /** Per machine: the end of the last one that was asked for. */
  private readonly queues = new Map<string, Promise<unknown>>();
  private readonly active = new Set<HookRequest>();
  private readonly idleWaiters = new Set<() => void>();
  private isHeld = false;

  constructor(options: HookRunnerOptions) {
    this.options = options;
    this.slots = new Semaphore(options.concurrency);
  }

  /** Processes that run now. */
  get running(): readonly HookRequest[] {
    return [...this.active];
  }

  /** Resolves when the hook has done its work. Rejects with HookFailed, or with the signal's reason once its process has gone. */
  run(request: HookRequest, signal: AbortSignal): Promise<void> {
    const { id } = request.machine.instance;
    const before = this.queues.get(id) ?? Promise.resolve();
    const result = before.then(() => this.attempts(request, signal));
    const end = result.catch(() => {}).finally(() => this.queues.get(id) === end && this.queues.delete(id));
    this.queues.set(id, end);
    return result;
  }

  /** From now on no process begins; those that run go on. For the end of the provider. */
  hold(): void {
    this.isHeld = true;
  }

  /** Resolves when no process runs, now or later, and whoever waited for it has gone on. */
  async idle(): Promise<void> {
    if (this.active.size > 0) await new Promise<void>((resolve) => this.idleWaiters.add(resolve));
    await new Promise<void>((resolve) => setImmediate(resolve));
  }

  private async attempts(request: HookRequest, signal: AbortSignal): Promise<void> {
    const { kind, hook } = request;
    const { clock, random } = this.options;
    const backoff = createBackoff({ minMs: hook.backoffMs, maxMs: Math.max(hook.backoffMs, hook.maxBackoffMs) }, random);
    const askUntil = clock.monotonic() + hook.withinMs;
    for (let attempt = 1; ; attempt++) {
      const { ending, said } = await this.attempt(request, attempt, signal);
      signal.throwIfAborted();
      const isFinal = ending.end === 'not started' ? !ending.mayPass : leftBy(ending).length > 0;
      const outcome = isFinal ? 'failed' : outcomeOf(kind, hook, ending.end === 'exit' ? ending.code : undefined);
      this.options.onOutcome?.(kind, outcome);
      if (outcome === 'done') return;
      const isLast = kind === 'ready' ? clock.monotonic() + hook.everyMs >= askUntil : attempt >= hook.attempts;
      if (outcome === 'failed' || isLast) throw new HookFailed(sentence(request, ending, attempt, said), said);
      const pauseMs = kind === 'ready' ? hook.everyMs : backoff.next();
      const again = { attempt, of: kind === 'ready' ? undefined : hook.attempts, againInMs: Math.round(pauseMs), said };
      this.logOf(request)[kind === 'ready' ? 'debug' : 'warn'](again, `hook ${textOf(ending, hook)}: trying again`);
      await sleep(clock, pauseMs, signal);
    }
  }

  private attempt(request: HookRequest, attempt: number, signal: AbortSignal): Promise<Tried> {
    return this.slots.run(async () => {
      signal.throwIfAborted();
      if (this.isHeld) await untilAborted(signal);
      this.active.add(request);
      try {
        return await this.process(request, attempt, signal);
      } finally {
        this.active.delete(request);
        if (this.active.size === 0) for (const wake of this.idleWaiters) wake();
      }
    });
  }

  private async process(request: HookRequest, attempt: number, signal: AbortSignal): Promise<Tried> {
    const { kind, hook, machine, facts, input } = request;
    const { records, clock } = this.options;
    const { id } = machine.instance;
    const log = this.logOf(request);
    const remains = records?.remains(id) ?? [];
    if (remains.length > 0) throw new HookFailed(`hook ${kind} was not begun: ${notEnding(remains)}`, '');
    const output = new HookOutput({
      redact: secretFilter(input),
      onLine: (line, stream) => log.info({ stream, line }, 'hook output'),
    });
    const grace = kind === 'drain' ? Number(facts.graceSeconds ?? 0n) * 1_000 : 0;
    log.debug({ attempt, run: hook.run }, 'hook begins');
    const run: HookRun = { mark: randomUUID(), killAfterMs: hook.killAfterMs };
    const spec = {
      run: hook.run, mark: run.mark, directory: this.options.directory(), environment: hookEnvironment(kind, hook, machine, facts, attempt),
      timeoutMs: hook.timeoutMs + grace, killAfterMs: hook.killAfterMs, ...(input && { input }),
    };
    this.record(() => records?.keep(id, run), log);
    let pid: number | undefined;
    const onStart = (started: number): void => {
      pid = started;
      this.record(() => records?.keep(id, { ...run, pid: started }), log);
    };
    const ending = await runProcess(spec, { clock, signal, output, onStart });
    if (leftBy(ending).length > 0) records?.stays(id, { ...run, ...(pid !== undefined && { pid }) });
    else this.record(() => records?.ended(id), log);
    log.debug({ attempt, ...ending }, 'hook has ended');
    if (output.dropped > 0) log.warn({ lines: output.dropped }, 'hook wrote more than is logged');
    if (ending.end === 'timeout' || ending.end === 'aborted') {
      log.warn({ attempt, killed: ending.isKilled }, ending.end === 'timeout' ? `hook was ended after ${spec.timeoutMs / 1_000} s` : `hook was ended: ${reasonOf(signal)}`);
    }
    return { ending, said: output.tail() };
  }

  /** A record that cannot be kept does not stop the hook: it would matter only if the provider were killed meanwhile. */
  private record(write: () => void, log: Logger): void {
    try {
      write();
    } catch (error) {
      log.error({ err: error }, 'cannot keep a record of the running hook');
    }
  }

  private logOf({ kind, machine, facts }: HookRequest): Logger {
    return this.options.log.child({ machine: machine.instance.id, hook: kind, ...(facts.operationId && { operation: facts.operationId }) });
  }
}

function sentence({ kind, hook }: HookRequest, ending: Ending, attempt: number, said: string): string {
  const attempts = kind === 'ready' ? `asked ${attempt} times` : `attempt ${attempt} of ${hook.attempts}`;
  return `hook ${kind} ${textOf(ending, hook)} (${attempts})${said === '' ? '; it said nothing' : `; it said: ${said}`}`;
}

function textOf(ending: Ending, hook: Hook): string {
  switch (ending.end) {
    case 'exit':
      return `ended with exit code ${ending.code}`;
    case 'signal':
      return `was ended by ${ending.signal}`;
    case 'timeout':
      return `took longer than ${hook.timeoutMs / 1_000} s and was ended${ending.isKilled ? ' by SIGKILL' : ''}${leftBy(ending).length > 0 ? `, but ${leftBy(ending).join(', ')} of its processes did not end` : ''}`;
    case 'aborted':
      return 'was ended';
    case 'not started':
      return `could not be started: ${ending.reason}`;
  }
}

function leftBy(ending: Ending): readonly number[] {
  return 'left' in ending ? (ending.left ?? []) : [];
}

function notEnding(processes: readonly number[]): string {
  return `${processes.length === 1 ? 'process' : 'processes'} ${processes.join(', ')} of an earlier hook of this machine cannot be ended, and nothing is run on it meanwhile`;
}

function untilAborted(signal: AbortSignal): Promise<never> {
  return new Promise((_, reject) => {
    const abort = (): void => reject(new Error(reasonOf(signal)));
    if (signal.aborted) abort();
    else signal.addEventListener('abort', abort, { once: true });
  });
}

function reasonOf(signal: AbortSignal): string {
  return signal.reason instanceof Error ? signal.reason.message : String(signal.reason);
}
