import type { Command } from 'commander';
import { UsageError } from '../lib/usage-error.ts';
import type { SnapshotDocument } from '../snapshot/parse.ts';

interface PlanFlags {
  file: string;
  set: string[];
  price: string[];
  demand: string[];
  withoutSession: string[];
  compare?: boolean;
  output: string;
}

const help = `
What if:
  Each flag may be repeated. They change the snapshot before it is planned; the file stays as it is. --set policy.holds={...} and
  policy.limits={...} change what they name and leave the rest; null is as if a field were left out: policy.limits.machines=null
  takes that limit off.

Examples:
  bigfleet engine plan -f now.snap
  bigfleet engine plan -f now.snap --set policy.reclaimCapFraction=0.1 --set policy.limits.machines=500 --compare
  bigfleet engine plan -f now.snap --price m5.large=120000 --demand prod=1.5 --without-session staging
  bigfleet engine plan -f now.snap --set at=2027-01-15T08:30:00Z -o json

Exit codes: 0 planned · 1 could not · 2 wrong flags, or the file is missing, damaged or not a snapshot`;

export function register(engine: Command): void {
  engine
    .command('plan')
    .description('what the engine decides from a snapshot, or would decide if something were different')
    .requiredOption('-f, --file <file>', 'a snapshot, JSON or compressed')
    .option('--set <field=value>', 'a field of the policy (policy.FIELD=VALUE), supplyTrusted=true|false, or at=TIME', collect, [])
    .option('--price <type=microusd>', 'what every machine of an instance type costs per hour, in micro-USD', collect, [])
    .option('--demand <cluster=factor>', "a cluster's demand, times a factor", collect, [])
    .option('--without-session <cluster>', 'as if the cluster were not connected', collect, [])
    .option('--compare', 'print only what differs from the plan without these changes')
    .option('-o, --output <format>', 'table or json', 'table')
    .addHelpText('after', help)
    .action(run);
}

function collect(value: string, before: string[]): string[] {
  return [...before, value];
}

/** Throws a UsageError for anything but `table` and `json`. */
export function outputFormat(text: string): 'table' | 'json' {
  if (text !== 'table' && text !== 'json') throw new UsageError(`-o: "${text}" is not a format; write table or json`);
  return text;
}

export function printJson(value: unknown): void {
  process.stdout.write(`${JSON.stringify(value, undefined, 2)}\n`);
}

async function run(flags: PlanFlags): Promise<void> {
  const format = outputFormat(flags.output);
  const [{ readSnapshotFile }, { whatIf }, { planOnce }, { planReport }, { diffPlans }, { planTable, differenceTable }, { SnapshotError }] = await Promise.all([
    import('./engine-file.ts'),
    import('../snapshot/what-if.ts'),
    import('../engine/engine.ts'),
    import('../snapshot/plan-report.ts'),
    import('../snapshot/plan-diff.ts'),
    import('./engine-output.ts'),
    import('../snapshot/reader.ts'),
  ]);
  const known = await readSnapshotFile(flags.file);
  const changed = (): SnapshotDocument => {
    try {
      return whatIf(known, flags);
    } catch (error) {
      throw error instanceof SnapshotError ? new UsageError(error.message) : error;
    }
  };
  const asIf = changed();
  const report = planReport(planOnce(asIf.snapshot, asIf.at));
  if (flags.compare !== true) {
    if (format === 'json') printJson(report);
    else process.stdout.write(`${planTable(report)}\n`);
    return;
  }
  const differences = diffPlans(planReport(planOnce(known.snapshot, known.at)), report);
  if (format === 'json') printJson(differences);
  else process.stdout.write(`${differenceTable(differences, 'as it is', 'as if')}\n`);
}
