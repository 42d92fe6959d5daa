import { join } from 'node:path';
import { bigfleet, lastLines } from '../bigfleet.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';
import { expectServed, upReport } from '../up-report.ts';

const PODS = 60;

/** kill -9 in mid-run: the process comes back with its state, and the run ends as if nothing had happened. */
function survives(name: string, what: string, onRealServers: readonly string[]): Promised {
  return {
    id: `kill-${name}`,
    promise: `${what} killed in mid-run: the run converges to the same end, nothing bound twice, nothing leaked`,
    controlPlane: 'embedded',
    onRealServers,
    async run({ dir, log }) {
      const args = ['up', '--pods', String(PODS), '--duration', '15s', '--kill', `${name}@8`, '--time-limit', '150s', '-o', 'json', '--data-dir', join(dir, 'up')];
      log(`bigfleet ${args.join(' ')}`);
      const { code, stdout, stderr } = await bigfleet(args, 200);
      expect(code === 0, `exit code ${String(code)}; last words:\n${lastLines(stderr)}\n${stdout}`);
      expect(stderr.includes(`${name} ended (SIGKILL) and is started again`), `nothing says that ${name} was killed and started again`);
      const report = upReport(stdout);
      expectServed(report, PODS / 2);
      const { submitted, recreated } = report.pods;
      return `${submitted} Pods finished, ${recreated} recreated, in ${Math.round(report.wallSeconds)} s`;
    },
  };
}

export const kills: readonly Promised[] = [
  survives('shard', 'the shard', ['shard-failover']),
  survives('agent-1', 'an agent (operator and pod controller)', ['operator-restart']),
  survives('provider', 'the provider process', ['static-stability']),
  survives('world', 'the hub and all API servers', ['hub-down']),
];
