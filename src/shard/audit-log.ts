import { appendFileSync, closeSync, fstatSync, openSync, readSync } from 'node:fs';
import type { Action, Millis } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import type { Rotation } from './audit-rotation.ts';
import type { MachineIntent } from './record.ts';
import type { Mode } from './settings.ts';

export type AuditOutcome = 'decided' | 'suppressed' | 'dryrun';

/** What becomes of a decision in that mode. */
export function outcomeIn(mode: Mode): AuditOutcome {
  switch (mode) {
    case 'Active':
      return 'decided';
    case 'DryRun':
      return 'dryrun';
    case 'Paused':
      return 'suppressed';
  }
}

export interface AuditFile {
  readonly write?: (file: string, text: string) => void;
  /** Absent: the file grows without end. */
  readonly rotation?: Rotation;
  /** What was to be written is; the file could not be put aside and grows on. */
  readonly onUnrotated?: (error: unknown) => void;
}

/**
 * Append-only JSON lines, one per decided, suppressed or dry-run action (spec: engine 10.5), one for each thing that is
 * taken away because a person asked for it, and one for each time in which it could not be written.
 */
export class AuditLog {
  private readonly file: string;
  private readonly clock: Pick<Clock, 'now'>;
  private readonly write: (file: string, text: string) => void;
  private readonly rotation: Rotation | undefined;
  private readonly onUnrotated: (error: unknown) => void;
  private lastFailure = '';
  /** When the first of the writes failed that have done so in a row. */
  private failsSince: Millis = 0;
  /** An earlier process, or a write that failed, may have left a part of a line at the end. */
  private mayBeTorn = true;

  /** `clock`: what people compare its times with, whatever the shard itself goes by. */
  constructor(file: string, clock: Pick<Clock, 'now'>, { write = appendFileSync, rotation, onUnrotated = () => undefined }: AuditFile = {}) {
    this.file = file;
    this.clock = clock;
    this.write = write;
    this.rotation = rotation;
    this.onUnrotated = onUnrotated;
    write(file, ''); // an unwritable path is an error at start, not at the first decision
  }

  /** Why the last write failed; '' = it did not. */
  get failure(): string {
    return this.lastFailure;
  }

  /** After a write that failed: writes that there is a gap, and with that finds out whether there is room again. */
  retry(): void {
    if (this.lastFailure === '') return;
    try {
      this.record([]);
    } catch {
      // `failure` says why, as before
    }
  }

  /** One write for a whole plan. Throws when it fails: some of the lines may be there all the same. */
  append(cycle: number, actions: readonly Action[], outcome: AuditOutcome): void {
    if (actions.length === 0) return;
    this.record(actions.map((action) => ({
      cycle,
      kind: action.kind,
      machine: action.machineId,
      cluster: action.to?.cluster ?? action.cluster,
      reason: action.reason.code,
      grace_seconds: action.graceSeconds,
      outcome,
    })));
  }

  /** A person asked for the machine's release, of which this is the next step; no plan has decided it, so it has no cycle. */
  appendRequested(machine: string, cluster: string, intent: Exclude<MachineIntent, { kind: 'bind' }>, outcome: AuditOutcome): void {
    const grace = intent.kind === 'unbind' ? intent.graceSeconds : 0;
    this.record([{ kind: intent.kind === 'unbind' ? 'Reclaim' : 'Delete', machine, cluster, reason: 'RequestedByPerson', grace_seconds: grace, outcome }]);
  }

  /** What is written counts more than how large the file is. */
  private record(entries: readonly object[]): void {
    const now = this.clock.now();
    const time = new Date(now).toISOString();
    const gap = { time, level: 'warn', message: 'decisions may be missing', since: new Date(this.failsSince).toISOString(), error: this.lastFailure };
    const actions = entries.map((entry) => ({ time, level: 'info', message: 'action', ...entry }));
    const text = [...(this.lastFailure === '' ? [] : [gap]), ...actions].map((line) => `${JSON.stringify(line)}\n`).join('');
    try {
      this.rotation?.makeRoom(text);
    } catch (error) {
      this.onUnrotated(error);
    }
    const isTorn = this.mayBeTorn && endsWithinALine(this.file);
    this.mayBeTorn = true;
    try {
      this.write(this.file, isTorn ? `\n${text}` : text);
    } catch (error) {
      if (this.lastFailure === '') this.failsSince = now;
      this.lastFailure = error instanceof Error ? error.message : String(error);
      throw error;
    }
    this.rotation?.wrote(text);
    this.mayBeTorn = false;
    this.lastFailure = '';
  }
}

/** False also where there is no such file, or it cannot be read. */
function endsWithinALine(file: string): boolean {
  let fd: number;
  try {
    fd = openSync(file, 'r');
  } catch {
    return false;
  }
  try {
    const { size } = fstatSync(fd);
    const last = Buffer.alloc(1);
    return size > 0 && readSync(fd, last, 0, 1, size - 1) === 1 && last.toString() !== '\n';
  } finally {
    closeSync(fd);
  }
}
