import { assignmentNotes } from '../provider/provider-machine.ts';
import type { Log } from '../runtime/types.ts';
import type { InventoryChange } from './inventory.ts';

/**
 * Says of machines for whose purpose the provider's `shard_metadata` is taken, as after a restart, that it cannot be read. What
 * cannot counts as 0, and lets a lower priority take a machine that nobody needs while Pods still run on it. Once per machine.
 */
export class UnreadableNotes {
  private readonly log: Log;
  private readonly told = new Set<string>();

  constructor(log: Log) {
    this.log = log;
  }

  /** Feed it every change. */
  observe({ id, before, after }: InventoryChange): void {
    if (!after) return void this.told.delete(id);
    const { assigned, seen } = after;
    const intent = before?.intent;
    const isKnown = assigned === before?.assigned || (intent?.kind === 'bind' && intent.to === assigned);
    if (assigned === undefined || isKnown || this.told.has(id)) return;
    const { problems } = assignmentNotes(seen);
    if (problems.length === 0) return;
    this.told.add(id);
    this.log.warn({ machine: id, cluster: seen.cluster, problems }, 'the provider echoes shard_metadata that cannot be read: what the machine was bound for counts as 0 where it cannot, until it is bound anew');
  }
}
