import { mkdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { GuardedProcess } from '../control-plane/guarded-process.ts';
import { lastLines } from '../bigfleet.ts';

const root = join(import.meta.dirname, '..', '..');

/** Where the processes that keep their things in a folder put what they do not keep. */
export function temporaryIn(dir: string): string {
  return join(dir, 'temporary');
}

/** One process of BigFleet: it can be killed, and started again with the same arguments and the same state. */
export class Part {
  readonly name: string;
  readonly logPath: string;
  private readonly args: readonly string[];
  private readonly log: (line: string) => void;
  private readonly temporary: string;
  private process: GuardedProcess | undefined;
  private expected = false;

  /** `main` is the program; default: the one of this checkout. */
  constructor(dir: string, name: string, args: readonly string[], log: (line: string) => void, main = join(root, 'src/main.ts')) {
    this.name = name;
    this.args = [main, ...args];
    this.log = log;
    this.logPath = join(dir, `${name}.log`);
    this.temporary = temporaryIn(dir);
    mkdirSync(this.temporary, { recursive: true });
    mkdirSync(join(dir, name), { recursive: true });
  }

  start(more: readonly string[] = []): this {
    this.expected = false;
    this.process = GuardedProcess.start({
      name: this.name, command: process.execPath, args: [...this.args, ...more], logPath: this.logPath, graceMs: 10_000, env: { TMPDIR: this.temporary },
      onUnexpectedExit: (message) => void (this.expected || this.log(message)),
    });
    return this;
  }

  /** Undefined while it does not run. */
  get pid(): number | undefined {
    return this.runs ? this.process?.pid : undefined;
  }

  get runs(): boolean {
    return this.process !== undefined && this.process.ending === undefined;
  }

  /** SIGTERM, and it has time to end well. Resolves when it is gone. */
  async stop(): Promise<void> {
    await this.process?.stop();
  }

  /** SIGKILL. Resolves when it is gone. */
  async kill(): Promise<void> {
    this.expected = true;
    if (this.process && this.runs) process.kill(this.process.pid, 'SIGKILL');
    await this.process?.exited();
  }

  /** All that it has written, over all its lives. */
  said(): string {
    return readFileSync(this.logPath, 'utf8');
  }

  lastWords(): string {
    return `last words of ${this.name}:\n${lastLines(this.said(), 5)}`;
  }
}
