import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { NodeStateUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { Clock } from '../lib/clock.ts';

/** The newest the shard said about a machine. `unnamed`: the replay did not name it, so it does not serve this cluster. */
export type News = { readonly kind: 'frame'; readonly frame: NodeStateUpdate } | { readonly kind: 'unnamed' };

/** Latest news per machine. Reconcilers read it when their turn comes, so a burst of frames costs one pass. */
export class MachineNews {
  private readonly latest = new Map<string, News>();
  /** Machine id → when its life here was cleared away, Unix ms. */
  private readonly buried = new Map<string, number>();
  private readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
  }

  get size(): number {
    return this.latest.size;
  }

  get(machineId: string): News | undefined {
    return this.latest.get(machineId);
  }

  /** When the machine's life in this cluster was cleared away; undefined if it lives or was never heard of. */
  buriedAt(machineId: string): number | undefined {
    return this.buried.get(machineId);
  }

  /** False for a frame that is ignored: one that names no machine, or a late word about a life that is over. */
  record(frame: NodeStateUpdate): boolean {
    if (frame.machineId === '') return false;
    if (this.buried.has(frame.machineId) && isUnbound(frame)) return false;
    this.buried.delete(frame.machineId);
    this.latest.set(frame.machineId, { kind: 'frame', frame });
    return true;
  }

  /** The replay has ended; of `known` machines (those with an object) and of all heard of, returns those not named. */
  replayed(named: readonly string[], known: Iterable<string>): string[] {
    this.buried.clear();
    const serving = new Set(named);
    const unnamed = new Set([...known, ...this.latest.keys()].filter((id) => !serving.has(id)));
    for (const id of unnamed) this.latest.set(id, { kind: 'unnamed' });
    return [...unnamed];
  }

  /** The life that `seen` was about is over and cleared away; nothing is dropped if something newer has come. */
  bury(machineId: string, seen: News): void {
    if (this.latest.get(machineId) !== seen) return;
    this.latest.delete(machineId);
    // The executing worker and the reconcile path of a shard may both report a change: the second must not revive it.
    this.buried.set(machineId, this.clock.now());
  }
}

function isUnbound({ state }: NodeStateUpdate): boolean {
  return state === MachineState.MACHINE_STATE_IDLE || state === MachineState.MACHINE_STATE_SPECULATIVE || state === MachineState.MACHINE_STATE_DELETING;
}
