import { Registry } from 'prom-client';
import { beforeEach, expect, it } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { measureChange } from './change-metrics.ts';
import { Inventory } from './inventory.ts';
import { createShardMetrics } from './metrics.ts';
import type { MachineIntent, Operation, OperationKind } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

let clock: VirtualClock;
let inventory: Inventory;
let registry: Registry;

beforeEach(() => {
  clock = new VirtualClock();
  inventory = new Inventory(clock);
  registry = new Registry();
  const metrics = createShardMetrics(registry);
  inventory.onChange((change) => measureChange(change, metrics, clock));
});

const is = (...args: Parameters<typeof seen>): void => inventory.observe(seen(...args), inventory.mark());
const begun = (kind: OperationKind): Operation => ({ kind, operationId: '', startedAt: clock.now(), attempts: 1, lastError: '' });
const bind: () => MachineIntent = () => ({ kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: clock.now(), configureSent: true });

/** Sum and number of what was observed, or the count. */
async function measured(name: string): Promise<readonly (number | undefined)[]> {
  const { values } = await registry.getSingleMetric(`bigfleet_shard_${name}`)!.get();
  const of = (metricName: string): number | undefined => values.find((v) => (v as { metricName?: string }).metricName === `bigfleet_shard_${metricName}`)?.value;
  return name.endsWith('_seconds') ? [of(`${name}_sum`), of(`${name}_count`)] : [values[0]?.value];
}

it('a machine that is configured and drained is timed from the calls on, and from the decision on', async () => {
  is('m', 'Idle');
  inventory.setIntent('m', bind());
  await clock.advance(2_000);
  inventory.begin('m', begun('Configure'));
  inventory.end('m', { seen: seen('m', 'Configuring'), operationId: 'op' });
  await clock.advance(5_000);
  is('m', 'Configured');
  expect([await measured('configure_phase_seconds'), await measured('provisioning_latency_seconds')]).toEqual([[5, 1], [7, 1]]);
  inventory.setIntent('m', { kind: 'unbind', reason: '', graceSeconds: 0, preemptorPriority: 0, decidedAt: clock.now() });
  inventory.begin('m', begun('Drain'));
  await clock.advance(3_000);
  inventory.end('m', { seen: seen('m', 'Idle'), operationId: 'op' }); // at once, without a state between
  expect(await measured('drain_phase_seconds')).toEqual([3, 1]);
});

it('what began before this process is timed from where it was found; what failed, or was somebody else’s doing, is not', async () => {
  is('m', 'Configuring');
  is('failing', 'Configuring');
  is('theirs', 'Idle');
  await clock.advance(4_000);
  is('m', 'Configured');
  is('failing', 'Failed');
  is('theirs', 'Configured');
  is('theirs', 'Idle');
  expect([await measured('configure_phase_seconds'), await measured('drain_phase_seconds')]).toEqual([[4, 1], [0, 0]]);
});

it('a reclaim that the rails hold back counts once, until it is no longer', async () => {
  is('m', 'Configured');
  const capped = (rail: 'fraction' | 'perMinute'): void => inventory.explain('m', { code: 'ExcessCapped', cluster: 'east', rail });
  capped('fraction');
  capped('perMinute');
  expect(await measured('reclaims_capped_total')).toEqual([1]);
  inventory.explain('m', undefined);
  capped('fraction');
  expect(await measured('reclaims_capped_total')).toEqual([2]);
});
