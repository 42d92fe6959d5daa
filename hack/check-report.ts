/** Checks a machine-readable report against what the project promises: `check-report FILE builtin|trace|e2e`. */
import { readFileSync } from 'node:fs';

interface Dist { n: number; p50: number; p90: number; p99: number; max: number }
interface UpReport {
  kind: string;
  demand: { source: string; clusters: number; pods: number };
  pods: { submitted: number; bound: number; finished: number; recreated: number; alivePeak: number; pending: number };
  machines: { known: number; boundPeak: number; boundAtEnd: number };
  latencyMs: { podCreatedToBound: Dist; podCreatedToMachineConfigured: Dist };
  leaks: Record<string, number>;
  violations: Record<string, number>;
  peakRssBytes: number;
  wallSeconds: number;
}
interface E2eReport { kind: string; passed: number; failed: number; skipped: number; results: { id: string; controlPlane: string; kubernetes?: string; onRealServers?: string[]; outcome: string; detail: string; figures?: SoakFigures }[] }
interface SoakFigures {
  seconds: number; faults: Record<string, number>; recoveredSeconds: number; accusations: string[]; left: { objects: string[]; files: string[] };
  held: { name: string; rssMb: number; rssMbPerMinute: number | null; descriptors: { early: number; late: number }; sockets: { early: number; late: number } }[];
}

const [file = '', what = ''] = process.argv.slice(2);
const report = JSON.parse(readFileSync(file, 'utf8')) as UpReport | E2eReport;
const checks: [name: string, holds: boolean, seen: unknown][] = [];
const check = (name: string, holds: boolean, seen: unknown): void => void checks.push([name, holds, seen]);

if (what === 'e2e') checkE2e(report as E2eReport);
else if (what === 'builtin' || what === 'trace') checkUp(report as UpReport, what);
else throw new Error('usage: check-report FILE builtin|trace|e2e');

for (const [name, holds, seen] of checks) process.stdout.write(`${holds ? 'ok    ' : 'FAILED'} ${name}: ${JSON.stringify(seen)}\n`);
const failed = checks.filter(([, holds]) => !holds).length;
process.stdout.write(`${what}: ${checks.length - failed} passed, ${failed} failed\n`);
process.exit(failed === 0 && checks.length > 0 ? 0 : 1);

function checkE2e({ kind, passed, failed, skipped, results }: E2eReport): void {
  check('kind', kind === 'E2eReport', kind);
  check('promises held', passed >= 1 && failed === 0 && skipped === 0 && results.length === passed, { passed, failed, skipped });
  for (const { id, controlPlane, outcome, kubernetes, detail } of results) {
    const isNamed = controlPlane === 'none' || /^v1\.\d+\.\d+/.test(kubernetes ?? '');
    check(`${id} (${kubernetes ?? controlPlane})`, outcome === 'passed' && isNamed, isNamed || outcome !== 'passed' ? detail : 'the version of the API server is not named');
  }
  checkSoak(results.find(({ id }) => id === 'soak')?.figures);
  const onReal = new Set(results.filter(({ controlPlane, outcome }) => controlPlane === 'processes' && outcome === 'passed').map(({ id }) => id));
  for (const { id, controlPlane, onRealServers = [] } of results) {
    if (controlPlane !== 'embedded' || onReal.has(id)) continue;
    const lacking = onRealServers.filter((other) => !onReal.has(other));
    check(`${id} was shown on real API servers, too`, onRealServers.length > 0 && lacking.length === 0, onRealServers.length === 0 ? 'on the embedded control plane alone' : lacking);
  }
}

function checkSoak(figures?: SoakFigures): void {
  check('the soak has figures', figures !== undefined, figures?.seconds);
  if (!figures) return;
  const { seconds, faults, recoveredSeconds, accusations, left, held } = figures;
  const count = Object.values(faults).reduce((sum, times) => sum + times, 0);
  check('soak: faults of every kind, one every ten seconds at least', Object.values(faults).every((times) => times > 0) && count >= seconds / 10, faults);
  check('soak: all Pods run again', recoveredSeconds > 0 && recoveredSeconds <= 90, recoveredSeconds);
  check('soak: nothing is left over', left.objects.length === 0 && left.files.length === 0 && accusations.length === 0, { ...left, accusations });
  for (const { name, rssMb, rssMbPerMinute, descriptors, sockets } of held) {
    const isFlat = rssMb < 350 && (rssMbPerMinute ?? 0) <= 3 && descriptors.late - descriptors.early <= 6 && sockets.late - sockets.early <= 6;
    check(`soak: ${name} stays flat`, isFlat && rssMb > 0 && descriptors.late > 0, { rssMb, rssMbPerMinute, descriptors, sockets });
  }
  check('soak: five processes were looked at', held.length === 5, held.length);
}

function checkUp(r: UpReport, source: 'builtin' | 'trace'): void {
  check('kind', r.kind === 'UpReport', r.kind);
  check('source', r.demand.source === source, r.demand);
  check('every Pod was submitted', r.pods.submitted === r.demand.pods && r.pods.submitted > 0, r.pods.submitted);
  check('every Pod was bound, once per life', r.pods.bound === r.pods.submitted && r.latencyMs.podCreatedToBound.n === r.pods.submitted + r.pods.recreated, { ...r.pods, bindings: r.latencyMs.podCreatedToBound.n });
  check('every Pod finished', r.pods.finished === r.pods.submitted, r.pods.finished);
  check('nothing pending', r.pods.pending === 0, r.pods.pending);
  check('nothing bound at the end', r.machines.boundAtEnd === 0, r.machines.boundAtEnd);
  const leaks = ['machinesBound', 'capacityRequests', 'upcomingNodes', 'nodes'];
  check('no leaks', leaks.every((name) => r.leaks[name] === 0), r.leaks);
  const violations = ['doubleBound', 'podsEvictedWithoutDecision', 'notInProviderList'];
  check('no violations', violations.every((name) => r.violations[name] === 0), r.violations);
  check('memory under 1.5 GB', r.peakRssBytes > 0 && r.peakRssBytes < 1.5e9, r.peakRssBytes);
  const bound = r.latencyMs.podCreatedToBound;
  check('creation to bound p99 under 8 s', bound.p99 < 8_000, bound);
  if (source === 'builtin') {
    check('three clusters, about 300 Pods', r.demand.clusters === 3 && r.demand.pods >= 250, r.demand);
    return;
  }
  check('8,152 Pods and 1,523 machines', r.demand.pods === 8_152 && r.machines.known === 1_523, { pods: r.demand.pods, machines: r.machines.known });
  check('within 180 s', r.wallSeconds < 180, r.wallSeconds);
  check('more than 2,000 Pods alive at the peak', r.pods.alivePeak > 2_000, r.pods.alivePeak);
  check('more than 400 machines bound at the peak', r.machines.boundPeak > 400, r.machines.boundPeak);
}
