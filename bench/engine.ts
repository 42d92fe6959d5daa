/** The `engine` suite: every shape in a process of its own, one after the other. */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { UsageError } from '../src/lib/usage-error.ts';
import type { ChildTask } from './engine/child.ts';
import type { Shape } from './engine/shape.ts';
import { SHAPES } from './engine/shapes/index.ts';
import type { BenchOptions, BenchRow, SuiteResult } from './suite.ts';

export const help = `shapes:
${SHAPES.map(({ name, about }) => `  ${name.padEnd(22)} ${about}`).join('\n')}

benches:
  engine/full         planInFull: nothing is kept from the last plan; facts and memory committed, actions not
  engine/unchanged    plan, a second later, after everything decided was committed and nothing changed
  engine/changed…     apply of the change and plan; what was decided is committed between samples, untimed
  engine/phase2       apply of new demand of high priority and plan; taken back between samples, untimed
  engine/stall        how long one turn of the event loop is held while 500,000 machines come in, are filed and planned for

figures:
  floorMs             one pass of a plain loop over every column that the work has to look at, in the same process just before
  ratioToFloor        p99Ms / floorMs
  bytesPerMachine     what the engine keeps, heap and array buffers, after loading, filing and one plan; identifiers included,
                      the caller's machine objects not; in engine/unchanged at rest, with everything committed
  decisionsPerSecond  (rows + machines credited to a row, acquired or otherwise acted on) / p50; of a plan after a
                      change, or after none, those that stand from the last plan are counted: they hold as decided now

ENGINE_MODULE=/path/to/engine.ts measures another build of the engine; BENCH_NODE_FLAGS='--cpu-prof' are flags of node for the
process of each shape.`;

export async function run(options: BenchOptions): Promise<SuiteResult> {
  const rows: BenchRow[] = [];
  const failures: string[] = [];
  for (const shape of shapesNamed(options.shape)) {
    options.progress(`— ${shape.name}: ${shape.about}`);
    const result = await inOwnProcess(shape, options);
    rows.push(...result.rows);
    failures.push(...result.failures);
    if (result.failures.length > 0) options.progress(`${shape.name}: ${result.failures.length} numbers are WRONG, see below`);
    if (options.signal.aborted) break;
  }
  return { rows, failures };
}

function shapesNamed(name: string | undefined): readonly Shape[] {
  if (name === undefined) return SHAPES;
  const exact = SHAPES.filter((shape) => shape.name === name);
  const family = exact.length > 0 ? exact : SHAPES.filter((shape) => shape.name.startsWith(`${name}-`));
  if (family.length === 0) throw new UsageError(`there is no shape "${name}"; there are ${SHAPES.map((s) => s.name).join(', ')}`);
  return family;
}

function inOwnProcess(shape: Shape, { samples, budgetSeconds, slice, signal }: BenchOptions): Promise<SuiteResult> {
  const task: ChildTask = { shape: shape.name, samples, budgetMs: budgetSeconds * 1000, slice };
  const asked = (process.env['BENCH_NODE_FLAGS'] ?? '').split(' ').filter(Boolean);
  const flags = [...asked, '--expose-gc', `--max-old-space-size=${shape.heapMb}`, fileURLToPath(new URL('./engine/child.ts', import.meta.url))];
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [...flags, JSON.stringify(task)], { stdio: ['ignore', 'pipe', 'inherit'], signal });
    let output = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => (output += text));
    child.on('error', (error) => resolve({ rows: [], failures: [`${shape.name}: ${error.message}`] }));
    child.on('close', (code, killed) => {
      if (code === 0) resolve(JSON.parse(output) as SuiteResult);
      else resolve({ rows: [], failures: [`${shape.name}: its process ended with ${killed ?? `code ${code}`}`] });
    });
  });
}
