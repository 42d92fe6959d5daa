import type { Machine } from '../../api/types.ts';

const LISTS_BEFORE_REMOVAL = 2;

/**
 * Machine objects of this shard whose machine no List names, as after a restart. One List is not enough to let go of the
 * record of a decision or of a person's hold: a machine that comes back finds its object as it was.
 */
export class OrphanObjects {
  private readonly missed = new Map<string, number>();

  /**
   * Call after each complete List that is believed. Returns the machines whose objects may go: missing from two Lists in a
   * row, and not held by a person, whose word outlasts the machine.
   */
  afterFullList(objects: Iterable<Machine>, isListed: (machineId: string) => boolean): string[] {
    const orphans = new Set<string>();
    const settled: string[] = [];
    for (const { spec } of objects) {
      if (isListed(spec.machineId)) continue;
      orphans.add(spec.machineId);
      const missed = (this.missed.get(spec.machineId) ?? 0) + 1;
      this.missed.set(spec.machineId, missed);
      if (missed >= LISTS_BEFORE_REMOVAL && !spec.hold) settled.push(spec.machineId);
    }
    for (const id of this.missed.keys()) if (!orphans.has(id)) this.missed.delete(id);
    return settled;
  }
}
