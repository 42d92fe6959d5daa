import type { Command } from 'commander';
import { outputFormat, printJson } from './engine-plan.ts';

const help = `
What it does:
  Decides again from what was known, and, if the file carries the plan that was made of it, says whether both are equal byte
  for byte. If they are not, this version of the engine decides differently, or what it decided from was not all in the file.

Examples:
  bigfleet engine replay now.snap
  bigfleet engine replay incident.snap -o json > decided-again.json

Exit codes: 0 replayed, and equal if there was a plan · 1 the plan differs, or it could not · 2 wrong flags, or the file is
missing, damaged or not a snapshot`;

export function register(engine: Command): void {
  engine
    .command('replay')
    .description('decide again from a snapshot, and compare with the plan in it')
    .argument('<file>', 'a snapshot, JSON or compressed')
    .option('-o, --output <format>', 'table or json', 'table')
    .addHelpText('after', help)
    .action(run);
}

async function run(file: string, flags: { output: string }): Promise<void> {
  const format = outputFormat(flags.output);
  const [{ readSnapshotFile }, { planOnce }, { formatPlan, formatReport, planReport }, { firstDifference }, { planTable }] = await Promise.all([
    import('./engine-file.ts'),
    import('../engine/engine.ts'),
    import('../snapshot/plan-report.ts'),
    import('../snapshot/plan-diff.ts'),
    import('./engine-output.ts'),
  ]);
  const { at, snapshot, plan: made } = await readSnapshotFile(file);
  const plan = planOnce(snapshot, at);
  const report = planReport(plan);
  if (format === 'json') printJson(report);
  else process.stdout.write(`${planTable(report)}\n`);
  if (made === undefined) {
    process.stderr.write(`${file}: carries no plan to compare with\n`);
    return;
  }
  const difference = firstDifference(formatReport(made), formatPlan(plan));
  if (difference === undefined) {
    process.stderr.write(`${file}: the plan that was made is equal, byte for byte\n`);
    return;
  }
  process.stderr.write(`${file}: the plan that was made differs; the first difference:\n  made:     ${difference.a}\n  replayed: ${difference.b}\n`);
  process.exitCode = 1;
}
