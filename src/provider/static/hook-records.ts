import { mkdirSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Clock } from '../../lib/clock.ts';
import { sleep } from '../../lib/clock.ts';
import { isGroupRunning, isProcessAlive, processStart } from '../../lib/process-identity.ts';
import { signalGroup } from './hook-process.ts';

interface HookRecord {
  readonly pid: number;
  /** See processStart. */
  readonly start: string;
  readonly killAfterMs: number;
}

const LOOK_MS = 100;
/** After SIGKILL. */
const GIVE_UP_MS = 5_000;

/**
 * Which processes run for which machine, on disk: a provider that was killed leaves its hooks running, and its successor
 * must end them before it begins another one on the same machine.
 */
export class HookRecords {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
    mkdirSync(directory, { recursive: true, mode: 0o700 });
  }

  started(machineId: string, pid: number, killAfterMs: number): void {
    const record: HookRecord = { pid, start: processStart(pid), killAfterMs };
    writeFileSync(this.path(machineId), JSON.stringify(record), { mode: 0o600 });
  }

  ended(machineId: string): void {
    rmSync(this.path(machineId), { force: true });
  }

  /** Ends what a predecessor left running; resolves when it has gone. */
  async endLeftovers(clock: Clock, tell: (machineId: string, text: string) => void): Promise<void> {
    await Promise.all(readdirSync(this.directory).map(async (machineId) => {
      await endLeftover(this.read(machineId), clock, (text) => tell(machineId, text));
      this.ended(machineId);
    }));
  }

  private read(machineId: string): HookRecord | undefined {
    try {
      return JSON.parse(readFileSync(this.path(machineId), 'utf8')) as HookRecord;
    } catch {
      return undefined; // torn: it was being written when the provider ended
    }
  }

  private path(machineId: string): string {
    return join(this.directory, machineId);
  }
}

async function endLeftover(record: HookRecord | undefined, clock: Clock, tell: (text: string) => void): Promise<void> {
  if (!record || !isProcessAlive(record.pid)) return;
  const { pid, start, killAfterMs } = record;
  if (start === '') return tell(`process ${pid} may be a hook of the last run of this provider; look, and end it if it is`);
  if (processStart(pid) !== start) return;
  tell(`ending process ${pid}: a hook that the last run of this provider left behind`);
  signalGroup(pid, 'SIGTERM');
  if (await hasGone(pid, clock, killAfterMs)) return;
  signalGroup(pid, 'SIGKILL');
  if (!(await hasGone(pid, clock, GIVE_UP_MS))) tell(`process ${pid} does not end`);
}

async function hasGone(group: number, clock: Clock, withinMs: number): Promise<boolean> {
  const until = clock.monotonic() + withinMs;
  while (isGroupRunning(group)) {
    if (clock.monotonic() >= until) return false;
    await sleep(clock, LOOK_MS);
  }
  return true;
}
