import { processesOfGroup, processesWith } from '../../lib/process-identity.ts';

/** In the environment of a hook, and of all that it starts: which run of which hook it is. */
export const RUN_VARIABLE = 'BIGFLEET_HOOK_RUN';

/**
 * The processes of one run of a hook: its group, and those that have left it (`timeout` and `setsid` make groups of their own)
 * but carry its mark in their environment. Without a /proc only the group is known; and what has left it with an environment
 * of its own (`env -i`, `sudo`) is not found.
 */
export class HookProcesses {
  private readonly mark: string;
  private readonly group: number | undefined;
  private lastSignal: NodeJS.Signals | undefined;
  /** Who has got that. */
  private readonly told = new Set<number>();

  /** `group` is left out where its id may be somebody else's by now. */
  constructor(mark: string, group: number | undefined) {
    this.mark = mark;
    this.group = group;
  }

  /** Those that have not ended. */
  running(): readonly number[] {
    return [...new Set([...this.ofGroup(), ...processesWith(RUN_VARIABLE, this.mark)])];
  }

  /** Tells all; told again, those that have come since. */
  signal(signal: NodeJS.Signals): void {
    if (this.lastSignal !== signal) {
      this.lastSignal = signal;
      this.told.clear();
      for (const pid of this.ofGroup()) this.told.add(pid);
      if (this.group !== undefined) send(-this.group, signal); // at once, so that nobody escapes by starting another
    }
    for (const pid of this.running()) {
      if (this.told.has(pid)) continue;
      this.told.add(pid);
      send(pid, signal);
    }
  }

  private ofGroup(): readonly number[] {
    return this.group === undefined ? [] : processesOfGroup(this.group);
  }
}

function send(to: number, signal: NodeJS.Signals): void {
  try {
    process.kill(to, signal);
  } catch {
    // They have gone, or run as somebody else, who then has to end them.
  }
}
