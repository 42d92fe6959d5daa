import * as fs from 'node:fs';
import { crc32 } from 'node:zlib';

const CHECKSUM_CHARACTERS = 8;

/** The first line of a state file, without the newline. */
export const HEADER = '{"format":"bigfleet-provider-state","version":3}';
/** The line behind a file's beginning: what was written before the file got its name. A file without it has been damaged. */
export const BEGINNING_ENDS = '{"beginning":"ends"}';

/** A line's text behind a checksum over itself and all lines before it, so that neither damage nor a missing line goes unnoticed. */
export function framed(text: string, checksum: number): string {
  return `${checksum.toString(16).padStart(CHECKSUM_CHARACTERS, '0')} ${text}`;
}

/** The text of a framed line, and the checksum up to it. Throws when the line is not what was written after `before`. */
export function unframed(line: string, before: number): { readonly text: string; readonly checksum: number } {
  const text = line.slice(CHECKSUM_CHARACTERS + 1);
  const checksum = crc32(text, before);
  if (line !== framed(text, checksum)) throw new Error('the checksum is wrong');
  return { text, checksum };
}

/** An append-only file that never keeps half a line after a failed write. */
export class LogFile {
  readonly path: string;
  private readonly fd: number;
  private size: number;
  private checksum: number;

  private constructor(path: string, flags: string, checksum: number) {
    this.path = path;
    this.fd = fs.openSync(path, flags, 0o600);
    this.size = fs.fstatSync(this.fd).size;
    this.checksum = checksum;
  }

  static create(path: string): LogFile {
    const file = new LogFile(path, 'w+', 0);
    try {
      file.write(`${HEADER}\n`);
    } catch (error) {
      file.close();
      throw error;
    }
    return file;
  }

  /** Goes on with a file whose lines have this checksum. */
  static open(path: string, checksum: number): LogFile {
    return new LogFile(path, 'r+', checksum);
  }

  append(text: string): void {
    const checksum = crc32(text, this.checksum);
    this.write(`${framed(text, checksum)}\n`);
    this.checksum = checksum;
  }

  /** Says that what was written so far is all that has to be there before the file is used. */
  endBeginning(): void {
    this.append(BEGINNING_ENDS);
  }

  private write(text: string): void {
    const line = Buffer.from(text);
    let written = 0;
    try {
      while (written < line.length) written += fs.writeSync(this.fd, line, written, line.length - written, this.size + written);
    } catch (error) {
      fs.ftruncateSync(this.fd, this.size);
      throw error;
    }
    this.size += line.length;
  }

  sync(): Promise<void> {
    return new Promise((resolve, reject) => fs.fdatasync(this.fd, (error) => (error ? reject(error) : resolve())));
  }

  syncNow(): void {
    fs.fdatasyncSync(this.fd);
  }

  close(): void {
    fs.closeSync(this.fd);
  }
}

/** Makes durable which files a directory has, and under which names. */
export function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
