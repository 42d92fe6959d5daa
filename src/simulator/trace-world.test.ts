import { describe, expect, it } from 'vitest';
import { seededRandom } from '../lib/random.ts';
import { seedInstance } from '../world/seed-instance.ts';
import type { PlannedPod } from '../world/demand/plan.ts';
import type { Trace } from '../world/trace/read-trace.ts';
import { playTrace } from './trace-world.ts';
import type { TraceOutcome, TracePolicy } from './trace-world.ts';

/** Small machines and a few large ones; mostly small Pods, now and then one that needs a large machine. */
function smallTrace(): Trace {
  const random = seededRandom(11);
  const machines = Array.from({ length: 120 }, (_, i) => {
    const cores = i % 30 === 0 ? 64 : 8;
    return seedInstance({
      id: `m${String(i).padStart(3, '0')}`, instanceType: `c${cores}`, zone: 'zone-a', capacityType: i % 3 === 0 ? 'BareMetal' : 'OnDemand', labels: {},
      onDemandMicroUsdPerHour: cores * 30_000, resources: { cpu: String(cores), memory: `${cores * 4}Gi` },
    });
  });
  const steps = Array.from({ length: 1_200 }, (_, i): PlannedPod => {
    const cores = i % 40 === 0 ? 32 : 1 + Math.floor(random() * 3);
    return {
      kind: 'pod', atMs: i * 50, cluster: `cluster-${1 + (i % 2)}`, name: `p${i}`, lifeMs: 4_000 + Math.floor(random() * 10_000), priority: 100,
      requests: { cpu: String(cores), memory: `${cores}Gi` },
    };
  });
  return { machines, demand: { source: 'trace', clusters: 2, steps } };
}

const bare: TracePolicy = { unitClasses: false, busyFirst: false, patienceMs: 0, allowances: false };
const p99 = ({ waitsMs }: TraceOutcome): number => waitsMs[Math.floor(waitsMs.length * 0.99)] ?? NaN;

describe('a trace in the simulator', () => {
  const rows = playTrace(smallTrace(), bare);
  const classes = playTrace(smallTrace(), { ...bare, unitClasses: true });
  const busy = playTrace(smallTrace(), { ...bare, unitClasses: true, busyFirst: true });
  const patient = playTrace(smallTrace(), { ...bare, unitClasses: true, busyFirst: true, patienceMs: 10_000 });

  it.each([['one row per profile', rows], ['unit classes', classes], ['busy first', busy], ['patience', patient]])('%s: every Pod lives its life, every machine goes back', (_, outcome) => {
    expect(outcome).toMatchObject({ pods: 1_200, finished: 1_200, pendingAtEnd: 0, machinesAtEnd: 0 });
    expect(outcome.waitsMs).toHaveLength(1_200 + outcome.evictions);
    expect(outcome.podsPeak).toBeGreaterThan(100);
  });

  it('shows what each decision is for (D2, D13, D32)', () => {
    expect(p99(classes)).toBeLessThan(p99(rows));
    expect(busy.evictions).toBeLessThan(classes.evictions);
    expect(patient.evictions).toBeLessThan(busy.evictions);
  });

  it('gives the same outcome again', () => {
    expect(playTrace(smallTrace(), bare)).toEqual(rows);
  });
});
