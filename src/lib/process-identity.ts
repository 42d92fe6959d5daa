import { readdirSync, readFileSync } from 'node:fs';

/** True for a process that exists, ours or not. */
export function isProcessAlive(pid: number): boolean {
  if (!(pid > 0)) return false;
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When a process started, in the kernel's ticks, so that a reused id is not mistaken; '' where there is no /proc. A process that ended but is still in the table (Z) started at no time. */
export function processStart(pid: number): string {
  const fields = statOf(pid);
  if (!fields) return '';
  return fields[STATE] === ENDED ? 'ended' : (fields[START] ?? '');
}

/**
 * The processes of a group that run; those that have ended and that nobody has looked after (no init in a container) do not
 * count. Where there is no /proc, the group's own number stands for all.
 */
export function processesOfGroup(group: number): number[] {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return [];
  }
  return processes()?.filter((pid) => {
    const fields = statOf(pid);
    return fields?.[GROUP] === String(group) && fields[STATE] !== ENDED;
  }) ?? [group];
}

/** The processes that run and were begun with this variable in their environment. Those of other users are seen by root only; none where there is no /proc. */
export function processesWith(variable: string, value: string): number[] {
  const text = `${variable}=${value}\0`;
  return processes()?.filter((pid) => {
    try {
      return readFileSync(`/proc/${pid}/environ`, 'latin1').includes(text); // of one that has ended it is empty
    } catch {
      return false;
    }
  }) ?? [];
}

/** All that there are; undefined where there is no /proc. */
function processes(): number[] | undefined {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).map(Number);
  } catch {
    return undefined;
  }
}

const STATE = 0;
const GROUP = 2;
const START = 19;
const ENDED = 'Z';

/** What /proc says of a process, behind its name. */
function statOf(pid: number): string[] | undefined {
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
    // The name in parentheses may hold anything.
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  } catch {
    return undefined;
  }
}
