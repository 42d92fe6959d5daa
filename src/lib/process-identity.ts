import { readFileSync } from 'node:fs';

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
  let stat: string;
  try {
    stat = readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return '';
  }
  // The name in parentheses may hold anything; fields are counted after it, the start time is the 22nd of all.
  const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
  return fields[0] === 'Z' ? 'ended' : (fields[19] ?? '');
}
