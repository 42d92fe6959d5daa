import { existsSync, readFileSync, readdirSync, statSync } from 'node:fs';
import { join } from 'node:path';
import { UsageError } from '../../lib/usage-error.ts';
import type { DemandPlan } from '../demand/plan.ts';
import type { SeedInstance } from '../seed-instance.ts';
import { readTraceMachines } from './machines.ts';
import { readTraceDemand } from './pods.ts';
import type { TraceDemandOptions } from './pods.ts';

export interface Trace {
  readonly machines: readonly SeedInstance[];
  readonly demand: DemandPlan;
}

/**
 * Reads a trace folder: one CSV file with `node` and one with `pod` in its name. Throws a UsageError naming file, line
 * and column at the first defect.
 */
export function readTrace(folder: string, options: TraceDemandOptions): Trace {
  const nodeFile = theFile(folder, 'node');
  const podFile = theFile(folder, 'pod');
  return {
    machines: readTraceMachines(nodeFile, contentOf(nodeFile)),
    demand: readTraceDemand(podFile, contentOf(podFile), options),
  };
}

function theFile(folder: string, what: 'node' | 'pod'): string {
  if (!existsSync(folder) || !statSync(folder).isDirectory()) throw new UsageError(`--trace: expected a folder, found none at ${folder}`);
  const found = readdirSync(folder).filter((name) => name.endsWith('.csv') && name.includes(what));
  const [only] = found;
  if (only === undefined || found.length > 1) {
    throw new UsageError(`--trace ${folder}: expected exactly one CSV file with "${what}" in its name, found ${found.length === 0 ? 'none' : found.join(', ')}`);
  }
  return join(folder, only);
}

function contentOf(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    const found = code === 'EISDIR' ? 'a folder' : `none that can be read (${code ?? String(error)})`;
    throw new UsageError(`--trace: expected a CSV file at ${file}, found ${found}`);
  }
}
