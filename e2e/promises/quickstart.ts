import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { createServer } from 'node:net';
import { delimiter, dirname, join } from 'node:path';
import { text } from 'node:stream/consumers';
import { cacheFolder } from '../../hack/control-plane/binary-sources.ts';
import { ensureBinaries, ensureHelm } from '../../hack/control-plane/build.ts';
import { KUBERNETES_MODULE_VARIABLE } from '../../hack/control-plane/upstreams.ts';
import { lastLines } from '../bigfleet.ts';
import { killGroup, spawnGuarded } from '../control-plane/guarded-spawn.ts';
import { lacking, marksIn, outputsOf, scriptOf, stepsOf } from '../install/document.ts';
import { expect } from '../promise.ts';
import type { PromiseContext, Promised } from '../promise.ts';

const root = join(import.meta.dirname, '..', '..');
const DOCUMENT = 'docs/quickstart.md';
const LIMIT_MS = 240_000;

const FIRST_PORT = 20_000;
/** Below those that systems hand out: it may take half a minute until the document comes to use one, and clusters start meanwhile. */
const PORTS = 12_000;

/** Somebody else may use the ports that the document names. */
async function withFreePorts(script: string): Promise<string> {
  const free = new Map<string, number>();
  for (const [, port = ''] of script.matchAll(/127\.0\.0\.1:(\d+)/g)) {
    while (!free.has(port)) {
      const candidate = FIRST_PORT + Math.floor(Math.random() * PORTS);
      if (![...free.values()].includes(candidate) && (await isFree(candidate))) free.set(port, candidate);
    }
  }
  return script.replace(/127\.0\.0\.1:(\d+)/g, (_, port: string) => `127.0.0.1:${free.get(port)}`);
}

function isFree(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', () => resolve(false));
    server.listen(port, '127.0.0.1', () => server.close(() => resolve(true)));
  });
}

/** Where programs are found is the caller's business; everything else is as on a fresh computer. */
function environment(dir: string): Record<string, string> {
  const passed = ['KUBEBUILDER_ASSETS', KUBERNETES_MODULE_VARIABLE, 'GOPROXY', 'GOFLAGS'].flatMap((name) => (process.env[name] === undefined ? [] : [[name, process.env[name]] as const]));
  return {
    ...Object.fromEntries(passed), HOME: dir, BF: join(dir, 'quickstart'), BIGFLEET_CACHE: dirname(dirname(cacheFolder())),
    PATH: [dirname(process.execPath), process.env['PATH'] ?? '/usr/bin:/bin'].join(delimiter),
  };
}

async function shell(script: string, { dir, log }: PromiseContext): Promise<{ code: number | null; printed: string }> {
  const child = spawnGuarded({ command: 'bash', args: ['-c', script], env: environment(dir), output: 'pipe', cwd: root });
  const timer = setTimeout(() => killGroup(child.pid), LIMIT_MS);
  child.stdout?.on('data', (part: Buffer) => {
    for (const line of marksIn(part.toString())) log(`${DOCUMENT}:${line}`);
  });
  try {
    const [printed, [code]] = await Promise.all([text(child.stdout!), once(child, 'exit') as Promise<[number | null]>]);
    return { code, printed };
  } finally {
    clearTimeout(timer);
  }
}

export const quickstartWorks: Promised = {
  id: 'quickstart',
  promise: `the commands of ${DOCUMENT} do what it says, from two clusters without BigFleet over a dry run to machines, and back`,
  controlPlane: 'processes',
  async run(context) {
    await ensureBinaries(context);
    await ensureHelm(context);
    const steps = stepsOf(readFileSync(join(root, DOCUMENT), 'utf8'));
    const { code, printed } = await shell(await withFreePorts(scriptOf(steps)), context);
    const outputs = outputsOf(steps, printed);
    const reached = outputs.filter((output) => output !== undefined).length;
    const at = (index: number): string => `${DOCUMENT}:${steps[index]?.line ?? 0}`;
    for (const [index, output] of outputs.entries()) {
      if (output === undefined || (code !== 0 && index === reached - 1)) continue;
      const missing = lacking(steps[index]!, output);
      expect(missing.length === 0, `${at(index)} does not print ${JSON.stringify(missing)} but\n${output}`);
    }
    expect(code === 0 && reached === steps.length, `${at(reached - 1)} fails (${String(code)}):\n${lastLines(outputs[reached - 1] ?? '')}`);
    const version = /Server Version: (v[\d.]+)/.exec(printed)?.[1] ?? '';
    return `Kubernetes ${version}: ${steps.length} blocks of commands, ${steps.reduce((sum, { prints }) => sum + prints.length, 0)} lines of their output as written`;
  },
};
