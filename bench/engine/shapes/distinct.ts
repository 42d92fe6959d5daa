/** Thousands of demands in one cluster, each with a machine of its own: jobs that nobody has aggregated. */
import type { Change, Need } from '../../../src/engine/types.ts';
import { Ask, profile, typeIn } from '../demand.ts';
import type { Shape } from '../shape.ts';
import { Workbench } from '../workbench.ts';
import { fullFleet, TYPES, UNIT } from './phases.ts';

const TYPE = TYPES[0];
const low = new Ask(profile([typeIn(TYPE)], { priority: 100 }), UNIT);
const high = new Ask(profile([typeIn(TYPE)], { priority: 1_000_000 }), UNIT);
const jobs = (ask: Ask, cluster: string, n: number): Need[] => Array.from({ length: n }, (_, i) => ask.need(cluster, 1, `job-${i}`));

const CLUSTERS = 5;
const JOBS = 10_000;
const SERVING = 1_000;
const NEWCOMERS = 200;
const URGENT = 'kwok-cluster-urgent';

export const DISTINCT: readonly Shape[] = [
  {
    name: 'distinct-50k',
    about: '5 clusters × 10,000 demands with a machine each: nothing is to be done',
    heapMb: 4_000,
    measure: (run) => {
      const fleet = fullFleet({ clusters: CLUSTERS, perCluster: JOBS, types: [TYPE], ask: () => low, group: (i) => `job-${i}` });
      const needs = new Map(Array.from({ length: CLUSTERS }, (_, c) => [`kwok-cluster-${c}`, jobs(low, `kwok-cluster-${c}`, JOBS)]));
      const bench = new Workbench(run, fleet, needs);
      bench.assertInputs('machines by state', fleet.countByState(), { Configured: CLUSTERS * JOBS });
      bench.assertInputs('rows', bench.needCount, CLUSTERS * JOBS);
      bench.load();
      bench.full({ actions: {}, satisfied: CLUSTERS * JOBS, unmet: 0 });
    },
  },
  {
    name: 'distinct-preemption',
    about: '1,000 demands of one cluster with a machine each; 200 others at a higher priority lack one machine each: 200 Preempts',
    heapMb: 4_000,
    measure: (run) => {
      const fleet = fullFleet({ clusters: 1, perCluster: SERVING, types: [TYPE], ask: () => low, group: (i) => `job-${i}` });
      const urgent = jobs(high, URGENT, NEWCOMERS);
      const bench = new Workbench(run, fleet, new Map([['kwok-cluster-0', jobs(low, 'kwok-cluster-0', SERVING)], [URGENT, urgent]]));
      bench.assertInputs('machines by state', fleet.countByState(), { Configured: SERVING });
      bench.assertInputs('rows', bench.needCount, SERVING + NEWCOMERS);
      bench.load();
      const change = (needs: Need[]): Change => ({ kind: 'needs', cluster: URGENT, needs });
      const withoutThem = (): void => {
        bench.engine.apply(change([]));
        bench.rest();
      };
      withoutThem();
      bench.changed('engine/preempt', () => ({
        changes: [change(urgent)],
        touched: Array.from({ length: fleet.size }, (_, i) => i),
        rows: bench.rowsOfDemand,
        expected: () => ({ actions: { Preempt: NEWCOMERS }, satisfied: SERVING - NEWCOMERS, unmet: 2 * NEWCOMERS }),
        after: withoutThem,
      }));
    },
  },
];
