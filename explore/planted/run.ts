import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { TreeCopy } from '../../hack/mutants/tree-copy.ts';
import type { ExploreReport } from '../explore.ts';
import { PLANTED_BUGS } from './bugs.ts';
import type { PlantedBug } from './bugs.ts';

export interface PlantedOutcome {
  readonly id: string;
  readonly promise: string;
  /** The seed that found it, and what was found. */
  readonly seed?: number;
  readonly violation?: string;
  /** Worlds played until then. */
  readonly worlds: number;
  readonly seconds: number;
  /** The defect could not be planted, or the explorer itself failed. */
  readonly broken?: string;
}

const root = fileURLToPath(new URL('../..', import.meta.url));

/** Plants one defect after the other in a copy of the sources and explores it, until some world fails. */
export async function findPlanted(options: { readonly seeds: number; readonly from: number; readonly workers: number; readonly only: readonly string[] }, onOutcome: (outcome: PlantedOutcome) => void): Promise<readonly PlantedOutcome[]> {
  const tree = new TreeCopy(root, ['src', 'explore', 'hack', 'config', 'package.json', 'tsconfig.json']);
  const outcomes: PlantedOutcome[] = [];
  for (const bug of PLANTED_BUGS) {
    if (options.only.length > 0 && !options.only.includes(bug.id)) continue;
    const found = await tree.changed(bug, () => exploreCopy(tree.root, bug, options));
    const outcome = outcomeOf(bug, found);
    outcomes.push(outcome);
    onOutcome(outcome);
  }
  return outcomes;
}

function outcomeOf({ id, promise }: PlantedBug, found: ExploreReport | { readonly broken: string }): PlantedOutcome {
  if ('broken' in found) return { id, promise, worlds: 0, seconds: 0, broken: found.broken };
  const { worlds, seconds, failed: [first] } = found;
  return { id, promise, worlds, seconds, ...(first && { seed: first.seed, violation: first.violations[0] ?? '' }) };
}

function exploreCopy(copy: string, { foundBy }: PlantedBug, { seeds, from, workers }: { readonly seeds: number; readonly from: number; readonly workers: number }): Promise<ExploreReport | { readonly broken: string }> {
  const args = ['explore/main.ts', '--seeds', String(seeds), '--from', String(from), '--workers', String(workers), '--first', foundBy.join(','), '--stop-at-first', '-o', 'json'];
  const child = spawn(process.execPath, args, { cwd: copy, stdio: ['ignore', 'pipe', 'pipe'] });
  let [out, err] = ['', ''];
  child.stdout.on('data', (bytes: Buffer) => (out += bytes.toString()));
  child.stderr.on('data', (bytes: Buffer) => (err = (err + bytes.toString()).slice(-2_000)));
  return new Promise((resolve) => {
    child.on('error', (error) => resolve({ broken: error.message }));
    child.on('close', () => {
      try {
        resolve(JSON.parse(out) as ExploreReport);
      } catch {
        resolve({ broken: `the explorer said nothing: ${err.trim().split('\n').at(-1) ?? ''}` });
      }
    });
  });
}
