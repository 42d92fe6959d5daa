/** `npm run e2e`: checks each promise on a running system and reports (spec: reports, E2eReport). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { useKubernetesMinor } from '../hack/control-plane/kubernetes-minor.ts';
import { kubernetesVersion } from '../src/embedded/http/discovery.ts';
import { promises, rigPromises } from './promises/index.ts';
import { parseDurationMs } from '../src/lib/duration.ts';
import { judge } from './promise.ts';
import type { PromiseResult } from './promise.ts';
import { checkOnRig } from './rig/rig-promise.ts';
import type { ControlPlaneKind } from './rig/sites.ts';

const help = `npm run e2e -- [flags]

Checks what BigFleet promises, end to end, with real processes and sockets. The control planes are real ones (built from
source on first use, which takes minutes and needs Go) or the embedded one. Most promises share one running fleet, each with
machines and a namespace of its own.

  --only ID[,ID]        only these promises
  --control-plane NAME  only promises on this kind: processes (real API servers), embedded, or none (they start no API server)
  --kubernetes MINOR    real API servers of another minor release, for instance 1.34, built from source on first use
  --kind                real API servers in kind clusters, for promises on the shared fleet (unverified: needs a container engine)
  --at-once N           how many promises check the shared fleet at a time; 4 by default
  --pauses N            how often takeover pauses a process; 10 by default. From 200 on, at least one call must have come late, and been refused
  --kills N             how many processes kill-anything kills; 24 by default
  --soak [DURATION]     only the soak, of one hour unless said otherwise (15m, 2h); without it, it is one promise of all, of two minutes
  --seed N              of the soak's faults and changes; its report names the one that it had
  --list                print the promises and exit
  --keep                keep the directories with logs, also of promises that hold
  -o, --output FORMAT   text (default) or json: one document on standard output

Exit codes: 0 all hold · 1 at least one does not · 2 wrong flags`;

function usage(message: string): never {
  process.stderr.write(`${message}\n\n${help}\n`);
  process.exit(2);
}

/** `--soak` alone is `--soak 1h`. */
function withSoakDuration(args: readonly string[]): string[] {
  return args.flatMap((arg, i) => (arg === '--soak' && (args[i + 1] ?? '-').startsWith('-') ? [arg, '1h'] : [arg]));
}

