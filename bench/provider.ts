/** The `provider` suite: what the provider kit keeps when it is killed, and how fast it answers for large fleets. */
import { UsageError } from '../src/lib/usage-error.ts';
import { kill } from './provider/kill.ts';
import { scale } from './provider/scale.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

export const help = `shapes:
  kill   --samples times (default 50): SIGKILL at a random moment of 200 concurrent mutations, then a look whether any fence mark
         went back, any operation id was given twice, any binding was lost. Anything found is a failure
  20k    a fleet of 20,000 over a socket: full Lists, deltas, pages, Get and Create against the budgets of the conformance suite
         (B11xx), their results checked for size and content
  50k    the same with 50,000; the goal is that of the delta of 1 %, which is what a shard polls for

The provider is a process of its own (bigfleet provider certify), its state on the disk with a sync before each acknowledgement.`;

export async function run(options: BenchOptions): Promise<SuiteResult> {
  const shapes: Readonly<Record<string, (rows: BenchRow[], failures: string[]) => Promise<void>>> = {
    kill: (rows, failures) => kill(options, rows, failures),
    '20k': (rows, failures) => scale('20k', 20_000, options, rows, failures),
    '50k': (rows, failures) => scale('50k', 50_000, options, rows, failures),
  };
  const chosen = Object.entries(shapes).filter(([name]) => options.shape === undefined || name === options.shape);
  if (chosen.length === 0) throw new UsageError(`there is no shape "${options.shape}"; there are ${Object.keys(shapes).join(', ')}`);
  const rows: BenchRow[] = [];
  const failures: string[] = [];
  for (const [, measure] of chosen) await measure(rows, failures);
  return { rows, failures };
}
