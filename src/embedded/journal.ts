/**
 * The state in a directory: `snapshot-N.jsonl` holds all objects as they were when `log-N.jsonl` was begun, the log every
 * change since. A change is handed to the operating system before it takes effect (without fsync), so a killed process
 * loses nothing that it has acknowledged; a power cut may.
 *
 * While a snapshot is being written in slices, changes go to the next log already. Restoring therefore reads the newest
 * complete snapshot N and then all logs from N on.
 */
import fs from 'node:fs';
import path from 'node:path';
import { lockDirectory } from '../lib/directory-lock.ts';
import { makeFolder } from '../lib/make-folder.ts';
import type { ChangeLog } from './database.ts';
import { isObject } from './json.ts';

const FORMAT = 1;
const SLICE_BYTES = 512 * 1024;

/** One line of a log or snapshot. */
export type JournalEntry =
  | { readonly version: number; readonly kind: string; readonly object: string; readonly parsed: object }
  | { readonly version: number; readonly kind: string; readonly removed: string };

export class Journal implements ChangeLog {
  private readonly directory: string;
  private readonly release: () => void;
  private number = 0;
  private file = -1;
  private size = 0;
  private stateBytes = 0;
  private compacting: Promise<void> | undefined;
  private closed = false;
  private highest = 0;

  private constructor(directory: string, release: () => void) {
    this.directory = directory;
    this.release = release;
  }

  /**
   * Opens or creates the directory and feeds `restore` with its content in order. Throws an error that names file and
   * line if something in it cannot be read; only a last line without its end (from a kill) is dropped.
   */
  static open(directory: string, restore: (entry: JournalEntry) => void): Journal {
    makeFolder(directory);
    const journal = new Journal(directory, lockDirectory(directory));
    try {
      journal.load(restore);
    } catch (error) {
      journal.release();
      throw error;
    }
    return journal;
  }

  /** Number of the last write that was found when the directory was opened. */
  get version(): number {
    return this.highest;
  }

  put(kindId: string, json: string): void {
    this.append(`{"kind":${JSON.stringify(kindId)},"put":${json}}\n`);
  }

  remove(kindId: string, key: string, version: number): void {
    this.append(`${JSON.stringify({ kind: kindId, delete: key, version })}\n`);
  }

  /** Whether the log has grown beyond `minimum` bytes and beyond the state it describes. */
  wantsCompaction(minimum: number): boolean {
    return !this.compacting && !this.closed && this.size > Math.max(minimum, this.stateBytes);
  }

  /**
   * Begins a new log and writes `objects` (all of them, as they are now) as its snapshot, a slice per turn of the event
   * loop, then removes older files. A failure leaves the older files, which remain sufficient.
   */
  compact(version: number, objects: Iterable<{ readonly kind: { readonly id: string }; readonly json: string }>): Promise<void> {
    const frozen = [...objects];
    const number = this.number + 1;
    const old = this.file;
    this.begin(number);
    fs.closeSync(old);
    this.compacting = this.writeSnapshot(number, version, frozen).finally(() => {
      this.compacting = undefined;
    });
    return this.compacting;
  }

  /** Waits for a snapshot in progress and gives the directory free. */
  async close(): Promise<void> {
    if (this.closed) return;
    this.closed = true;
    await this.compacting?.catch(() => undefined);
    fs.closeSync(this.file);
    this.release();
  }

  private append(line: string): void {
    const bytes = Buffer.from(line);
    try {
      for (let written = 0; written < bytes.length; ) written += fs.writeSync(this.file, bytes, written, bytes.length - written, this.size + written);
    } catch (error) {
      fs.ftruncateSync(this.file, this.size); // half a line must not be followed by others
      throw new Error(`${this.path('log', this.number)}: cannot append: ${(error as Error).message}`, { cause: error });
    }
    this.size += bytes.length;
  }

  private async writeSnapshot(number: number, version: number, objects: readonly { readonly kind: { readonly id: string }; readonly json: string }[]): Promise<void> {
    const target = this.path('snapshot', number);
    const file = await fs.promises.open(`${target}.tmp`, 'w');
    let bytes = 0;
    try {
      let slice = header(number, version);
      for (const { kind, json } of objects) {
        slice += `{"kind":${JSON.stringify(kind.id)},"put":${json}}\n`;
        if (slice.length < SLICE_BYTES) continue;
        bytes += slice.length;
        await file.write(slice);
        slice = '';
      }
      bytes += slice.length;
      await file.write(slice);
    } finally {
      await file.close();
    }
    await fs.promises.rename(`${target}.tmp`, target);
    this.stateBytes = bytes;
    for (const { name, number: n } of this.files()) if (n < number) await fs.promises.rm(path.join(this.directory, name));
  }

