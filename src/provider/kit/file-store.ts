import * as fs from 'node:fs';
import { join } from 'node:path';
import { crc32 } from 'node:zlib';
import { lockDirectory } from '../../lib/directory-lock.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { readLines } from './line-reader.ts';
import { decodeChange, encodeChange } from './state-codec.ts';
import type { StateChange, StateStore } from './state-store.ts';

export interface FileStoreOptions {
  readonly directory: string;
  /** `disk`: an ack survives power loss (one fdatasync shared by all that wait). `process`: it survives any end of the process. */
  readonly durability?: 'disk' | 'process';
  /** Start a fresh file when this many lines have been appended since the last one, and they outnumber its snapshot. */
  readonly compactAfterLines?: number;
}

const HEADER = '{"format":"bigfleet-provider-state","version":2}\n';
/** Files of this version have lines without a checksum; new lines in them have one. */
const OLD_HEADER = '{"format":"bigfleet-provider-state","version":1}\n';
const NAME = /^state-(\d{8})\.jsonl$/;
const SLICE_LINES = 500;
const CHECKSUM_CHARACTERS = 8;

/**
 * A log of changes in one directory, one JSON line each: `state-<generation>.jsonl` begins with a snapshot and grows by
 * appends. Each line is preceded by a checksum over itself and all lines before it, so that no damage goes unnoticed. Compaction writes the next generation aside, a slice per turn of the event loop, and switches by rename.
 */
export function openFileStore(options: FileStoreOptions): StateStore {
  return new FileStore(options);
}

class FileStore implements StateStore {
  private readonly directory: string;
  private readonly syncs: boolean;
  private readonly compactAfter: number;
  private readonly unlock: () => void;
  private generation = 0;
  private log: LogFile | undefined;
  private snapshotLines = 0;
  private appended = 0;
  /** The checksum of the lines that were read. */
  private checksum = 0;
  /** Counts appends; what is above `synced` is not on the disk for certain. */
  private written = 0;
  private synced = 0;
  private next: LogFile | undefined;
  private syncing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;
  private broken: Error | undefined;

  constructor(options: FileStoreOptions) {
    this.directory = options.directory;
    this.syncs = options.durability !== 'process';
    this.compactAfter = options.compactAfterLines ?? 5_000;
    makeFolder(this.directory);
    this.unlock = lockDirectory(this.directory);
  }

  load(): Iterable<StateChange> | undefined {
    const generations = this.generations();
    this.generation = generations.at(-1) ?? 0;
    for (const old of generations.slice(0, -1)) fs.rmSync(this.path(old));
    for (const name of fs.readdirSync(this.directory)) {
      if (name.endsWith('.tmp')) fs.rmSync(join(this.directory, name));
    }
    if (generations.length === 0) return undefined;
    const changes = this.read(this.path(this.generation));
    return changes.length > 0 ? changes : undefined;
  }

  append(change: StateChange): void {
    if (this.broken) throw this.broken;
    const line = encodeChange(change);
    this.current().append(line);
    this.appended += 1;
    this.written += 1;
    try {
      this.next?.append(line);
    } catch {
      this.abandonCompaction();
    }
  }

  flush(): Promise<void> {
    if (this.broken) return Promise.reject(this.broken);
    if (!this.syncs || !this.log || this.synced === this.written) return Promise.resolve();
    // At most one sync runs; whoever comes meanwhile shares the next one, which covers what they wrote.
    if (!this.syncing) return (this.syncing = this.sync());
    this.queued ??= this.syncing.then(() => {
      this.queued = undefined;
      return (this.syncing = this.sync());
    });
    return this.queued;
  }

  maybeCompact(snapshot: () => Iterable<StateChange>): void {
    if (this.next || this.broken || this.appended < Math.max(this.compactAfter, this.snapshotLines)) return;
    try {
      this.next = LogFile.create(`${this.path(this.generation + 1)}.tmp`);
    } catch {
      return; // the present file goes on serving; tried again after the next change
    }
    this.appended = 0;
    this.compact(snapshot()[Symbol.iterator](), this.next, 0);
  }

  async close(): Promise<void> {
    this.abandonCompaction();
    await this.flush().catch(() => {});
    this.broken ??= new Error('the state store is closed');
    this.log?.close();
    this.log = undefined;
    this.unlock();
  }

  private current(): LogFile {
    if (this.log) return this.log;
    this.generation = Math.max(this.generation, 1);
    const path = this.path(this.generation);
    this.log = fs.existsSync(path) ? LogFile.open(path, this.checksum) : LogFile.create(path);
    if (this.syncs) syncDirectory(this.directory);
    return this.log;
  }

