import { join } from 'node:path';
import { bigfleet, lastLines } from '../bigfleet.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';

const PODS = 60;

/** Only what is checked here. */
interface UpReport {
  readonly kind: string;
  readonly pods: { submitted: number; bound: number; finished: number; recreated: number; pending: number };
  readonly leaks: Readonly<Record<string, number>>;
  readonly violations: Readonly<Record<string, number>>;
  readonly latencyMs: { podCreatedToBound: { n: number } };
  readonly wallSeconds: number;
}

/** kill -9 in mid-run: the process comes back with its state, and the run ends as if nothing had happened. */
function survives(name: string, what: string): Promised {
  return {
    id: `kill-${name}`,
    promise: `${what} killed in mid-run: the run converges to the same end, nothing bound twice, nothing leaked`,
    controlPlane: 'embedded',
    async run({ dir, log }) {
      const args = ['up', '--pods', String(PODS), '--duration', '15s', '--kill', `${name}@8`, '--time-limit', '150s', '-o', 'json', '--data-dir', join(dir, 'up')];
      log(`bigfleet ${args.join(' ')}`);
      const { code, stdout, stderr } = await bigfleet(args, 200);
      expect(code === 0, `exit code ${String(code)}; last words:\n${lastLines(stderr)}\n${stdout}`);
      expect(stderr.includes(`${name} ended (SIGKILL) and is started again`), `nothing says that ${name} was killed and started again`);
      const report = JSON.parse(stdout) as UpReport;
      const { submitted, bound, finished, recreated, pending } = report.pods;
      expect(report.kind === 'UpReport' && submitted >= PODS / 2, `${submitted} Pods submitted`);
      expect(finished === submitted && pending === 0, `${finished} of ${submitted} Pods finished, ${pending} pending`);
      const lives = report.latencyMs.podCreatedToBound.n;
      expect(bound === submitted && lives === submitted + recreated, `${bound} Pods bound ${lives} times: ${submitted} were submitted, ${recreated} recreated`);
      for (const counts of [report.leaks, report.violations]) {
        const bad = Object.entries(counts).filter(([, count]) => count !== 0);
        expect(Object.keys(counts).length >= 3 && bad.length === 0, `not all zero: ${JSON.stringify(counts)}`);
      }
      return `${submitted} Pods finished, ${recreated} recreated, in ${Math.round(report.wallSeconds)} s`;
    },
  };
}

export const kills: readonly Promised[] = [
  survives('shard', 'the shard'),
  survives('agent-1', 'an agent (operator and pod controller)'),
  survives('provider', 'the provider process'),
  survives('world', 'the hub and all API servers'),
];
