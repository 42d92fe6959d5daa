import { spawn } from 'node:child_process';
import type { ChildProcess } from 'node:child_process';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

/** A `bigfleet …` process whose output is collected. */
export class BigfleetProcess {
  readonly ended: Promise<Ended>;
  stderr = '';
  private readonly child: ChildProcess;
  private stdout = '';

  constructor(args: readonly string[]) {
    this.child = spawn(process.execPath, [join(root, 'src/main.ts'), ...args], { stdio: ['ignore', 'pipe', 'pipe'], cwd: root });
    this.child.stdout?.on('data', (chunk: Buffer) => (this.stdout += chunk.toString()));
    this.child.stderr?.on('data', (chunk: Buffer) => (this.stderr += chunk.toString()));
    this.ended = new Promise((resolve, reject) => {
      this.child.on('error', reject);
      this.child.on('close', (code) => resolve({ code, stdout: this.stdout, stderr: this.stderr }));
    });
  }

  signal(name: NodeJS.Signals): void {
    this.child.kill(name);
  }

  /** Like `ended`, but the process is killed, and the call fails, after `seconds`. */
  async within(seconds: number): Promise<Ended> {
    const timer = setTimeout(() => this.signal('SIGKILL'), seconds * 1000);
    const ended = await this.ended;
    clearTimeout(timer);
    if (ended.code === null) throw new Error(`still running after ${seconds} s; last words:\n${lastLines(ended.stderr)}`);
    return ended;
  }
}

export function bigfleet(args: readonly string[], seconds: number): Promise<Ended> {
  return new BigfleetProcess(args).within(seconds);
}

export function lastLines(text: string, count = 15): string {
  return text.trimEnd().split('\n').slice(-count).join('\n');
}
