/** `npm run e2e`: checks each promise on a running system and reports (spec: reports, E2eReport). */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';
import { promises } from './promises/index.ts';
import type { PromiseResult } from './promise.ts';

const help = `npm run e2e -- [flags]

Checks what BigFleet promises, end to end, with real processes and sockets. The control planes are real ones (built from
source on first use, which takes minutes and needs Go) or the embedded one.

  --only ID[,ID]        only these promises
  --control-plane NAME  only promises on this kind: processes (real API servers) or embedded
  --pauses N            how often takeover pauses a process; 10 by default
  --kills N             how many processes kill-anything kills; 24 by default
  --list                print the promises and exit
  --keep                keep the directories with logs, also of promises that hold
  -o, --output FORMAT   text (default) or json: one document on standard output

Exit codes: 0 all hold · 1 at least one does not · 2 wrong flags`;

function usage(message: string): never {
  process.stderr.write(`${message}\n\n${help}\n`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({
      options: {
        only: { type: 'string' },
        'control-plane': { type: 'string' },
        pauses: { type: 'string', default: '10' },
        kills: { type: 'string', default: '24' },
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
if (plane !== undefined && plane !== 'processes' && plane !== 'embedded') usage(`--control-plane: "${plane}" is neither processes nor embedded`);
const pauses = Number(flags.pauses);
if (!Number.isSafeInteger(pauses) || pauses < 1) usage(`--pauses: "${flags.pauses}" is not a number of at least 1`);
const kills = Number(flags.kills);
if (!Number.isSafeInteger(kills) || kills < 1) usage(`--kills: "${flags.kills}" is not a number of at least 1`);
const wanted = flags.only?.split(',');
for (const id of wanted ?? []) if (!promises.some((p) => p.id === id)) usage(`--only: there is no promise "${id}"; --list shows them`);
const chosen = promises.filter((p) => (!wanted || wanted.includes(p.id)) && (plane === undefined || p.controlPlane === plane));
if (chosen.length === 0) usage('no promise fits these flags');
if (flags.list) {
  for (const { id, controlPlane, promise } of chosen) process.stdout.write(`${id.padEnd(18)} ${controlPlane.padEnd(10)} ${promise}\n`);
  process.exit(0);
}

const results: PromiseResult[] = [];
for (const promised of chosen) {
  const { id, promise, controlPlane } = promised;
  const dir = mkdtempSync(join(tmpdir(), `bigfleet-e2e-${id}-`));
  const started = performance.now();
  const log = (line: string): void => void process.stderr.write(`  ${((performance.now() - started) / 1000).toFixed(1).padStart(6)} s  ${line}\n`);
  process.stderr.write(`${id} (${controlPlane}): ${promise}\n`);
  let outcome: PromiseResult['outcome'] = 'passed';
  let detail: string;
  try {
    detail = await promised.run({ dir, log, pauses, kills });
  } catch (error) {
    outcome = 'failed';
    detail = error instanceof Error ? error.message : String(error);
  }
  const version = /Kubernetes (v[\d.]+)/.exec(detail)?.[1];
  results.push({ id, promise, controlPlane, ...(version !== undefined && { kubernetes: version }), outcome, ms: Math.round(performance.now() - started), detail });
  log(`${outcome}: ${detail}`);
  if (outcome === 'passed' && !flags.keep) rmSync(dir, { recursive: true, force: true });
  else log(`logs are in ${dir}`);
}

const passed = results.filter((r) => r.outcome === 'passed').length;
const failed = results.length - passed;
if (flags.output === 'json') {
  process.stdout.write(`${JSON.stringify({ kind: 'E2eReport', target: 'bigfleet', passed, failed, skipped: 0, results })}\n`);
} else {
  process.stdout.write(`${passed} passed, ${failed} failed\n`);
}
process.exit(failed === 0 ? 0 : 1);
