import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';

/**
 * Turns the shell into the program, after starting a watch over the pipe on descriptor 0. Our end of that pipe
 * closes however we end, SIGKILL included; the watch then kills the program. The program leads its own process
 * group and the watch belongs to it, so `$$` cannot be given to a stranger while the watch lives.
 */
const GUARD_SCRIPT = 'exec 3<&0; (read -r _ <&3; kill -KILL $$) >/dev/null 2>&1 & exec 3<&-; exec "$@" </dev/null';

export interface GuardedSpawn {
  readonly command: string;
  readonly args: readonly string[];
  /** Added to a nearly empty environment: programs must not pick up the caller's KUBECONFIG or proxies. */
  readonly env?: Readonly<Record<string, string>>;
  /** A descriptor that receives standard output and errors, or pipes to read them from. */
  readonly output: number | 'pipe';
  /** Default: ours. */
  readonly cwd?: string;
}

/** Starts a program that cannot outlive us, as the leader of its own process group. POSIX only. */
export function spawnGuarded({ args, command, env, output, cwd }: GuardedSpawn): ChildProcess & { readonly pid: number } {
  const child = spawn('/bin/sh', ['-c', GUARD_SCRIPT, 'guard', command, ...args], {
    detached: true,
    stdio: ['pipe', output, output],
    ...(cwd !== undefined && { cwd }),
    env: { PATH: process.env['PATH'] ?? '/usr/bin:/bin', ...env },
  });
  const { pid } = child;
  if (pid === undefined) throw new Error(`${command}: /bin/sh could not be started`);
  child.stdin?.on('error', () => undefined); // nothing is ever written to the pipe; its closing is the signal
  child.once('exit', () => {
    killGroup(pid); // ends the watch
    child.stdin?.destroy();
  });
  return Object.assign(child, { pid });
}

/** Kills a guarded program together with its watch; does nothing when both are gone. */
export function killGroup(pid: number): void {
  try {
    process.kill(-pid, 'SIGKILL');
  } catch {
    // Nobody is left in the group.
  }
}
