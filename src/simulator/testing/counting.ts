import type { ActionKind } from '../../engine/types.ts';
import type { Simulator, Tick } from '../simulator.ts';

/** Actions of all ticks, by kind; kinds that did not occur are left out. */
export function totals(ticks: readonly Tick[]): Partial<Record<ActionKind, number>> {
  const sums: Partial<Record<ActionKind, number>> = {};
  for (const { actions } of ticks) {
    for (const kind of Object.keys(actions) as ActionKind[]) if (actions[kind] > 0) sums[kind] = (sums[kind] ?? 0) + actions[kind];
  }
  return sums;
}

export function total(ticks: readonly Tick[], ...kinds: readonly ActionKind[]): number {
  const sums = totals(ticks);
  return kinds.reduce((sum, kind) => sum + (sums[kind] ?? 0), 0);
}

/** The cycles in which an action of this kind was decided. */
export function cyclesOf(ticks: readonly Tick[], kind: ActionKind): number[] {
  return ticks.filter((tick) => tick.actions[kind] > 0).map((tick) => tick.cycle);
}

/** What a fleet at rest looks like, for the last ticks: nothing is decided, and as many Needs wait all the time. */
export function restOf(ticks: readonly Tick[], tail: number): { readonly actions: ReturnType<typeof totals>; readonly shortfalls: readonly number[]; readonly probe: number } {
  const last = ticks.slice(-tail);
  return {
    actions: totals(last),
    shortfalls: [...new Set(last.map((tick) => tick.shortfalls))],
    probe: last.reduce((sum, tick) => sum + tick.reclaimedThoughWanted, 0),
  };
}

export function boundShare({ bound, live }: Tick): number {
  return live === 0 ? 1 : bound / live;
}

export function lastOf(ticks: readonly Tick[]): Tick {
  const last = ticks.at(-1);
  if (last === undefined) throw new Error('no tick was made');
  return last;
}

/** Bound and waiting Pods of a cluster, of one template group or all. */
export function membersBound(sim: Simulator, cluster: string, which: (gangKey: string) => boolean): { readonly bound: number; readonly waiting: number } {
  const pods = [...sim.clusterOf(cluster).pods.values()].filter((pod) => which(pod.template.gangKey));
  const bound = pods.filter((pod) => pod.machine !== undefined).length;
  return { bound, waiting: pods.length - bound };
}
