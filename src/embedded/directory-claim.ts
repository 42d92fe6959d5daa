/** Keeps two servers from writing to one data directory. */
import fs from 'node:fs';
import path from 'node:path';

const claimed = new Set<string>();

/** Claims the directory for this process; throws while another living one has it. Returns the release. */
export function claimDirectory(directory: string): () => void {
  const real = fs.realpathSync(directory);
  const file = path.join(real, 'owner');
  const inUse = (who: string): Error => new Error(`data directory ${directory} is in use by ${who}; stop it or choose another directory`);
  if (claimed.has(real)) throw inUse('this process');
  const [pid, started] = readOwner(file);
  // A process id alone proves nothing: after a kill it may be ours (in a container) or somebody else's.
  if (pid !== undefined && pid !== process.pid && isAlive(pid) && startOf(pid) === started) throw inUse(`process ${pid}`);
  fs.writeFileSync(file, `${process.pid} ${startOf(process.pid)}\n`);
  claimed.add(real);
  return () => {
    claimed.delete(real);
    fs.rmSync(file, { force: true });
  };
}

function readOwner(file: string): [number?, string?] {
  if (!fs.existsSync(file)) return [];
  const [pid, started] = fs.readFileSync(file, 'utf8').trim().split(' ');
  return Number(pid) > 0 ? [Number(pid), started ?? ''] : [];
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === 'EPERM';
  }
}

/** When the process began, in the kernel's own unit; constant where that cannot be found out. */
function startOf(pid: number): string {
  try {
    const stat = fs.readFileSync(`/proc/${pid}/stat`, 'utf8');
    return stat.slice(stat.lastIndexOf(')') + 2).split(' ')[19] ?? '-';
  } catch {
    return '-';
  }
}
