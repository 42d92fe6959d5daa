import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { killRounds } from '../../src/provider/testing/kill-rounds.ts';
import { spreadOf } from '../engine/measure.ts';
import type { BenchOptions, BenchRow } from '../suite.ts';

const CONCURRENT = 200;

/** Kills the provider as often as samples are asked for; the times are those of starting it again on what it had written. */
export async function kill({ samples: rounds, progress }: BenchOptions, rows: BenchRow[], failures: string[]): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), 'bigfleet-bench-provider-'));
  try {
    const { startMs, violations, answered, inDoubt, marksChecked, idsChecked, bindingsChecked } = await killRounds({ state: join(folder, 'state'), rounds, seed: 1, concurrent: CONCURRENT, progress });
    failures.push(...violations.map((text) => `kill: ${text}`));
    if (marksChecked === 0 || idsChecked === 0 || bindingsChecked === 0) failures.push('kill: nothing was there to be kept');
    progress(`${rounds} kills: ${answered} mutations answered, ${inDoubt} on their way; checked ${marksChecked} fence marks, ${idsChecked} operation ids, ${bindingsChecked} bindings; broken promises: ${violations.length}`);
    rows.push({ bench: 'provider/restart-after-kill', shape: 'kill', machines: CONCURRENT, actions: answered, ...spreadOf(startMs), inDoubt, marksChecked, idsChecked, bindingsChecked, violations: violations.length });
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}
