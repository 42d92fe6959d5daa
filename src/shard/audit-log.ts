import { appendFileSync } from 'node:fs';
import type { Action } from '../engine/types.ts';

export type AuditOutcome = 'decided' | 'suppressed' | 'dryrun';

/** Append-only JSON lines, one per decided, suppressed or dry-run action (spec: engine 10.5). */
export class AuditLog {
  private readonly file: string;
  private readonly write: (file: string, text: string) => void;

  constructor(file: string, write: (file: string, text: string) => void = appendFileSync) {
    this.file = file;
    this.write = write;
    write(file, ''); // an unwritable path is an error at start, not at the first decision
  }

  /** One write for a whole plan. */
  append(nowMs: number, cycle: number, actions: readonly Action[], outcome: AuditOutcome): void {
    if (actions.length === 0) return;
    const time = new Date(nowMs).toISOString();
    const lines = actions.map((action) => JSON.stringify({
      time,
      level: 'info',
      message: 'action',
      cycle,
      kind: action.kind,
      machine: action.machineId,
      cluster: action.to?.cluster ?? action.cluster,
      reason: action.reason.code,
      grace_seconds: action.graceSeconds,
      outcome,
    }));
    this.write(this.file, `${lines.join('\n')}\n`);
  }
}
