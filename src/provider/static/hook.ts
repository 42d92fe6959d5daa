/** What a hook is run for. `ready` and `recover` are questions that are asked again; the others are done once. */
export const hookKinds = ['configure', 'drain', 'powerOn', 'powerOff', 'ready', 'recover'] as const;
export type HookKind = (typeof hookKinds)[number];

/** A command that somebody wrote for a machine, and how patient to be with it. */
export interface Hook {
  /** Program and arguments; no shell. Placeholders have been filled in. */
  readonly run: readonly string[];
  /** Of one attempt; that of `drain` begins when the grace period is over. */
  readonly timeoutMs: number;
  /** Attempts in all, when an exit code asks for another. */
  readonly attempts: number;
  /** Pause before the second attempt at least; it grows, with jitter, to `maxBackoffMs`. */
  readonly backoffMs: number;
  readonly maxBackoffMs: number;
  /** From SIGTERM to SIGKILL. */
  readonly killAfterMs: number;
  /** Exit codes after which it is tried again. */
  readonly retryOn: readonly number[];
  /** `ready` only: pause between two questions, and for how long to ask. */
  readonly everyMs: number;
  readonly withinMs: number;
  /** `recover` only: how the machine is after a success. */
  readonly leaves: 'on' | 'off';
}

/** "Not now" of sysexits.h. */
export const TEMPORARY_FAILURE = 75;
/** ssh itself failed: the host did not answer or let nobody in. */
export const SSH_FAILED = 255;
/** A shell could not start what it was told to: waiting does not help. */
export const CANNOT_START: readonly number[] = [126, 127];

const common = {
  timeoutMs: 300_000, attempts: 3, backoffMs: 2_000, maxBackoffMs: 60_000, killAfterMs: 10_000,
  retryOn: [TEMPORARY_FAILURE, SSH_FAILED], everyMs: 5_000, withinMs: 600_000, leaves: 'on',
} as const;

/** What is not written about a hook. */
export const hookDefaults: Readonly<Record<HookKind, Omit<Hook, 'run'>>> = {
  configure: common,
  drain: common,
  powerOn: common,
  powerOff: common,
  ready: { ...common, timeoutMs: 10_000 },
  recover: { ...common, attempts: 1 },
};

/** What came of a hook whose attempt has ended. */
export type Outcome = 'done' | 'retry' | 'failed';

/**
 * The table of exit codes: 0 is done, codes in `retryOn` (75 and ssh's 255) and a timeout are tried again, everything else
 * has failed. A question (`ready`) that is answered with anything but 0 is asked again, unless nothing could be started.
 */
export function outcomeOf(kind: HookKind, hook: Hook, exitCode: number | undefined): Outcome {
  if (exitCode === 0) return 'done';
  if (exitCode === undefined || hook.retryOn.includes(exitCode)) return 'retry';
  return kind === 'ready' && !CANNOT_START.includes(exitCode) ? 'retry' : 'failed';
}
