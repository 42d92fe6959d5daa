/** `npm run bench -- SUITE`: how fast the parts are, on shapes whose sizes and results are asserted. */
import { existsSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { UsageError } from '../src/lib/usage-error.ts';
import { benchReport, benchTable } from './report.ts';
import type { BenchOptions, Suite } from './suite.ts';

/** A suite is loaded only when it is asked for: `./NAME.ts` beside this file. */
const SUITES: Readonly<Record<string, string>> = {
  engine: 'the decision engine, up to 2.4 million machines',
  shard: 'stalls of a whole shard process with its provider, hub and operators, up to 500,000 machines; how fast it takes in changes',
  burst: 'many Pods at once on an empty cluster of real Kubernetes processes, and all machines given back afterwards',
  provider: 'the provider kit: what it keeps when it is killed, and how fast it answers for 20,000 and 50,000 machines',
  rollup: 'an operator with 100,000 requests: the message that reports them, cold and after changes',
  policy: 'what the policies on demand and disruption cost and bring, on a recorded trace',
};

const USAGE = `usage: npm run bench -- SUITE [flags]

  --shape NAME      one shape, or a family of shapes by its first words (cycle-steady)
  --samples N       samples per row (default 50)
  --budget SECONDS  most that a row may spend on samples (default 30; at least 3 samples are taken)
  --slice N         machines per slice where a suite loads in slices (default 2000)
  --trace DIR       a trace, for suites that play one
  --pods N          Pods, for suites that submit some
  --pod-demand HOW  direct or requests: how Pods become demand, for the same suites
  --gate            a missed goal fails the run (a full plan of aggregated-500k only from 200 ms on)
  -o json           one BenchReport on stdout; progress and table on stderr
  -h, --help

exit code: 0 · 1 an input or a decision was not what it must be, or with --gate a goal was missed · 2 usage`;

process.exitCode = await main(process.argv.slice(2));

async function main(argv: readonly string[]): Promise<number> {
  try {
    return await bench(argv);
  } catch (error) {
    const usage = error instanceof UsageError || (error instanceof TypeError && 'code' in error && String(error.code).startsWith('ERR_PARSE_ARGS'));
    process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
    if (usage) process.stderr.write('(--help says what there is)\n');
    return usage ? 2 : 1;
  }
}

async function bench(argv: readonly string[]): Promise<number> {
  const { values, positionals } = parseArgs({
    args: [...argv],
    allowPositionals: true,
    options: {
      shape: { type: 'string' },
      samples: { type: 'string', default: '50' },
      budget: { type: 'string', default: '30' },
      slice: { type: 'string', default: '2000' },
      trace: { type: 'string' },
      pods: { type: 'string' },
      'pod-demand': { type: 'string' },
      gate: { type: 'boolean', default: false },
      output: { type: 'string', short: 'o', default: 'text' },
      help: { type: 'boolean', short: 'h', default: false },
    },
  });
  const [name, ...rest] = positionals;
  if (name === undefined) {
    process.stdout.write(`${values.help ? `${USAGE}\n\n` : ''}suites:\n${listOfSuites()}\n`);
    return 0;
  }
  if (rest.length > 0) throw new UsageError(`one suite at a time; leave out "${rest.join(' ')}"`);
  if (values.output !== 'json' && values.output !== 'text') throw new UsageError(`--output must be json or text, is "${values.output}"`);
  const podDemand = podDemandOf(values['pod-demand']);
  const options = {
    ...(values.shape !== undefined && { shape: values.shape }),
    ...(values.trace !== undefined && { trace: values.trace }),
    ...(values.pods !== undefined && { pods: atLeast(1, 'pods', values.pods) }),
    ...(podDemand !== undefined && { podDemand }),
    samples: atLeast(3, 'samples', values.samples),
    budgetSeconds: atLeast(1, 'budget', values.budget),
    slice: atLeast(1, 'slice', values.slice),
  };
  const suite = await load(name);
  if (values.help) {
    process.stdout.write(`${USAGE}\n${suite.help === undefined ? '' : `\n${suite.help}\n`}`);
    return 0;
  }
  return report(suite, options, values.output === 'json', values.gate);
}

async function report(suite: Suite, given: Omit<BenchOptions, 'progress' | 'signal'>, json: boolean, gate: boolean): Promise<number> {
  const stop = new AbortController();
  for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stop.abort(new Error(`stopped by ${signal}`)));
  const progress = (line: string): void => void process.stderr.write(`${line}\n`);
  const { rows, failures } = await suite.run({ ...given, progress, signal: stop.signal });
  (json ? process.stderr : process.stdout).write(`\n${(suite.table ?? benchTable)(rows)}\n`);
  if (json) process.stdout.write(`${JSON.stringify(benchReport(rows, failures), null, 2)}\n`);
  for (const failure of failures) process.stderr.write(`WRONG: ${failure}\n`);
  const failed = rows.flatMap((row) => row.goals ?? []).filter(({ met, passes = met }) => !passes).length;
  return failures.length > 0 || rows.length === 0 || (gate && failed > 0) ? 1 : 0;
}

async function load(name: string): Promise<Suite> {
  const file = new URL(`./${name}.ts`, import.meta.url);
  if (!Object.hasOwn(SUITES, name) || !existsSync(file)) throw new UsageError(`there is no suite "${name}"; there are:\n${listOfSuites()}`);
  return (await import(file.href)) as Suite;
}

function listOfSuites(): string {
  return Object.entries(SUITES)
    .filter(([name]) => existsSync(new URL(`./${name}.ts`, import.meta.url)))
    .map(([name, what]) => `  ${name.padEnd(10)} ${what}`)
    .join('\n');
}

function podDemandOf(text: string | undefined): BenchOptions['podDemand'] {
  if (text !== undefined && text !== 'direct' && text !== 'requests') throw new UsageError(`--pod-demand must be direct or requests, is "${text}"`);
  return text;
}

function atLeast(least: number, flag: string, text: string): number {
  const value = Number(text);
  if (!Number.isInteger(value) || value < least) throw new UsageError(`--${flag} must be a whole number of at least ${least}, is "${text}"`);
  return value;
}
