import { readFileSync, realpathSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Directories locked by this very process: a process id cannot tell its own two holders apart. */
const held = new Set<string>();

/**
 * Makes sure that one process at a time writes an existing directory. Its file `lock` names the holder; a holder that is
 * gone, or whose process id now belongs to another process, holds nothing. Returns the release; throws when a living
 * process holds it.
 */
export function lockDirectory(directory: string): () => void {
  const path = join(realpathSync(directory), 'lock');
  const inUse = (who: string): Error => new Error(`data directory ${directory} is in use by ${who}; stop it or choose another directory`);
  if (held.has(path)) throw inUse('this process');
  const mine = `${process.pid} ${startOf(process.pid)}`;
  for (;;) {
    try {
      writeFileSync(path, mine, { flag: 'wx', mode: 0o600 });
      held.add(path);
      let released = false;
      return () => {
        if (released) return;
        released = true;
        held.delete(path);
        rmSync(path, { force: true });
      };
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
    }
    const holder = readIfPresent(path);
    const pid = Number.parseInt(holder, 10);
    // A process id alone proves nothing: after a kill it may be ours (in a container) or somebody else's.
    if (pid !== process.pid && isAlive(pid) && holder === `${pid} ${startOf(pid)}`) throw inUse(`process ${pid}`);
    rmSync(path, { force: true });
  }
}

function readIfPresent(path: string): string {
  try {
    return readFileSync(path, 'utf8');
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
