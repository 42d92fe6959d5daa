import * as fs from 'node:fs';
import { join } from 'node:path';
import { lockDirectory } from '../../lib/directory-lock.ts';
import { makeFolder } from '../../lib/make-folder.ts';
import { readLines } from './line-reader.ts';
import { LogFile, syncDirectory } from './log-file.ts';
import { encodeChange } from './state-codec.ts';
import { StateLines } from './state-lines.ts';
import type { StateChange, StateStore } from './state-store.ts';

export interface FileStoreOptions {
  readonly directory: string;
  /** `disk`: an ack survives power loss (one fdatasync shared by all that wait). `process`: it survives any end of the process. */
  readonly durability?: 'disk' | 'process';
  /** Start a fresh file when this many lines have been appended since the last one, and they outnumber its snapshot. */
  readonly compactAfterLines?: number;
}

const NAME = /^state-(\d{8})\.jsonl$/;
const SLICE_LINES = 500;

/**
 * A log of changes in one directory, one JSON line each: `state-<generation>.jsonl` begins with a snapshot, or with its
 * first change, and grows by appends. Compaction writes the next generation aside, a slice per turn of the event loop. A
 * file has its name only when its beginning is whole and, for durability `disk`, on the disk: no crash leaves less than that.
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
  /** Counts appends; what is above `synced` is not on the disk for certain. */
  private written = 0;
  private synced = 0;
  private next: LogFile | undefined;
  private syncing: Promise<void> | undefined;
  private queued: Promise<void> | undefined;
  /** Why nothing can be stored now. */
  private broken: Error | undefined = new Error('the state has not been read');

  constructor(options: FileStoreOptions) {
    this.directory = options.directory;
    this.syncs = options.durability !== 'process';
    this.compactAfter = options.compactAfterLines ?? 5_000;
    makeFolder(this.directory);
    this.unlock = lockDirectory(this.directory);
  }

  load(): Iterable<StateChange> | undefined {
    const generations = this.generations();
    for (const name of fs.readdirSync(this.directory)) {
      if (name.endsWith('.tmp')) fs.rmSync(join(this.directory, name));
    }
    this.generation = generations.pop() ?? 0;
    const changes = this.generation > 0 ? this.read(this.path(this.generation)) : undefined;
    this.broken = undefined;
    // Only now: if the newest had been damaged, somebody might have wanted those before it.
    for (const old of generations) fs.rmSync(this.path(old));
    return changes;
  }

  append(change: StateChange): void {
    if (this.broken) throw this.broken;
    const line = encodeChange(change);
    if (this.log) this.log.append(line);
    else this.log = this.create(line);
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

  /** A new file with its first line. When it throws there is none. */
  private create(line: string): LogFile {
    const path = this.path(this.generation + 1);
    const log = LogFile.create(`${path}.tmp`);
    try {
      log.append(line);
      log.endBeginning();
      if (this.syncs) log.syncNow();
      fs.renameSync(log.path, path);
      if (this.syncs) syncDirectory(this.directory);
    } catch (error) {
      log.close();
      fs.rmSync(log.path, { force: true });
      fs.rmSync(path, { force: true });
      throw error;
    }
    this.generation += 1;
    return log;
  }

  private read(path: string): StateChange[] {
    const lines = new StateLines(path);
    const changes: StateChange[] = [];
    let goodBytes = 0;
    for (const { line, end } of readLines(path)) {
      const change = lines.read(line);
      if (change) changes.push(change);
      goodBytes = end;
    }
    lines.end();
    if (fs.statSync(path).size > goodBytes) {
      const rest = fs.readFileSync(path).subarray(goodBytes);
      const line = lines.beforeZeros(rest);
      if (line === undefined) lines.checkRest(rest);
      const change = line === undefined ? undefined : lines.read(line);
      if (change) changes.push(change);
      // The rest was being written when the process ended, and never acknowledged.
      endBehind(path, goodBytes, line);
    }
    this.log = LogFile.open(path, lines.checksum);
    // The process that gave the file its name may have ended before it made that durable.
    if (this.syncs) syncDirectory(this.directory);
    this.snapshotLines = changes.length;
    return changes;
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
      into.endBeginning();
      if (this.syncs) into.syncNow(); // what was appended meanwhile, too
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

/** The file ends behind its first `bytes`, and the line that follows, if there is one: durably, since what it says is acted upon. */
function endBehind(path: string, bytes: number, line: string | undefined): void {
  if (line === undefined) return fs.truncateSync(path, bytes);
  const end = bytes + Buffer.byteLength(line);
  const fd = fs.openSync(path, 'r+');
  try {
    fs.writeSync(fd, '\n', end);
    fs.ftruncateSync(fd, end + 1);
    fs.fdatasyncSync(fd);
  } finally {
    fs.closeSync(fd);
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
