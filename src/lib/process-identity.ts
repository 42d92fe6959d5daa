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

/** True while a process of the group runs; those that have ended and that nobody has looked after (no init in a container) do not count, where there is a /proc. */
export function isGroupRunning(group: number): boolean {
  try {
    process.kill(-group, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EPERM') return false;
  }
  let pids: string[];
  try {
    pids = readdirSync('/proc').filter((name) => /^\d+$/.test(name));
  } catch {
    return true;
  }
  return pids.some((pid) => {
    const fields = statOf(Number(pid));
    return fields?.[GROUP] === String(group) && fields[STATE] !== ENDED;
  });
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
