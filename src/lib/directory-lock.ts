import { randomBytes } from 'node:crypto';
import { realpathSync } from 'node:fs';
import { DirectoryClaim } from './directory-claim.ts';
import type { Claimant } from './directory-claim.ts';
import { isProcessAlive, processStart } from './process-identity.ts';

/** Directories locked by this very process: a process id cannot tell its own two holders apart. */
const held = new Set<string>();

const PAUSE_MS = 2;
/** Others that try at the same moment settle within a few of these pauses, unless they are stopped or starved. */
const MAX_PAUSES = 1_000;

/**
 * Makes sure that one process at a time writes an existing directory. A file `lock-…` in it names the holder; a holder that
 * is gone, or whose process id now belongs to another process, holds nothing. Of processes that try at once, one gets it.
 * Returns the release; throws when a living process holds it.
 */
export function lockDirectory(directory: string): () => void {
  const path = realpathSync(directory);
  const inUse = (who: string): Error => new Error(`data directory ${directory} is in use by ${who}; stop it or choose another directory`);
  if (held.has(path)) throw inUse('this process');
  const claim = new DirectoryClaim(path, { pid: process.pid, start: processStart(process.pid), nonce: randomBytes(8).toString('hex') }, isLiving);
  claim.announce();
  for (let pauses = 0; ; pauses++) {
    const look = claim.look();
    if (look === 'held') break;
    if (look !== 'unsettled') throw inUse(`process ${look.takenBy.pid}`);
    if (pauses === MAX_PAUSES) {
      claim.release();
      throw inUse('a process that does not settle whether it takes it');
    }
    Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
  }
  held.add(path);
  let released = false;
  return () => {
    if (released) return;
    released = true;
    held.delete(path);
    claim.release();
  };
}

/** A process id alone proves nothing: after a kill it may be ours (in a container) or somebody else's. What we hold is in `held`. */
function isLiving({ pid, start }: Claimant): boolean {
  return pid !== process.pid && isProcessAlive(pid) && start === processStart(pid);
}
