import { statSync } from 'node:fs';
import type { Clock } from '../../lib/clock.ts';
import type { StaticInventory } from './inventory.ts';
import { parseInventory, readInventoryText } from './read-inventory.ts';

export interface InventoryWatchOptions {
  readonly path: string;
  readonly clock: Clock;
  /** A version that is good and differs from the one before. What it throws makes the version one that is not used. */
  readonly onVersion: (inventory: StaticInventory) => void;
  /** A version that cannot be used; said again now and then while it is there. */
  readonly onProblem: (error: Error) => void;
  /** What the text of the version in use was, so that it is not taken for a change. */
  readonly text: string | undefined;
}

const LOOK_MS = 2_000;
const SAY_AGAIN_MS = 300_000;

/**
 * Looks at a file every two seconds, by content: that works with editors, with files that are replaced by rename, and with
 * the links of a mounted ConfigMap. A change is read when it has stood still from one look to the next, so that a file
 * that is being written is not taken for a version.
 */
export class InventoryWatch {
  private readonly options: InventoryWatchOptions;
  private cancel: () => void;
  private inUse: string | undefined;
  private stamp = '';
  /** The stamp of what was read last. */
  private read = '';
  private problemSaidAt: number | undefined;

  constructor(options: InventoryWatchOptions) {
    this.options = options;
    this.inUse = options.text;
    this.cancel = options.clock.after(LOOK_MS, () => this.look());
  }

  /** The file as it stands cannot be used. */
  get isBroken(): boolean {
    return this.problemSaidAt !== undefined;
  }

  /** Reads the file now, settled or not: somebody asked for it. */
  reload(): void {
    try {
      const text = readInventoryText(this.options.path);
      if (text === this.inUse && !this.isBroken) return;
      this.options.onVersion(parseInventory(text, this.options.path));
      this.inUse = text;
      this.problemSaidAt = undefined;
    } catch (error) {
      this.failed(error instanceof Error ? error : new Error(String(error)));
    }
  }

  /** A version was refused before the watch began. */
  failed(error: Error): void {
    this.problemSaidAt = this.options.clock.monotonic();
    this.options.onProblem(error);
  }

  stop(): void {
    this.cancel();
  }

  private look(): void {
    this.cancel = this.options.clock.after(LOOK_MS, () => this.look());
    const stamp = this.stampOfFile();
    if (stamp !== this.stamp) {
      this.stamp = stamp;
      return;
    }
    const isDue = this.problemSaidAt !== undefined && this.options.clock.monotonic() - this.problemSaidAt >= SAY_AGAIN_MS;
    if (this.read === stamp && !isDue) return;
    this.read = stamp;
    this.reload();
  }

  private stampOfFile(): string {
    try {
      const { mtimeMs, size, ino } = statSync(this.options.path);
      return `${mtimeMs} ${size} ${ino}`;
    } catch (error) {
      return String((error as NodeJS.ErrnoException).code);
    }
  }
}
