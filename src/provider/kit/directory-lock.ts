import * as fs from 'node:fs';
import { resolve } from 'node:path';

/** Directories locked by this very process: a process id cannot tell its own two holders apart. */
const held = new Set<string>();

/**
 * Makes sure that one process at a time writes a directory. The lock names its holder; a holder that is gone, or whose
 * process id now belongs to another process, holds nothing. Returns the release; throws when a live process holds it.
 */
export function acquireDirectoryLock(directory: string): () => void {
  const path = resolve(directory, 'lock');
  if (held.has(path)) throw new Error(`${directory} is already open in this process.`);
  const mine = `${process.pid} ${startOf(process.pid)}`;
  for (;;) {
    try {
      fs.writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      held.add(path);
      return () => {
        if (!held.delete(path)) return;
        fs.rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readIfPresent(path);
    const pid = Number.parseInt(holder, 10);
    if (pid !== process.pid && isAlive(pid) && holder === `${pid} ${startOf(pid)}`) {
      throw new Error(`${directory} is in use by process ${pid}. Stop it, or choose another directory.`);
    }
    fs.rmSync(path, { force: true });
  }
}

function readIfPresent(path: string): string {
  try {
    return fs.readFileSync(path, 'utf8');
  } catch {
    return '';
  }
}

function isAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, in the kernel's ticks, so that a reused id is not mistaken; '' where there is no /proc. A process that ended but is still in the table (Z) started at no time. */
function startOf(pid: number): string {
  const stat = readIfPresent(`/proc/${pid}/stat`);
  // The name in parentheses may hold anything; fields are counted after it, the start time is the 22nd of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}
