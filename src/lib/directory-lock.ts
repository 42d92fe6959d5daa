import { accessSync, constants, readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { hostname } from 'node:os';
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';

/**
 * Stays when the lock is released: whoever has it open already would otherwise lock a file that nobody else sees. Nothing else in
 * a process that holds it may open it: the kernel lets go of the lock when any of its descriptors is closed.
 */
const LOCK = '.lock';
/** For people only. */
const HOLDER = 'lock-holder';
/** Others that try at the same moment settle within this. */
const SETTLE_MS = 500;
const BUSY = 5;

/** Locks that are held: one that was forgotten would be closed by the garbage collection. */
const held = new Set<DatabaseSync>();

/**
 * Makes sure that one process at a time writes an existing directory, whichever container it runs in. The kernel holds the lock, and
 * lets go of it however the process ends; SQLite is what asks for it, of an empty file `.lock`, since Node cannot itself. Of
 * processes that try at once, one gets it. Returns the release; throws when the directory is locked or cannot be.
 */
export function lockDirectory(directory: string): () => void {
  const path = realpathSync(directory);
  const holder = join(path, HOLDER);
  const lock = open(directory, join(path, LOCK));
  try {
    lock.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    lock.close();
    if ((error as { errcode?: number }).errcode !== BUSY) throw unlockable(directory, error);
    throw new Error(`data directory ${directory} is in use by ${nameIn(holder)}; stop it or choose another directory`, { cause: error });
  }
  held.add(lock);
  try {
    writeFileSync(holder, `process ${process.pid} of ${hostname()}`);
  } catch {
    // No name is no reason not to begin.
  }
  return () => {
    if (!held.delete(lock)) return;
    rmSync(holder, { force: true });
    lock.close();
  };
}

function open(directory: string, file: string): DatabaseSync {
  try {
    const lock = new DatabaseSync(file, { timeout: SETTLE_MS });
    accessSync(file, constants.W_OK); // a file that may only be read is opened all the same, and then any number have the lock
    return lock;
  } catch (error) {
    throw unlockable(directory, error);
  }
}

function unlockable(directory: string, error: unknown): Error {
  return new Error(`data directory ${directory} cannot be locked: ${error instanceof Error ? error.message : String(error)}; choose one that may be written, on a file system with locks`, { cause: error });
}

function nameIn(holder: string): string {
  try {
    return readFileSync(holder, 'utf8') || 'another process';
  } catch {
    return 'another process';
  }
}
