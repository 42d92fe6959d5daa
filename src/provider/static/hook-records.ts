import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { sleep } from '../../lib/clock.ts';
import { isProcessAlive, processStart } from '../../lib/process-identity.ts';
import { HookProcesses } from './hook-processes.ts';

/** One run of a hook: what its processes can be found by. */
export interface HookRun {
  /** See HookProcesses. */
  readonly mark: string;
  /** The first process; absent while there is none. */
  readonly pid?: number;
  readonly killAfterMs: number;
}

interface HookRecord extends HookRun {
  /** See processStart. */
  readonly start?: string;
}

const LOOK_MS = 100;
/** After SIGKILL. */
const GIVE_UP_MS = 5_000;
/** No id of a machine begins so. */
const UNFINISHED = '.';

/**
 * Which processes run for which machine, on disk: a provider that was killed leaves its hooks running, and its successor
 * must end them before it begins another one on the same machine. What cannot be ended keeps the machine from further hooks.
 */
export class HookRecords {
  private readonly directory: string;
  /** By machine: what was told to end, and did not. */
  private readonly stuck = new Map<string, HookProcesses>();

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  /** To be told before there is a process, so that none is unknown, and again when there is one. */
  keep(machineId: string, run: HookRun): void {
    const record: HookRecord = { ...run, ...(run.pid !== undefined && { start: processStart(run.pid) }) };
    const unfinished = join(this.directory, `${UNFINISHED}${machineId}`);
    writeFileSync(unfinished, JSON.stringify(record), { mode: 0o600 });
    renameSync(unfinished, this.path(machineId));
  }

  ended(machineId: string): void {
    rmSync(this.path(machineId), { force: true });
  }

  /** The run was told to end and did not: its record stays. */
  stays(machineId: string, { mark, pid }: HookRun): void {
    this.stuck.set(machineId, new HookProcesses(mark, pid));
  }

  /** Processes of earlier hooks that do not end: while there are any, nothing may be run on the machine. */
  remains(machineId: string): readonly number[] {
    const processes = this.stuck.get(machineId);
    const running = processes?.running() ?? [];
    if (processes && running.length === 0) {
      this.stuck.delete(machineId);
      this.ended(machineId);
    }
    return running;
  }

  /** Ends what a predecessor left running; resolves when it has gone, or does not go. */
  async endLeftovers(clock: Clock, tell: (machineId: string, text: string) => void): Promise<void> {
    await Promise.all(readdirSync(this.directory).map(async (name) => {
      const left = name.startsWith(UNFINISHED) ? undefined : await endLeftover(this.read(name), clock, (text) => tell(name, text));
      if (left) this.stuck.set(name, left);
      else this.ended(name);
    }));
  }

  private read(machineId: string): HookRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.path(machineId), 'utf8')) as HookRecord;
    } catch {
      return undefined; // it ended meanwhile, or is not of this program
    }
  }

  private path(machineId: string): string {
    return join(this.directory, machineId);
  }
}

/** What does not end, if anything. */
async function endLeftover(record: HookRecord | undefined, clock: Clock, tell: (text: string) => void): Promise<HookProcesses | undefined> {
  if (!record) return undefined;
  const { mark, pid, start, killAfterMs } = record;
  if (start === '' && pid !== undefined) {
    if (isProcessAlive(pid)) tell(`process ${pid} may be a hook of the last run of this provider; look, and end it if it is`);
    return undefined;
  }
  // Once the first process has gone, its number, and so the group's, may be another's. Who is left has the mark.
  const processes = new HookProcesses(mark, pid !== undefined && processStart(pid) === start ? pid : undefined);
  const left = processes.running();
  if (left.length === 0) return undefined;
  tell(`ending ${left.length === 1 ? 'process' : 'processes'} ${left.join(', ')}: a hook that the last run of this provider left behind`);
  if (await haveGone(processes, 'SIGTERM', clock, killAfterMs) || await haveGone(processes, 'SIGKILL', clock, GIVE_UP_MS)) return undefined;
  tell(`what the last run of this provider left behind does not end (${processes.running().join(', ')}): no hook is run on this machine until it has`);
  return processes;
}

async function haveGone(processes: HookProcesses, signal: NodeJS.Signals, clock: Clock, withinMs: number): Promise<boolean> {
  const until = clock.monotonic() + withinMs;
  for (;;) {
    processes.signal(signal);
    if (processes.running().length === 0) return true;
    if (clock.monotonic() >= until) return false;
    await sleep(clock, LOOK_MS);
  }
}
