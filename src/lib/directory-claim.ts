import { readdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

const PREFIX = 'lock-';

/** Who claims a directory. */
export interface Claimant {
  readonly pid: number;
  /** Tells processes with the same id apart; '' where nothing does. */
  readonly start: string;
  /** Tells claims of one process apart. */
  readonly nonce: string;
}

/** What a look around has shown: we hold the directory, somebody else does, or it is not settled: look again. */
export type Look = 'held' | { readonly takenBy: Claimant } | 'unsettled';

/**
 * One claim to a directory, in steps. A claim is a file that nobody else ever names so, hence it can be removed without a
 * look at what it has become. Announced before the look around, of two claims at least the later one sees the other; among
 * claims that are not yet settled the name decides. A claim whose claimant is gone counts for nothing and is removed.
 */
export class DirectoryClaim {
  private readonly directory: string;
  private readonly name: string;
  private readonly isLiving: (other: Claimant) => boolean;

  constructor(directory: string, claimant: Claimant, isLiving: (other: Claimant) => boolean) {
    this.directory = directory;
    this.name = nameOf(claimant);
    this.isLiving = isLiving;
  }

  announce(): void {
    writeFileSync(this.path, '', { flag: 'wx', mode: 0o600 });
  }

  /** Withdraws the claim if it has lost. */
  look(): Look {
    let unsettled = false;
    for (const name of readdirSync(this.directory).sort()) {
      const claimant = name === this.name ? undefined : claimantOf(name);
      if (!claimant) continue;
      const path = join(this.directory, name);
      if (!this.isLiving(claimant)) {
        rmSync(path, { force: true });
        continue;
      }
      const isHeld = statSync(path, { throwIfNoEntry: false })?.size;
      if (isHeld === undefined) continue; // withdrawn meanwhile
      if (isHeld > 0 || name < this.name) {
        this.release();
        return { takenBy: claimant };
      }
      unsettled = true;
    }
    if (unsettled) return 'unsettled';
    writeFileSync(this.path, 'held');
    return 'held';
  }

  release(): void {
    rmSync(this.path, { force: true });
  }

  private get path(): string {
    return join(this.directory, this.name);
  }
}

function nameOf({ pid, start, nonce }: Claimant): string {
  return `${PREFIX}${pid}-${start}-${nonce}`;
}

function claimantOf(name: string): Claimant | undefined {
  const [, pid, start, nonce] = /^lock-(\d+)-(\d*)-([0-9a-f]+)$/.exec(name) ?? [];
  return nonce === undefined ? undefined : { pid: Number(pid), start: start ?? '', nonce };
}
