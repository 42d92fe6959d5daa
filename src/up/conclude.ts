import { rmSync } from 'node:fs';
import { afterwards, reportText, shortcomings } from './report.ts';
import type { UpReport } from './report.ts';

/** A run that has reported, with its processes still up. */
export interface ReportedRun {
  /** So far. */
  readonly restarts: number;
  /** Aborts, with an Error as reason, when a process cannot be kept alive. */
  readonly failed: AbortSignal;
  say(text: string): void;
  stop(): Promise<void>;
}

export interface ConclusionSettings {
  readonly keep: boolean;
  readonly output: 'text' | 'json';
  /** Given by the person: then it stays whatever happens. */
  readonly dataDir?: string | undefined;
  readonly root: string;
}

interface Surroundings {
  readonly signal: AbortSignal;
  readonly stdout: (text: string) => void;
  readonly stderr: (text: string) => void;
}

/**
 * From the report on: prints it, stays up if that is wanted (until a signal, or until a process cannot be kept alive, which
 * is said at once), stops everything, and removes the data if nobody will want to look at it. The answer is the exit code.
 */
export async function conclude(run: ReportedRun, report: UpReport, settings: ConclusionSettings, { signal, stdout, stderr }: Surroundings): Promise<number> {
  stdout(settings.output === 'json' ? `${JSON.stringify(report)}\n` : reportText(report));
  // A process that was given up before is why the report says that the run failed, and has been told of.
  const told = report.stoppedBy === 'failure' && run.failed.aborted;
  if (settings.keep && report.stoppedBy !== 'signal' && !run.failed.aborted) {
    stderr('Staying up (--keep). Ctrl-C ends everything.\n');
    await eitherAborts(signal, run.failed);
    if (!run.failed.aborted) stderr(afterwards(run.restarts - report.restarts));
  }
  const givenUp = run.failed.aborted;
  if (givenUp && !told) run.say(`NOT OK: ${(run.failed.reason as Error).message}. Everything is stopped.`);
  const ok = !givenUp && shortcomings(report).length === 0;
  await run.stop();
  if (settings.dataDir === undefined && ok) rmSync(settings.root, { recursive: true, force: true });
  else stderr(`data and logs are in ${settings.root}\n`);
  return ok ? 0 : 1;
}

function eitherAborts(...signals: AbortSignal[]): Promise<void> {
  const any = AbortSignal.any(signals);
  return new Promise((resolve) => {
    if (any.aborted) resolve();
    else any.addEventListener('abort', () => resolve(), { once: true });
  });
}
