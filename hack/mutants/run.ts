/**
 * Do the tests of the engine notice when one of its rules is broken? Breaks them one after the other, in a copy, and says
 * which test was first to object. `npm run mutants [-- --fast] [id…]`: --fast tries every third, ids only those named.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { basename, join } from 'node:path';
import { MUTANTS } from './mutants.ts';
import type { Mutant } from './mutants.ts';
import { TreeCopy } from './tree-copy.ts';

/** Searches of random fleets: asked only when no table objects. */
const SLOW = ['properties.test.ts', 'preemption-properties.test.ts', 'gang-properties.test.ts', 'limit-properties.test.ts', 'broken-off.test.ts', 'incremental.test.ts', 'oscillation.test.ts'];
/** Says nothing about the rules. */
const UNRELATED = ['facts/id-index.test.ts'];
/** Far more than they need: whatever takes longer goes round in circles. */
const PATIENCE_MS = { tables: 40_000, searches: 300_000 };

interface Outcome {
  readonly killedBy?: string;
  /** The tests could not even begin: no rule was broken but the file. */
  readonly broken?: string;
  /** It was given up before any test had objected: it may hang, or the machine may be slow. */
  readonly timedOut?: true;
}

interface Report {
  readonly testResults: readonly {
    readonly name: string;
    readonly status: string;
    readonly message: string;
    readonly assertionResults: readonly { readonly status: string; readonly fullName: string }[];
  }[];
}

const root = process.cwd();
const tree = new TreeCopy(root, ['src', 'package.json', 'tsconfig.json', 'vitest.config.ts', join('hack', 'seeded.ts')]);
const copy = tree.root;

const engine = join('src', 'engine');
const all = readdirSync(join(copy, engine), { recursive: true }).map((file) => String(file).replaceAll('\\', '/')).filter((file) => file.endsWith('.test.ts'));
const tables = all.filter((file) => !SLOW.includes(file) && !UNRELATED.includes(file));

const HELP = `Breaks the rules of the engine one after the other, in a copy, and says which test is first to object.

  npm run mutants                  every rule; exit code 0 if all of them are noticed
  npm run mutants -- ID…           only these
  npm run mutants -- --fast        every third
  npm run mutants -- --list        their ids, files and rules; breaks nothing
`;

process.exitCode = await main(process.argv.slice(2));

async function main(args: readonly string[]): Promise<number> {
  const flags = args.filter((arg) => arg.startsWith('-'));
  const named = args.filter((arg) => !arg.startsWith('-'));
  const unknown = [...flags.filter((flag) => !['--fast', '--list', '--help', '-h'].includes(flag)), ...named.filter((id) => !MUTANTS.some((mutant) => mutant.id === id))];
  if (unknown.length > 0) {
    console.error(`${unknown.join(', ')}: neither a flag nor the id of a mutant; --help shows the flags, --list the ids`);
    return 2;
  }
  if (flags.includes('--help') || flags.includes('-h')) {
    console.log(HELP);
    return 0;
  }
  const chosen = MUTANTS.filter(({ id }, i) => (named.length === 0 || named.includes(id)) && (!flags.includes('--fast') || i % 3 === 0));
  if (flags.includes('--list')) {
    for (const { id, file, rule } of chosen) console.log(`${id.padEnd(28)} ${file.padEnd(28)} ${rule}`);
    return 0;
  }
  const untouched = await run(tables, PATIENCE_MS.tables);
  if (!isSilent(untouched)) {
    console.error(`the tests fail already: ${untouched.killedBy ?? untouched.broken ?? 'they take too long'}`);
    return 1;
  }
  const counts = { killed: 0, hangs: 0, timedOut: 0, survives: 0, broken: 0 };
  const started = Date.now();
  for (const mutant of chosen) {
    const at = Date.now();
    const result = await tryOut(mutant);
    const [kind, verdict] = verdictOn(mutant, result);
    counts[kind]++;
    console.log(`${mutant.id.padEnd(28)} ${mutant.rule.padEnd(66)} ${((Date.now() - at) / 1000).toFixed(1).padStart(5)} s  ${verdict}`);
  }
  const { killed, hangs, timedOut, survives, broken } = counts;
  console.log(`${chosen.length} mutants of ${MUTANTS.length}: ${killed} killed, ${hangs} hang as they are said to, ${timedOut} timed out, ${survives} survive, ${broken} broken, ${Math.round((Date.now() - started) / 1000)} s`);
  return killed + hangs === chosen.length && chosen.length > 0 ? 0 : 1;
}

function verdictOn({ hangs }: Mutant, { killedBy, broken, timedOut }: Outcome): readonly ['killed' | 'hangs' | 'timedOut' | 'survives' | 'broken', string] {
  if (killedBy !== undefined) return ['killed', killedBy];
  if (broken !== undefined) return ['broken', `BROKEN: ${broken}`];
  if (timedOut !== true) return ['survives', 'SURVIVES'];
  return hangs === true ? ['hangs', 'hangs, as it is said to'] : ['timedOut', 'TIMED OUT: mark it as hanging if it does'];
}

function isSilent({ killedBy, broken, timedOut }: Outcome): boolean {
  return killedBy === undefined && broken === undefined && timedOut === undefined;
}

function tryOut({ file, find, replace }: Mutant): Promise<Outcome> {
  return tree.changed({ file: join(engine, file), find, replace }, async (): Promise<Outcome> => {
    const quick = await run(tables, PATIENCE_MS.tables);
    return isSilent(quick) ? await run(SLOW, PATIENCE_MS.searches) : quick;
  });
}

async function run(tests: readonly string[], patienceMs: number, isBailing = true): Promise<Outcome> {
  const output = join(copy, 'report.json');
  rmSync(output, { force: true });
  const vitest = join(root, 'node_modules', 'vitest', 'vitest.mjs');
  const args = [vitest, 'run', '--root', copy, ...(isBailing ? ['--bail', '1'] : []), '--no-isolate', '--reporter', 'json', '--outputFile', output, ...tests.map((test) => `${engine}/${test}`)];
  const ended = await new Promise<boolean>((resolve) => {
    const child = spawn(process.execPath, args, { cwd: copy, stdio: 'ignore', env: { ...process.env, SHRINK: '0' } });
    const timer = setTimeout(() => child.kill('SIGKILL'), patienceMs);
    child.on('error', () => resolve(false));
    child.on('exit', (_, signal) => {
      clearTimeout(timer);
      resolve(signal === null);
    });
  });
  if (!ended) return { timedOut: true };
  const { testResults } = JSON.parse(readFileSync(output, 'utf8')) as Report;
  const [objection] = testResults.flatMap(({ assertionResults }) => assertionResults.filter(({ status }) => status === 'failed'));
  if (objection !== undefined) return { killedBy: objection.fullName };
  const stopped = testResults.find(({ status }) => status === 'failed');
  if (stopped === undefined) return {};
  const why = stopped.message.split('\n')[0] ?? '';
  // Cut off by the first objection, which may be lost with the file that made it.
  if (isBailing && why === '' && stopped.assertionResults.length === 0) return run(tests, patienceMs, false);
  return stopped.assertionResults.length === 0 ? { broken: why } : { killedBy: `${basename(stopped.name)} as a whole ${why}`.trim() };
}
