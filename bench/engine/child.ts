/** One shape in a process of its own: a clean heap. Prints its result as JSON on stdout, progress on stderr. */
import { pathToFileURL } from 'node:url';
import type * as EngineModule from '../../src/engine/engine.ts';
import { SHAPES } from './shapes/index.ts';
import type { ShapeRun } from './workbench.ts';

export interface ChildTask {
  readonly shape: string;
  readonly samples: number;
  readonly budgetMs: number;
  readonly slice: number;
}

const task = JSON.parse(process.argv[2] ?? '') as ChildTask;
const shape = SHAPES.find(({ name }) => name === task.shape);
if (shape === undefined) throw new Error(`there is no shape "${task.shape}"`);
const other = process.env['ENGINE_MODULE'];
const engine = (await import(other === undefined ? '../../src/engine/engine.ts' : pathToFileURL(other).href)) as typeof EngineModule;
const run: ShapeRun = { ...task, engine, progress: (line) => void process.stderr.write(`${line}\n`), rows: [], failures: [] };
await shape.measure(run);
process.stdout.write(JSON.stringify({ rows: run.rows, failures: run.failures }));
