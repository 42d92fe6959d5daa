import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { performance } from 'node:perf_hooks';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { Rpc } from './rpc.ts';

const launcher = fileURLToPath(new URL('./provider-process.ts', import.meta.url));

/** A provider of the command line as a process of its own, and a client of it. */
export interface ProviderChild {
  readonly child: ChildProcess;
  readonly port: number;
  readonly rpc: Rpc;
  /** From the start of the process until it served. */
  readonly startMs: number;
  /** SIGKILL; resolves when the process is gone. */
  kill(): Promise<void>;
}

/** Runs `bigfleet provider <args>` and resolves when it serves; rejects when it ends before. */
export async function startProvider(...args: string[]): Promise<ProviderChild> {
  const began = performance.now();
  const child = spawn(process.execPath, [launcher, 'provider', ...args], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
  for await (const line of createInterface({ input: child.stdout })) {
    const { address } = JSON.parse(line) as { address: string };
    const port = Number(address.slice(address.lastIndexOf(':') + 1));
    const rpc = new Rpc(port);
    return {
      child, port, rpc, startMs: performance.now() - began,
      async kill() {
        if (child.exitCode === null && child.signalCode === null) {
          child.kill('SIGKILL');
          await once(child, 'exit');
        }
        rpc.close();
      },
    };
  }
  throw new Error('the provider ended before it served');
}
