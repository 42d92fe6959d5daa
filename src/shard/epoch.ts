import { closeSync, fsyncSync, openSync, readFileSync, renameSync, writeSync } from 'node:fs';
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
 * Written with fsync and rename before use. Throws when the file is unreadable or is no number: guessing would be worse.
 */
export function advanceEpoch(dataDir: string, floor: bigint, calls = durableCalls): bigint {
  makeFolder(dataDir);
  const file = join(dataDir, 'epoch');
  const stored = readEpoch(file);
  const next = (stored > floor ? stored : floor) + 1n;
  const temporary = `${file}.new`;
  const fd = openSync(temporary, 'w');
  try {
    calls.write(fd, `${next}\n`);
    calls.fsync(fd);
  } finally {
    calls.close(fd);
  }
  calls.rename(temporary, file);
  return next;
}

/** Throws what advanceEpoch would throw about the stored epoch, before anything depends on it. */
export function checkEpoch(dataDir: string): void {
  readEpoch(join(dataDir, 'epoch'));
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