function parse() {
  try {
    return parseArgs({
      args: withSoakDuration(process.argv.slice(2)),
      options: {
        only: { type: 'string' },
        'control-plane': { type: 'string' },
        kubernetes: { type: 'string' },
        kind: { type: 'boolean', default: false },
        'at-once': { type: 'string', default: '4' },
        pauses: { type: 'string', default: '10' },
        kills: { type: 'string', default: '24' },
        soak: { type: 'string' },
        seed: { type: 'string' },
        list: { type: 'boolean' },
        keep: { type: 'boolean' },
        output: { type: 'string', short: 'o', default: 'text' },
        help: { type: 'boolean', short: 'h' },
      },
    }).values;
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

const flags = parse();
if (flags.help) {
  process.stdout.write(`${help}\n`);
  process.exit(0);
}
if (flags.output !== 'text' && flags.output !== 'json') usage(`--output: "${flags.output}" is neither text nor json`);
const plane = flags['control-plane'];
if (plane !== undefined && plane !== 'processes' && plane !== 'embedded' && plane !== 'none') usage(`--control-plane: "${plane}" is neither processes nor embedded nor none`);
function count(flag: 'pauses' | 'kills' | 'at-once'): number {
  const value = Number(flags[flag]);
  if (!Number.isSafeInteger(value) || value < 1) usage(`--${flag}: "${flags[flag]}" is not a number of at least 1`);
  return value;
}
const [pauses, kills, atOnce] = [count('pauses'), count('kills'), count('at-once')];
const soakMs = parseDurationMs(flags.soak ?? '2m') ?? 0;
if (soakMs < 60_000) usage(`--soak: "${flags.soak}" is no duration of at least a minute, for instance 15m`);
const seed = flags.seed === undefined ? Date.now() % 1_000_000 : Number(flags.seed);
if (!Number.isSafeInteger(seed) || seed < 0) usage(`--seed: "${flags.seed}" is no whole number`);
if (flags.soak !== undefined && flags.only !== undefined) usage('--soak: --only names other promises; one of the two');
const wanted = flags.soak === undefined ? flags.only?.split(',') : ['soak'];
for (const id of wanted ?? []) if (![...promises, ...rigPromises].some((p) => p.id === id)) usage(`--only: there is no promise "${id}"; --list shows them`);
const isWanted = ({ id }: { id: string }): boolean => wanted === undefined || wanted.includes(id);
const kinds: readonly ControlPlaneKind[] = ['embedded', 'processes'];
const chosen = promises.filter((p) => isWanted(p) && !flags.kind && (plane === undefined || p.controlPlane === plane));
const chosenOnRig = kinds.filter((kind) => plane === undefined || plane === kind)
  .filter((kind) => !flags.kind || kind === 'processes')
  .map((kind) => ({ kind, promises: rigPromises.filter((p) => isWanted(p) && p.on.includes(kind)) })).filter(({ promises: some }) => some.length > 0);
if (chosen.length === 0 && chosenOnRig.length === 0) usage('no promise fits these flags');
if (flags.list) {
  const line = (id: string, kind: string, promise: string): string => `${id.padEnd(18)} ${kind.padEnd(10)} ${promise}\n`;
  for (const { id, controlPlane, promise } of chosen) process.stdout.write(line(id, controlPlane, promise));
  for (const { kind, promises: some } of chosenOnRig) for (const { id, promise } of some) process.stdout.write(line(id, kind, promise));
  process.exit(0);
}

if (flags.kubernetes !== undefined) {
  if (!/^1\.\d+$/.test(flags.kubernetes)) usage(`--kubernetes: "${flags.kubernetes}" is no minor release; write for instance 1.34`);
  if (process.env['KUBEBUILDER_ASSETS']) usage('--kubernetes: KUBEBUILDER_ASSETS names programs of its own; unset one of the two');
  try {
    useKubernetesMinor(flags.kubernetes, (line) => process.stderr.write(`${line}\n`));
  } catch (error) {
    usage(`--kubernetes: ${error instanceof Error ? error.message : String(error)}`);
  }
}

const results: PromiseResult[] = [];
const started = performance.now();
const log = (line: string): void => void process.stderr.write(`  ${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
const add = (result: PromiseResult): void => {
  results.push(result);
  log(`${result.id} (${result.controlPlane}): ${result.outcome} in ${Math.round(result.ms / 1000)} s: ${result.detail}`);
};
/** Removes the folder if nothing in it is of interest. */
function leave(dir: string, isOfInterest: boolean): void {
  if (isOfInterest || flags.keep) log(`logs are in ${dir}`);
  else rmSync(dir, { recursive: true, force: true });
}

for (const promised of chosen) {
  const { id, promise, controlPlane, onRealServers } = promised;
  const dir = mkdtempSync(join(tmpdir(), `bigfleet-e2e-${id}-`));
  log(`${id} (${controlPlane}): ${promise}`);
  const result = await judge({ id, promise, controlPlane, ...(controlPlane === 'embedded' && { kubernetes: kubernetesVersion.gitVersion }), ...(onRealServers && { onRealServers }) }, async () => {
    const detail = await promised.run({ dir, log, pauses, kills });
    const kubernetes = /Kubernetes (v[\d.]+)/.exec(detail)?.[1];
    return { detail, ...(kubernetes !== undefined && { kubernetes }) };
  });
  add(result);
  leave(dir, result.outcome !== 'passed');
}
for (const { kind, promises: some } of chosenOnRig) {
  const dir = mkdtempSync(join(tmpdir(), `bigfleet-e2e-${kind}-`));
  let isOfInterest = true;
  try {
    isOfInterest = await checkOnRig(some, { kind, inKind: flags.kind, dir, atOnce, asked: { soakMs, seed }, log, onResult: add });
  } catch (error) {
    // No rig could be started, or it could not be ended: then none of what has no result holds.
    const detail = error instanceof Error ? error.message : String(error);
    for (const { id, promise } of some) if (!results.some((r) => r.id === id && r.controlPlane === kind)) add({ id, promise, controlPlane: kind, outcome: 'failed', ms: 0, detail });
  }
  leave(dir, isOfInterest);
}

/** What flags left out. */
const skipped = promises.length + rigPromises.reduce((sum, { on }) => sum + on.length, 0) - results.length;
const passed = results.filter((r) => r.outcome === 'passed').length;
const failed = results.length - passed;
if (flags.output === 'json') {
  process.stdout.write(`${JSON.stringify({ kind: 'E2eReport', target: 'bigfleet', passed, failed, skipped, results })}\n`);
} else {
  process.stdout.write(`${passed} passed, ${failed} failed, ${skipped} left out\n`);
}
process.exit(failed === 0 ? 0 : 1);
