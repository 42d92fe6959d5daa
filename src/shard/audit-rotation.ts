import { renameSync, rmSync, statSync } from 'node:fs';

export interface RotationLimits {
  /** A file that holds so much is put aside before more is written. */
  readonly maxBytes: number;
  /** So many files are put aside, `file.1` the newest; older ones are deleted. */
  readonly keep: number;
}

/**
 * Puts a log file aside when it is full, by renaming: nothing is copied and a line is never split. A rotation that fails
 * throws, after which the file grows on by a tenth before it is tried again: what is written counts more than its size.
 */
export class Rotation {
  private readonly file: string;
  private readonly limits: RotationLimits;
  private bytes: number;
  private tryAt: number;

  constructor(file: string, limits: RotationLimits) {
    this.file = file;
    this.limits = limits;
    this.bytes = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
    this.tryAt = limits.maxBytes;
  }

  /** Before `text` is written. */
  makeRoom(text: string): void {
    const adding = Buffer.byteLength(text);
    if (this.bytes === 0 || this.bytes + adding <= this.tryAt) return;
    this.tryAt = this.bytes + adding + Math.ceil(this.limits.maxBytes / 10);
    this.putAside();
    this.bytes = 0;
    this.tryAt = this.limits.maxBytes;
  }

  /** After `text` was written: what could not be makes no file larger. */
  wrote(text: string): void {
    this.bytes += Buffer.byteLength(text);
  }

  private putAside(): void {
    const { keep } = this.limits;
    const nth = (n: number): string => (n === 0 ? this.file : `${this.file}.${n}`);
    for (let n = keep; n > 0; n--) if (exists(nth(n - 1))) renameSync(nth(n - 1), nth(n));
    if (keep === 0) rmSync(this.file, { force: true });
  }
}

function exists(file: string): boolean {
  return statSync(file, { throwIfNoEntry: false }) !== undefined;
}
