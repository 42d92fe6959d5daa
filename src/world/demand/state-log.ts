import { closeSync, existsSync, openSync, readFileSync, writeSync } from 'node:fs';

/** What the workload generator did, one JSON line each. `t` is Unix milliseconds; `i` the step's index in the plan, `r` the life. */
export type DemandEvent =
  | { readonly t: number; readonly e: 'start' }
  /** Written before the Pod is created. `pod` is its name; Pods of one step differ by life. */
  | { readonly t: number; readonly e: 'submit'; readonly i: number; readonly r: number; readonly cluster: string; readonly pod: string }
  | { readonly t: number; readonly e: 'bound'; readonly i: number; readonly r: number }
  /**
   * Written before the Pod is deleted: its life is over, whatever becomes of it now is nobody's fault. `refused` is the
   * API server's reason if it would not take the Pod at all.
   */
  | { readonly t: number; readonly e: 'finish'; readonly i: number; readonly r: number; readonly cluster: string; readonly pod: string; readonly refused?: string }
  /** Gone before its time; `leftMs` is the rest of its life. */
  | { readonly t: number; readonly e: 'gone'; readonly i: number; readonly r: number; readonly leftMs: number | null }
  /** A step that is not a Pod has been carried out. */
  | { readonly t: number; readonly e: 'step'; readonly i: number };

/** Where the generator keeps its state: appended before anything else sees the change, never synced to the disk itself. */
export interface StateLog {
  readonly history: readonly DemandEvent[];
  append(event: DemandEvent): void;
  close(): void;
}

/** Opens or creates the log. A last line torn by a kill is ignored, and ended so that the next one stands by itself. */
export function openStateLog(file: string): StateLog {
  const text = existsSync(file) ? readFileSync(file, 'utf8') : '';
  const fd = openSync(file, 'a', 0o644);
  if (text !== '' && !text.endsWith('\n')) writeSync(fd, '\n');
  return {
    history: text.split('\n').flatMap(parse),
    append: (event) => void writeSync(fd, `${JSON.stringify(event)}\n`),
    close: () => closeSync(fd),
  };
}

function parse(line: string): DemandEvent[] {
  try {
    return [JSON.parse(line) as DemandEvent];
  } catch {
    return []; // empty or torn
  }
}
