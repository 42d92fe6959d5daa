import { closeSync, fsyncSync, openSync, readdirSync, readFileSync, renameSync, rmSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '../lib/make-folder.ts';

/** What makes a write durable, in the order it is called. */
export interface DurableCalls {
  readonly write: (fd: number, text: string) => void;
  readonly fsync: (fd: number) => void;
  readonly close: (fd: number) => void;
  readonly rename: (from: string, to: string) => void;
}

export const durableCalls: DurableCalls = { write: writeSync, fsync: fsyncSync, close: closeSync, rename: renameSync };

/**
 * The fencing epoch (spec: engine 17): every start of the shard runs under a higher one. `floor` is the highest epoch
 * known from elsewhere (Shard.status, Lease transitions), so that losing the data directory does not fence the shard out.
 * Written with fsync and rename before use, and the folder with fsync too: else a power cut could bring back the old file. Throws when the file is unreadable or is no number: guessing would be worse.
 */
export function advanceEpoch(dataDir: string, floor: bigint, calls = durableCalls): bigint {
  makeFolder(dataDir);
  const file = join(dataDir, 'epoch');
  const stored = readEpoch(file);
  const next = (stored > floor ? stored : floor) + 1n;
  const temporary = `${file}.new`;
  writeDurably(temporary, `${next}\n`, calls);
  calls.rename(temporary, file);
  withFile(dataDir, 'r', calls.fsync, calls);
  return next;
}

const TRIAL = 'epoch.trial-';

/** Throws what advanceEpoch would throw, before anything depends on it: the stored epoch, and whether another one can be written. */
export function checkEpoch(dataDir: string, calls = durableCalls): void {
  makeFolder(dataDir);
  const file = join(dataDir, 'epoch');
  const stored = readEpoch(file);
  try {
    // Of processes that were killed in their trial. One that is in it keeps the open file, and misses nothing.
    for (const name of readdirSync(dataDir)) if (name.startsWith(TRIAL)) rmSync(join(dataDir, name), { force: true });
    // A name of its own: the process that leads may be writing in the same folder.
    const trial = join(dataDir, `${TRIAL}${process.pid}`);
    try {
      writeDurably(trial, `${stored}\n`, calls);
      withFile(dataDir, 'r', calls.fsync, calls);
    } finally {
      rmSync(trial, { force: true, recursive: true });
    }
  } catch (error) {
    throw new Error(`${file} cannot be written: ${(error as Error).message}`, { cause: error });
  }
}

function writeDurably(file: string, text: string, calls: DurableCalls): void {
  withFile(file, 'w', (fd) => {
    calls.write(fd, text);
    calls.fsync(fd);
  }, calls);
}

function withFile(path: string, flags: 'r' | 'w', use: (fd: number) => void, { close }: DurableCalls): void {
  const fd = openSync(path, flags);
  try {
    use(fd);
  } finally {
    close(fd);
  }
}

function readEpoch(file: string): bigint {
  let text: string;
  try {
    text = readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return 0n;
    throw new Error(`${file} cannot be read: ${(error as Error).message}`, { cause: error });
  }
  if (!/^\d+\s*$/.test(text)) throw new Error(`${file}: expected a decimal number, found ${JSON.stringify(text.slice(0, 40))}. Restore the file, or delete it if the Shard object's status.epoch is intact.`);
  return BigInt(text.trim());
}