  private load(restore: (entry: JournalEntry) => void): void {
    for (const name of fs.readdirSync(this.directory)) if (name.endsWith('.jsonl.tmp')) fs.rmSync(path.join(this.directory, name));
    const files = this.files();
    const snapshots = files.filter((file) => file.kind === 'snapshot').map((file) => file.number);
    const first = snapshots.length > 0 ? Math.max(...snapshots) : 0;
    const logs = files.filter((file) => file.kind === 'log' && file.number >= first).map((file) => file.number).sort((a, b) => a - b);
    if (snapshots.length > 0) this.stateBytes = this.readFile('snapshot', first, false, restore);
    logs.forEach((number, i) => {
      if (number !== (i === 0 ? logs[0] : logs[i - 1]! + 1)) throw new Error(`${this.path('log', number - 1)} is missing; restore it, or remove ${this.directory} to start afresh`);
    });
    // A log is begun before its snapshot is written, so a snapshot alone has lost something.
    if (logs[0] !== first && files.length > 0) throw new Error(`${this.path('log', first)} is missing; restore it, or remove ${this.directory} to start afresh`);
    for (const number of logs) {
      const last = number === logs.at(-1);
      const size = this.readFile('log', number, last, restore);
      if (!last) continue;
      this.number = number;
      this.file = fs.openSync(this.path('log', number), 'r+');
      fs.ftruncateSync(this.file, size);
      this.size = size;
      if (size === 0) this.append(header(number, 0)); // killed while the header was being written
    }
    if (logs.length === 0) this.begin(0);
  }

  /** Feeds the lines of one file to `restore`; returns the size of its intact part. */
  private readFile(kind: 'log' | 'snapshot', number: number, mayBeTorn: boolean, restore: (entry: JournalEntry) => void): number {
    const file = this.path(kind, number);
    const bytes = fs.readFileSync(file);
    let start = 0;
    for (let line = 1; start < bytes.length; line++) {
      const end = bytes.indexOf(0x0a, start);
      if (end < 0) {
        if (mayBeTorn) return start;
        throw unreadable(file, line, 'the line is incomplete', this.directory);
      }
      const text = bytes.toString('utf8', start, end);
      try {
        const entry = line === 1 ? undefined : parseLine(text);
        this.highest = Math.max(this.highest, entry ? entry.version : headerVersion(text));
        if (entry) restore(entry);
      } catch (error) {
        throw unreadable(file, line, (error as Error).message, this.directory);
      }
      start = end + 1;
    }
    if (start === 0 && !mayBeTorn) throw unreadable(file, 1, 'the file is empty', this.directory);
    return start;
  }

  private begin(number: number): void {
    this.file = fs.openSync(this.path('log', number), 'w');
    this.number = number;
    this.size = 0;
    this.append(header(number, 0));
  }

  private files(): { name: string; kind: string; number: number }[] {
    return fs.readdirSync(this.directory).flatMap((name) => {
      const found = /^(log|snapshot)-(\d+)\.jsonl$/.exec(name);
      return found ? [{ name, kind: found[1]!, number: Number(found[2]) }] : [];
    });
  }

  private path(kind: 'log' | 'snapshot', number: number): string {
    return path.join(this.directory, `${kind}-${number}.jsonl`);
  }
}

function header(number: number, version: number): string {
  return `${JSON.stringify({ embeddedControlPlane: FORMAT, number, version })}\n`;
}

function headerVersion(text: string): number {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || value['embeddedControlPlane'] !== FORMAT) throw new Error(`not a file of format ${FORMAT}`);
  return Number(value['version']);
}

function parseLine(text: string): JournalEntry {
  const value: unknown = JSON.parse(text);
  if (!isObject(value) || typeof value['kind'] !== 'string') throw new Error('not an entry');
  const kind = value['kind'];
  if (typeof value['delete'] === 'string' && typeof value['version'] === 'number') {
    return { version: value['version'], kind, removed: value['delete'] };
  }
  const object = value['put'];
  if (!isObject(object) || !isObject(object['metadata'])) throw new Error('not an entry');
  const version = Number(object['metadata']['resourceVersion']);
  if (!Number.isSafeInteger(version)) throw new Error('an object without resourceVersion');
  return { version, kind, object: text.slice(text.indexOf('"put":') + 6, -1), parsed: object };
}

function unreadable(file: string, line: number, why: string, directory: string): Error {
  return new Error(`${file}:${line}: ${why}; restore the file, or remove ${directory} to start afresh`);
}
