import { closeSync, openSync, readSync } from 'node:fs';

const CHUNK_BYTES = 256 * 1024;

/** Follows a file of JSON lines that another process appends to. A file that does not exist yet is empty. */
export class FileTail {
  private readonly path: string;
  private readonly onLine: (value: unknown) => void;
  private readonly buffer = Buffer.alloc(CHUNK_BYTES);
  private fd: number | undefined;
  private position = 0;
  private rest: Buffer = Buffer.alloc(0);

  constructor(path: string, onLine: (value: unknown) => void) {
    this.path = path;
    this.onLine = onLine;
  }

  /** Reads what has been appended since the last call. A line without its end waits; one that is no JSON is passed over. */
  read(): void {
    if (this.fd === undefined) {
      try {
        this.fd = openSync(this.path, 'r');
      } catch {
        return;
      }
    }
    for (;;) {
      const bytes = readSync(this.fd, this.buffer, 0, CHUNK_BYTES, this.position);
      if (bytes === 0) return;
      this.position += bytes;
      this.take(Buffer.concat([this.rest, this.buffer.subarray(0, bytes)]));
    }
  }

  close(): void {
    if (this.fd !== undefined) closeSync(this.fd);
    this.fd = undefined;
  }

  private take(data: Buffer): void {
    let start = 0;
    for (let end = data.indexOf(10, start); end >= 0; end = data.indexOf(10, start)) {
      const line = data.toString('utf8', start, end);
      start = end + 1;
      const value = parse(line);
      if (value !== undefined) this.onLine(value);
    }
    this.rest = Buffer.from(data.subarray(start));
  }
}

function parse(line: string): unknown {
  try {
    return JSON.parse(line);
  } catch {
    return undefined; // blank, or torn by a kill and then ended
  }
}
