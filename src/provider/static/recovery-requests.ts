import { chownSync, mkdirSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

/**
 * A person says that a failed machine is clean again: a file with its id, taken away when the provider has acted on it. It is
 * about the failure that there is when it is written, and about none after that.
 */
export class RecoveryRequests {
  private readonly directory: string;

  /** `directory` is in the provider's state folder, and made when it is needed. */
  constructor(directory: string) {
    this.directory = directory;
  }

  /** Throws when the folder of the state may not be written. */
  ask(machineId: string): void {
    const isNew = mkdirSync(this.directory, { recursive: true, mode: 0o700 }) !== undefined;
    if (isNew) {
      // Whoever asks may be root: the provider has to find its way into the folder.
      const { uid, gid } = statSync(dirname(this.directory));
      chownSync(this.directory, uid, gid);
    }
    writeFileSync(join(this.directory, machineId), '');
  }

  /** Takes a request away; false if there was none. Throws when that cannot be known, or not be done. */
  take(machineId: string): boolean {
    try {
      rmSync(join(this.directory, machineId));
      return true;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code === 'ENOENT') return false;
      throw new Error(`whether somebody has asked for ${machineId} to be recovered cannot be known: ${(error as Error).message}`, { cause: error });
    }
  }
}
