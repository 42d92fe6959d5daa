/**
 * One per cent of 500,000 machines changes between two plans: in every cluster 20 machines are lost and come back Idle,
 * what was decided goes on through its states, and prices move. The next plan replaces exactly what was lost.
 */
import type { MachineState } from '../../../src/engine/types.ts';
import type { IntentKind } from '../fleet.ts';
import type { ChangeStep, Workbench } from '../workbench.ts';

const CHANGED = 5_000;
const LOST_PER_CLUSTER = 20;
const ADVANCED = 1_000;
const PURCHASES_ADVANCED = 200;

export function stepOf(bench: Workbench, index: number): ChangeStep {
  const { fleet } = bench;
  const clusters = fleet.clusters.length;
  const touched = new Set<number>();
  const move = (indices: readonly number[], state: MachineState, intent: IntentKind): void => {
    for (const i of indices) {
      fleet.set(i, state, intent, state === 'Idle' && intent === 'none' ? undefined : fleet.assignmentOf(i));
      touched.add(i);
    }
  };
  const files = filed(bench);
  // Each list was taken before anything moved: a machine takes one step at a time.
  move(files.configuring.slice(0, ADVANCED), 'Configured', 'none');
  move(files.idleDecided.slice(0, ADVANCED), 'Configuring', 'bindSent');
  move(files.creating.slice(0, PURCHASES_ADVANCED), 'Idle', 'bind');
  move(files.decided.slice(0, PURCHASES_ADVANCED), 'Creating', 'bind');
  for (const cluster of files.serving) move(pick(cluster, LOST_PER_CLUSTER, index), 'Idle', 'none');
  const lost = clusters * LOST_PER_CLUSTER;
  const rest = CHANGED - touched.size;
  const candidates = [...files.serving.flatMap((cluster) => pick(cluster, Math.ceil(rest / clusters), index + 7_919)), ...files.offered];
  for (const i of candidates) {
    if (touched.size === CHANGED) break;
    if (touched.has(i)) continue;
    // Three prices per kind, or every machine would end as a kind of its own.
    fleet.price[i] = fleet.kindOf(i).priceMicroUsdPerHour + 10_000 * (1 + ((index + i) % 2));
    touched.add(i);
  }
  if (touched.size !== CHANGED) throw new Error(`${touched.size} machines would change, not ${CHANGED}`);
  const list = [...touched];
  return {
    changes: [{ kind: 'machines', upserted: bench.machines(list), removed: [] }],
    touched: list,
    rows: bench.rowsOfDemand,
    expected: () => ({ actions: { Bootstrap: lost }, satisfied: 150, unmet: 0 }),
    after: (plan) => bench.commit(plan),
  };
}

interface Files {
  readonly configuring: number[];
  readonly idleDecided: number[];
  readonly creating: number[];
  readonly decided: number[];
  readonly offered: number[];
  /** By cluster. */
  readonly serving: number[][];
}

function filed({ fleet }: Workbench): Files {
  const files: Files = { configuring: [], idleDecided: [], creating: [], decided: [], offered: [], serving: Array.from({ length: fleet.clusters.length }, () => []) };
  for (let i = 0; i < fleet.size; i++) {
    const state = fleet.stateOf(i);
    const decided = fleet.intentOf(i) !== 'none';
    if (state === 'Configured') files.serving[fleet.owner[i] as number]?.push(i);
    else if (state === 'Configuring') files.configuring.push(i);
    else if (state === 'Creating') files.creating.push(i);
    else if (state === 'Idle' && decided) files.idleDecided.push(i);
    else if (state === 'Speculative') (decided ? files.decided : files.offered).push(i);
  }
  return files;
}

/** `count` machines spread over the list, others each time. */
function pick(from: readonly number[], count: number, seed: number): number[] {
  const stride = Math.floor(from.length / count);
  const start = (seed * 31) % stride;
  return Array.from({ length: count }, (_, n) => from[start + n * stride] as number);
}