  private read(path: string): StateChange[] {
    const changes: StateChange[] = [];
    let lineNumber = 0;
    let goodBytes = 0;
    let old = false;
    for (const { line, end } of readLines(path)) {
      lineNumber += 1;
      goodBytes = end;
      if (lineNumber === 1) {
        old = `${line}\n` === OLD_HEADER;
        if (!old && `${line}\n` !== HEADER) throw new Error(`${path}:1: not a provider state file of this version`);
        continue;
      }
      try {
        changes.push(decodeChange(old && line.startsWith('{') ? line : this.verified(line)));
      } catch (error) {
        throw new Error(
          `${path}:${lineNumber}: damaged: ${messageOf(error)}. Restore the file from a copy, or move the directory away to start from the substrate.`,
          { cause: error },
        );
      }
    }
    // What follows the last newline was being written when the process ended; it was never acknowledged.
    if (fs.statSync(path).size > goodBytes) fs.truncateSync(path, goodBytes);
    if (goodBytes === 0) fs.rmSync(path);
    this.snapshotLines = lineNumber;
    return changes;
  }

  /** The text of a line whose checksum is right. */
  private verified(line: string): string {
    const text = line.slice(CHECKSUM_CHARACTERS + 1);
    const checksum = crc32(text, this.checksum);
    if (line !== framed(text, checksum)) throw new Error('the checksum is wrong');
    this.checksum = checksum;
    return text;
  }

  private async sync(): Promise<void> {
    const log = this.log;
    const upTo = this.written;
    try {
      await log?.sync();
      this.synced = Math.max(this.synced, upTo);
    } catch (error) {
      // After a failed sync nobody knows what the disk holds: serve no further mutation until a restart has read it.
      this.broken = new Error(`the state could not be made durable: ${messageOf(error)}`);
      throw this.broken;
    } finally {
      if (!this.queued) this.syncing = undefined;
    }
  }

  private compact(changes: Iterator<StateChange>, into: LogFile, lines: number): void {
    if (this.next !== into) return;
    let written = lines;
    try {
      for (let i = 0; i < SLICE_LINES; i++) {
        const item = changes.next();
        if (item.done) return void this.finishCompaction(into, written);
        into.append(encodeChange(item.value));
        written += 1;
      }
    } catch {
      return this.abandonCompaction();
    }
    setImmediate(() => this.compact(changes, into, written));
  }

  private async finishCompaction(into: LogFile, lines: number): Promise<void> {
    try {
      if (this.syncs) await into.sync(); // the bulk, off the event loop
      if (this.next !== into) return;
      if (this.syncs) into.syncNow(); // what was appended meanwhile
      fs.renameSync(into.path, this.path(this.generation + 1));
    } catch {
      return this.abandonCompaction();
    }
    const old = this.log;
    this.log = into;
    this.next = undefined;
    this.snapshotLines = lines;
    this.generation += 1;
    try {
      if (this.syncs) syncDirectory(this.directory);
      fs.rmSync(this.path(this.generation - 1), { force: true });
    } catch (error) {
      this.broken = new Error(`the state directory could not be updated: ${messageOf(error)}`);
    }
    // A sync of the old file may be under way; its descriptor must outlive it.
    await this.syncing?.catch(() => {});
    old?.close();
  }

  private abandonCompaction(): void {
    if (!this.next) return;
    this.next.close();
    fs.rmSync(this.next.path, { force: true });
    this.next = undefined;
  }

  private generations(): number[] {
    return fs.readdirSync(this.directory).flatMap((name) => NAME.exec(name)?.[1] ?? []).map(Number).sort((a, b) => a - b);
  }

  private path(generation: number): string {
    return join(this.directory, `state-${String(generation).padStart(8, '0')}.jsonl`);
  }
}

/** An append-only file that never keeps half a line after a failed write. */
class LogFile {
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
    file.write(Buffer.from(HEADER));
    return file;
  }

  /** Goes on with a file whose lines have this checksum. */
  static open(path: string, checksum: number): LogFile {
    return new LogFile(path, 'r+', checksum);
  }

  append(text: string): void {
    const checksum = crc32(text, this.checksum);
    this.write(Buffer.from(`${framed(text, checksum)}\n`));
    this.checksum = checksum;
  }

  private write(line: Buffer): void {
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

function framed(text: string, checksum: number): string {
  return `${checksum.toString(16).padStart(CHECKSUM_CHARACTERS, '0')} ${text}`;
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}

function syncDirectory(directory: string): void {
  const fd = fs.openSync(directory, 'r');
  try {
    fs.fsyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}
