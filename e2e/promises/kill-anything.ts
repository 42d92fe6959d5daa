import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { seededRandom } from '../../src/lib/random.ts';
import { bigfleet, lastLines } from '../bigfleet.ts';
import { planKills } from '../kills/plan.ts';
import { accusations } from '../kills/witness.ts';
import type { AuditLine, OperationLine } from '../kills/witness.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';
import { expectServed, upReport } from '../up-report.ts';

const PODS = 90;
/** The shard waits for the Lease of its predecessor (3 s): now and then it lives long enough to do something. */
const SPACING_MS = 3_000;
const TAKEN_AT_LEAST = 5;
/** After the last kill. */
const REST_S = 120;
const NAMES = ['shard', 'provider', 'agent-1', 'agent-2'];

/** As the explorer does, with real processes and whatever moments the system's scheduler makes of random ones. */
export const killAnything: Promised = {
  id: 'kill-anything',
  promise: 'shard, provider and agents killed at random moments, again and again: nothing bound twice, nothing taken without a decision, every Pod served in the end',
  controlPlane: 'embedded',
  onRealServers: ['shard-failover', 'operator-restart', 'static-stability'],
  async run({ dir, log, kills: count }) {
    const seed = Date.now() % 1_000_000;
    const kills = planKills(seededRandom(seed), NAMES, count, SPACING_MS);
    const durationS = Math.ceil((kills.at(-1)?.atMs ?? 0) / 1_000) + 5;
    const dataDir = join(dir, 'up');
    const args = [
      'up', '--clusters', '2', '--pods', String(PODS), '--duration', `${durationS}s`, '--time-limit', `${durationS + REST_S}s`, '-o', 'json', '--data-dir', dataDir,
      ...kills.flatMap(({ name, atMs }) => ['--kill', `${name}@${(atMs / 1_000).toFixed(3)}`]),
    ];
    log(`seed ${seed}: bigfleet ${args.join(' ')}`);
    const { code, stdout, stderr } = await bigfleet(args, durationS + REST_S + 60);
    const operations = linesOf<OperationLine>(join(dataDir, 'provider-operations.jsonl'));
    const told = accusations(operations, linesOf<AuditLine>(join(dataDir, 'shard-audit.jsonl')));
    expect(told.length === 0, `the logs of provider and shard accuse:\n${told.slice(0, 10).join('\n')}`);
    expect(code === 0, `seed ${seed}: exit code ${String(code)}; last words:\n${lastLines(stderr)}\n${stdout}`);
    const report = upReport(stdout);
    expectServed(report, PODS / 2);
    const taken = operations.filter((line) => line.event === 'call' && line.rpc === 'Drain' && line.outcome === 'OK').length;
    expect(taken >= TAKEN_AT_LEAST, `only ${taken} machines were taken from their clusters: too few to say anything`);
    // Who is dead already when its time comes is not killed once more.
    const struck = NAMES.map((name) => [name, stderr.split(`${name} ended (SIGKILL)`).length - 1] as const);
    const all = struck.reduce((sum, [, times]) => sum + times, 0);
    expect(all >= count * 0.7, `only ${all} of ${count} kills found their process alive`);
    const { submitted, recreated } = report.pods;
    return `${all} kills (${struck.map(([name, times]) => `${name} ${times}`).join(', ')}; seed ${seed}); ${submitted} Pods finished, ${recreated} recreated, machines taken away ${taken} times, in ${Math.round(report.wallSeconds)} s`;
  },
};

function linesOf<T>(file: string): T[] {
  return readFileSync(file, 'utf8').split('\n').filter((line) => line !== '').map((line) => JSON.parse(line) as T);
}
