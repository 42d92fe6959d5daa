import type { Command } from 'commander';
import { outputFormat, printJson } from './engine-plan.ts';

const help = `
What it does:
  Compares two plans: actions, verdicts on needs, reasons of machines, what is remembered. Of a snapshot the plan is worked
  out first; a plan is what \`bigfleet engine plan -o json\` printed.

Examples:
  bigfleet engine diff before.snap after.snap
  bigfleet engine plan -f now.snap -o json > a.json; bigfleet engine diff a.json now.snap

Exit codes: 0 equal · 1 different, or it could not · 2 wrong flags, or a file is missing, damaged or neither of both`;

export function register(engine: Command): void {
  engine
    .command('diff')
    .description('where two plans differ, given as snapshots or as plans')
    .argument('<a>', 'a snapshot or a plan')
    .argument('<b>', 'a snapshot or a plan')
    .option('-o, --output <format>', 'table or json', 'table')
    .addHelpText('after', help)
    .action(run);
}

async function run(a: string, b: string, flags: { output: string }): Promise<void> {
  const format = outputFormat(flags.output);
  const [{ readEngineFile }, { planOnce }, { planReport }, { diffPlans }, { differenceTable }] = await Promise.all([
    import('./engine-file.ts'),
    import('../engine/engine.ts'),
    import('../snapshot/plan-report.ts'),
    import('../snapshot/plan-diff.ts'),
    import('./engine-output.ts'),
  ]);
  const [before, after] = (await Promise.all([readEngineFile(a), readEngineFile(b)])).map((read) => ('snapshot' in read ? planReport(planOnce(read.snapshot, read.at)) : read));
  if (before === undefined || after === undefined) throw new Error('two files were read');
  const differences = diffPlans(before, after);
  if (format === 'json') printJson(differences);
  else process.stdout.write(`${differenceTable(differences, a, b)}\n`);
  if (differences.length > 0) process.exitCode = 1;
}
