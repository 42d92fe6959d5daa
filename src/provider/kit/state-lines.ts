import { BEGINNING_ENDS, HEADER, unframed } from './log-file.ts';
import { decodeChange } from './state-codec.ts';
import type { StateChange } from './state-store.ts';

/** Files of the version before do not say where their beginning ends; in those of the first, lines have no checksum either. */
const VERSION_2 = '{"format":"bigfleet-provider-state","version":2}';
const VERSION_1 = '{"format":"bigfleet-provider-state","version":1}';

/** Understands the complete lines of one state file, in order. Every error names the file, the line and the way out. */
export class StateLines {
  private readonly path: string;
  private count = 0;
  private header = '';
  /** What has to be there of the file is there. */
  private isWhole = false;
  /** Over the lines so far. */
  checksum = 0;

  constructor(path: string) {
    this.path = path;
  }

  /** Undefined for a line that is not a change. */
  read(line: string): StateChange | undefined {
    this.count += 1;
    if (this.count === 1) return this.begin(line);
    try {
      const text = this.header === VERSION_1 && line.startsWith('{') ? line : this.verified(line);
      if (this.header === HEADER && text === BEGINNING_ENDS) return void (this.isWhole = true);
      const change = decodeChange(text);
      this.isWhole ||= this.header !== HEADER;
      return change;
    } catch (error) {
      throw this.unusable(`damaged: ${error instanceof Error ? error.message : String(error)}`, error);
    }
  }

  /** After the last line. */
  end(): void {
    if (this.isWhole) return;
    this.count += 1;
    throw this.unusable(this.count === 1 ? 'damaged: it has no complete line' : 'damaged: it ends before it can have been used');
  }

  /**
   * A whole line that stands where the last newline should, with zeros alone behind it: a file system may leave them, after a crash,
   * where it had not written yet what is beyond its block. Undefined when there is none.
   */
  beforeZeros(rest: Buffer): string | undefined {
    let end = rest.length;
    while (end > 0 && rest[end - 1] === 0) end--;
    if (end === rest.length) return undefined;
    const line = rest.subarray(0, end).toString('utf8');
    try {
      unframed(line, this.checksum);
      return line;
    } catch {
      return undefined;
    }
  }

  /** What follows the last newline: half a line is of no account, a whole one with something else for a newline was acknowledged. */
  checkRest(rest: Buffer): void {
    try {
      this.verified(rest.subarray(0, -1).toString('utf8'));
    } catch {
      return;
    }
    this.count += 1;
    throw this.unusable('damaged: the line is whole, and does not end as it was written');
  }

  private begin(line: string): undefined {
    if (![HEADER, VERSION_2, VERSION_1].includes(line)) throw this.unusable('not a provider state file of this version');
    this.header = line;
  }

  private verified(line: string): string {
    const { text, checksum } = unframed(line, this.checksum);
    this.checksum = checksum;
    return text;
  }

  private unusable(what: string, cause?: unknown): Error {
    const text = `${this.path}:${this.count}: ${what}. Restore the file from a copy, or move the directory away to start from the substrate.`;
    return new Error(text, { cause });
  }
}
