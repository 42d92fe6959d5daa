import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import type { NodeStateUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { Clock } from '../lib/clock.ts';

/**
 * The newest the shard said about a machine. `unnamed`: the replay did not name it, so it does not serve this cluster.
 * `isBeforeOrder`: the frame is older than an order to empty the machine, or may be, and says nothing against it. `wasDraining`: the
 * machine has left, and on its way the shard called it draining, which nobody need have had the time to read.
 */
export type News =
  | { readonly kind: 'frame'; readonly frame: NodeStateUpdate; readonly isBeforeOrder?: true; readonly wasDraining?: true }
  | { readonly kind: 'unnamed' };

/** How a machine's life here was cleared away. */
export interface Burial {
  /** Unix ms. */
  readonly at: number;
  /** The shard said that the machine has left; false: a replay merely did not name it. */
  readonly isKnown: boolean;
}

/** Latest news per machine. Reconcilers read it when their turn comes, so a burst of frames costs one pass. */
export class MachineNews {
  private readonly latest = new Map<string, News>();
  private readonly buried = new Map<string, Burial>();
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

  /** How the machine's life in this cluster was cleared away; undefined if it lives or was never heard of. */
  burialOf(machineId: string): Burial | undefined {
    return this.buried.get(machineId);
  }

  /**
   * False for a frame that is ignored: one that names no machine, or a late word about a life that is over. `mayBeOld`: it
   * comes from a shard that repeats CONFIGURED at a reconnect although it has ordered the machine to be emptied.
   */
  record(frame: NodeStateUpdate, mayBeOld = false): boolean {
    if (frame.machineId === '') return false;
    const burial = this.buried.get(frame.machineId);
    // Of a machine that merely went unnamed, its departure is no late word but the first one.
    const isDeparture = burial?.isKnown === false && frame.state === MachineState.MACHINE_STATE_DELETING;
    if (burial && isUnbound(frame) && !isDeparture) return false;
    this.buried.delete(frame.machineId);
    const before = this.latest.get(frame.machineId);
    this.latest.set(frame.machineId, {
      kind: 'frame', frame, ...(mayBeOld ? { isBeforeOrder: true } : {}), ...(isUnbound(frame) && isDraining(before) ? { wasDraining: true } : {}),
    });
    return true;
  }

  /** The shard has ordered the machine to be emptied: what it said before stands no more. */
  ordered(machineId: string): void {
    const news = this.latest.get(machineId);
    if (news?.kind === 'frame') this.latest.set(machineId, { ...news, isBeforeOrder: true });
  }

  /** The machine is to serve, whatever was ordered before: a shard calls one that it is about to take away DRAINING. */
  stays(machineId: string): boolean {
    const news = this.latest.get(machineId);
    return news?.kind === 'frame' && !news.isBeforeOrder && news.frame.state === MachineState.MACHINE_STATE_CONFIGURED;
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
    this.buried.set(machineId, { at: this.clock.now(), isKnown: seen.kind === 'frame' });
  }
}

function isDraining(news: News | undefined): boolean {
  return news?.kind === 'frame' && (news.frame.state === MachineState.MACHINE_STATE_DRAINING || news.wasDraining === true);
}

function isUnbound({ state }: NodeStateUpdate): boolean {
  return state === MachineState.MACHINE_STATE_IDLE || state === MachineState.MACHINE_STATE_SPECULATIVE || state === MachineState.MACHINE_STATE_DELETING;
}
