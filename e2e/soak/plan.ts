import type { Random } from '../../src/lib/random.ts';

export const faultKinds = ['operator killed', 'shard killed', 'standby killed', 'provider killed', 'sessions dropped', 'cluster server paused', 'hub server paused'] as const;
export type FaultKind = (typeof faultKinds)[number];

export interface Fault {
  readonly kind: FaultKind;
  /** Since the soak began. */
  readonly atMs: number;
  /** How long what is killed or paused stays so. */
  readonly lastsMs: number;
  /** Which of the clusters, where there is a choice. */
  readonly cluster: number;
}

const FIRST_MS = 3_000;
const SPACING_MS = [3_000, 7_000] as const;
const DOWN_MS = [500, 3_000] as const;
const PAUSE_MS = [2_000, 5_000] as const;
/** Shorter than a Lease of the rig is worth (3 s): its holder lives on. */
const SHORT_PAUSE_MS = [1_000, 2_000] as const;
/** In the second half the processes of this cluster live on, and so does the shard that leads. */
export const SPARED_CLUSTER = 1;

const HALVES: readonly (readonly FaultKind[])[] = [
  ['operator killed', 'operator killed', 'shard killed', 'sessions dropped', 'cluster server paused', 'hub server paused'],
  ['operator killed', 'standby killed', 'provider killed', 'sessions dropped', 'cluster server paused', 'hub server paused'],
];

/**
 * What happens in `durationMs`, a fault every few seconds, each kind of a half as often as any other. A process that is killed
 * every minute cannot show that its memory stays flat: the provider lives through the first half, the shard that leads then
 * and the operator of one cluster through the second.
 */
export function planFaults(random: Random, durationMs: number): Fault[] {
  const between = ([from, to]: readonly [number, number]): number => Math.round(from + (to - from) * random());
  const faults: Fault[] = [];
  let bag: FaultKind[] = [];
  let bagOf = -1;
  for (let atMs = FIRST_MS; atMs < durationMs; atMs += between(SPACING_MS)) {
    const half = atMs < durationMs / 2 ? 0 : 1;
    if (bag.length === 0 || bagOf !== half) [bag, bagOf] = [[...HALVES[half]!], half];
    const [kind] = bag.splice(Math.floor(random() * bag.length), 1);
    const anyCluster = random() < 0.5 ? 0 : 1;
    const isSpared = half === 1 && (kind === 'hub server paused' || anyCluster === SPARED_CLUSTER);
    faults.push({
      kind: kind!, atMs, cluster: half === 1 && kind === 'operator killed' ? 1 - SPARED_CLUSTER : anyCluster,
      lastsMs: kind === 'sessions dropped' ? 0 : between(!kind!.endsWith('paused') ? DOWN_MS : isSpared ? SHORT_PAUSE_MS : PAUSE_MS),
    });
  }
  return faults;
}
