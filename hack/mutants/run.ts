/**
 * Do the tests of the engine notice when one of its rules is broken? Breaks them one after the other, in a copy, and says
 * which test was first to object. `npm run mutants [-- --fast] [id…]`: --fast tries every third, ids only those named.
 * An objection counts only of a suite that is green on the untouched tree: the tables are run on it first, and of the
 * searches, which take minutes, in the end those that have objected.
 */
import { spawn } from 'node:child_process';
import { readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { judge, unproven } from './judge.ts';
import type { Objection, Outcome, Report } from './judge.ts';
import { MUTANTS } from './mutants.ts';
import type { Mutant } from './mutants.ts';
import { TreeCopy } from './tree-copy.ts';

/** Searches of random fleets: asked only when no table objects. */
const SLOW = ['properties.test.ts', 'preemption-properties.test.ts', 'gang-properties.test.ts', 'limit-properties.test.ts', 'broken-off.test.ts', 'incremental.test.ts', 'oscillation.test.ts'];
/** Says nothing about the rules. */
const UNRELATED = ['facts/id-index.test.ts'];
/** Far more than they need: whatever takes longer goes round in circles. */
const PATIENCE_MS = { tables: 40_000, searches: 300_000, untouchedSearches: 600_000 };

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
    console.error(`the tests fail already: ${whatIsWrong(untouched)}`);
    return 1;
  }
  const counts = { killed: 0, hangs: 0, timedOut: 0, survives: 0, broken: 0 };
  const objections: Objection[] = [];
  const started = Date.now();
  for (const mutant of chosen) {
    const at = Date.now();
    const result = await tryOut(mutant);
    const [kind, verdict] = verdictOn(mutant, result);
    counts[kind]++;
    if (result.killedBy !== undefined) objections.push(result.killedBy);
    console.log(`${mutant.id.padEnd(28)} ${mutant.rule.padEnd(66)} ${((Date.now() - at) / 1000).toFixed(1).padStart(5)} s  ${verdict}`);
  }
  const isProven = await areGreen(unproven(objections, SLOW, tables));
  const { killed, hangs, timedOut, survives, broken } = counts;
  console.log(`${chosen.length} mutants of ${MUTANTS.length}: ${killed} killed, ${hangs} hang as they are said to, ${timedOut} timed out, ${survives} survive, ${broken} broken, ${Math.round((Date.now() - started) / 1000)} s`);
  return isProven && killed + hangs === chosen.length && chosen.length > 0 ? 0 : 1;
}

function verdictOn({ hangs }: Mutant, { killedBy, broken, timedOut }: Outcome): readonly ['killed' | 'hangs' | 'timedOut' | 'survives' | 'broken', string] {
  if (killedBy !== undefined) return ['killed', killedBy.test];
  if (broken !== undefined) return ['broken', `BROKEN: ${broken}`];
  if (timedOut === undefined) return ['survives', 'SURVIVES'];
  return hangs === true ? ['hangs', 'hangs, as it is said to'] : ['timedOut', `TIMED OUT, mark it as hanging if it does: ${timedOut}`];
}

/** Nothing is proven by a suite that objects to the untouched tree as well. */
async function areGreen(suites: readonly string[]): Promise<boolean> {
  if (suites.length === 0) return true;
  const untouched = await run(suites, PATIENCE_MS.untouchedSearches);
  if (isSilent(untouched)) console.log(`green on the untouched tree: ${suites.join(', ')}`);
  else console.error(`of what has objected something fails on the untouched tree as well: ${whatIsWrong(untouched)}`);
  return isSilent(untouched);
}

function whatIsWrong({ killedBy, broken, timedOut }: Outcome): string {
  return killedBy?.test ?? broken ?? `took too long: ${timedOut ?? ''}`;
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
  if (!ended) return { timedOut: `all of it after ${patienceMs / 1000} s` };
  const outcome = judge(JSON.parse(readFileSync(output, 'utf8')) as Report, all);
  if (outcome !== undefined) return outcome;
  return isBailing ? run(tests, patienceMs, false) : { broken: 'a file whose tests did not begin, and nothing says why' };
}
