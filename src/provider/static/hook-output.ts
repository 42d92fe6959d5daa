export type OutputStream = 'stdout' | 'stderr';

export interface HookOutputOptions {
  /** Takes secrets out of a line. */
  readonly redact: (line: string) => string;
  /** Called for each line as it is complete, up to `maxLines` of them. */
  readonly onLine: (line: string, stream: OutputStream) => void;
  readonly maxLines?: number;
}

const MAX_LINES = 1_000;
const MAX_LINE_BYTES = 4_096;
const TAIL_LINES = 5;
const TAIL_LENGTH = 1_000;
const NEWLINE = 0x0a;
// eslint-disable-next-line no-control-regex
const CONTROL = /[\u0000-\u001f\u007f-\u009f]+/g;

/** Turns what a process writes into lines, in bounded memory however much that is. Of more than `maxLines` only the last few are kept. */
export class HookOutput {
  private readonly options: HookOutputOptions;
  private readonly partial: Record<OutputStream, Partial> = { stdout: new Partial(), stderr: new Partial() };
  private readonly last: string[] = [];
  private lines = 0;

  constructor(options: HookOutputOptions) {
    this.options = options;
  }

  /** Lines that were not handed on because there were too many. */
  get dropped(): number {
    return Math.max(0, this.lines - (this.options.maxLines ?? MAX_LINES));
  }

  feed(stream: OutputStream, chunk: Buffer): void {
    const partial = this.partial[stream];
    let start = 0;
    for (let at = chunk.indexOf(NEWLINE); at >= 0; at = chunk.indexOf(NEWLINE, start)) {
      partial.add(chunk.subarray(start, at));
      this.line(partial.take(), stream);
      start = at + 1;
    }
    partial.add(chunk.subarray(start));
  }

  /** No more will come: what stands without a newline at the end is a line, too. */
  end(): void {
    for (const stream of ['stdout', 'stderr'] as const) if (!this.partial[stream].isEmpty) this.line(this.partial[stream].take(), stream);
  }

  /** The last lines in one, for people: without secrets, of bounded length. */
  tail(): string {
    const text = this.last.map((line) => this.clean(line)).filter((line) => line !== '').join(' | ');
    return text.length <= TAIL_LENGTH ? text : `…${text.slice(-TAIL_LENGTH)}`;
  }

  private line(text: string, stream: OutputStream): void {
    this.lines += 1;
    if (this.last.push(text) > TAIL_LINES) this.last.shift();
    if (this.lines <= (this.options.maxLines ?? MAX_LINES)) this.options.onLine(this.clean(text), stream);
  }

  private clean(line: string): string {
    return this.options.redact(line).replace(CONTROL, ' ').trim();
  }
}

/** The beginning of a line. What goes beyond the maximum is cut at a word, so that no half of a secret slips through. */
class Partial {
  private parts: Buffer[] = [];
  private bytes = 0;
  private isCut = false;

  get isEmpty(): boolean {
    return this.bytes === 0 && !this.isCut;
  }

  add(part: Buffer): void {
    const room = MAX_LINE_BYTES - this.bytes;
    if (part.length > room) this.isCut = true;
    const kept = part.subarray(0, room);
    if (kept.length === 0) return;
    this.parts.push(Buffer.from(kept));
    this.bytes += kept.length;
  }

  take(): string {
    const text = Buffer.concat(this.parts).toString('utf8');
    const line = this.isCut ? `${text.slice(0, text.lastIndexOf(' ') + 1)}…` : text;
    this.parts = [];
    this.bytes = 0;
    this.isCut = false;
    return line;
  }
}
