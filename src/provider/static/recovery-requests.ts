import { existsSync, mkdirSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** A person says that a failed machine is clean again: a file with its id, taken away when the provider has acted on it. */
export class RecoveryRequests {
  private readonly directory: string;

  constructor(directory: string) {
    this.directory = directory;
  }

  ask(machineId: string): void {
    mkdirSync(this.directory, { recursive: true, mode: 0o700 });
    writeFileSync(join(this.directory, machineId), '');
  }

  /** True once per request. */
  take(machineId: string): boolean {
    const path = join(this.directory, machineId);
    if (!existsSync(path)) return false;
    rmSync(path);
    return true;
  }
}
