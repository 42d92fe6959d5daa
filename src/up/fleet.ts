import type { Clock } from '../lib/clock.ts';
import { Supervised } from './child-process.ts';
import type { ProcessSpec } from './commands.ts';
import type { Layout } from './layout.ts';

export interface FleetOptions {
  readonly layout: Layout;
  readonly clock: Clock;
  readonly onMessage: (name: string, message: unknown) => void;
  readonly onRestart: (name: string, how: string) => void;
}

/** The processes of a run: started in order, kept alive, stopped in reverse. */
export class Fleet {
  private readonly options: FleetOptions;
  private readonly supervised = new Map<string, Supervised>();
  private readonly failure = new AbortController();
  private restarted = 0;

  constructor(options: FleetOptions) {
    this.options = options;
  }

  /** Aborts, with an Error as reason, when a process cannot be kept alive. */
  get failed(): AbortSignal {
    return this.failure.signal;
  }

  get restarts(): number {
    return this.restarted;
  }

  start(spec: ProcessSpec): void {
    const { layout, clock, onMessage, onRestart } = this.options;
    const process = new Supervised({
      spec, clock,
      logFile: layout.logOf(spec.name),
      compileCache: layout.compileCache,
      onMessage: (message) => onMessage(spec.name, message),
      onRestart: (how) => {
        this.restarted++;
        onRestart(spec.name, how);
      },
      onGaveUp: (error) => this.failure.abort(error),
    });
    this.supervised.set(spec.name, process);
    process.start();
  }

  send(name: string, message: object): void {
    this.supervised.get(name)?.send(message);
  }

  kill(name: string): void {
    this.supervised.get(name)?.kill();
  }

  processes(): { name: string; pid: number | undefined }[] {
    return [...this.supervised.values()].map(({ name, pid }) => ({ name, pid }));
  }

  /** Those that depend on others go first; the API servers go last. */
  async stop(): Promise<void> {
    const all = [...this.supervised.values()].reverse();
    const world = all.filter(({ name }) => name === 'world');
    await Promise.all(all.filter(({ name }) => name !== 'world').map((process) => process.stop()));
    await Promise.all(world.map((process) => process.stop()));
  }
}
