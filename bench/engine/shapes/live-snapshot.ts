/**
 * `engine/snapshot`: what a shard does for `bigfleet engine snapshot` while it serves others: the facts are captured in the
 * turn of a plan, then become a report and a text, a step per turn. Every sample is one step: the longest is how long it
 * keeps the event loop, the collections of garbage that fall into it included.
 */
import { formatInSteps } from '../../../src/snapshot/format.ts';
import { reportInSteps } from '../../../src/snapshot/plan-report.ts';
import { quantile, spreadOf, timed } from '../measure.ts';
import type { Workbench } from '../workbench.ts';

export function measureSnapshot(bench: Workbench): void {
  const { engine, now } = bench;
  const plan = engine.plan(now);
  const { ms: captureMs, result: facts } = timed(() => engine.capture());
  const times = [captureMs];
  const run = <T>(steps: Generator<unknown, T>, seen: (step: unknown) => void = () => undefined): T => {
    for (;;) {
      const { ms, result } = timed(() => steps.next());
      times.push(ms);
      if (result.done === true) return result.value;
      seen(result.value);
    }
  };
  const report = run(reportInSteps({ ...plan, machineReasons: facts.machineReasons }, false));
  const rest = run(facts.rest());
  let characters = 0;
  run(formatInSteps({ ...rest, machines: facts.machines }, now, report), (text) => (characters += (text as string).length));
  bench.assertInputs('machines in the snapshot', [...facts.machines].length, bench.fleet.size);
  bench.row('engine/snapshot', times, captureMs, plan, { decisionsPerSecond: undefined, captureMs, characters, totalMs: Math.round(times.reduce((sum, ms) => sum + ms, 0)), p999Ms: quantile(times, 0.999) });
  bench.run.progress(`${bench.run.shape}: engine/snapshot captured in ${captureMs.toFixed(1)} ms, longest step ${spreadOf(times).maxMs.toFixed(1)} ms`);
}
