import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { Rpc } from '../provider/testing/rpc.ts';
import { StaticHarness } from '../provider/testing/static-harness.ts';

const launcher = fileURLToPath(new URL('../provider/testing/provider-process.ts', import.meta.url));

const main = fileURLToPath(new URL('../main.ts', import.meta.url));
const inventoryOf = (configure: string): string => `version: 1
defaults:
  zone: z
  instanceType: t
  resources: {cpu: 8, memory: 32Gi}
  hooks: {configure: {run: ${configure}}, drain: {run: ["true"]}}
machines:
  - {id: a, address: 10.0.0.1}
`;

let h: StaticHarness;
let child: ChildProcess | undefined;
beforeEach(() => void (h = new StaticHarness()));
afterEach(async () => {
  await kill();
  await h.close();
});

function start(program: readonly string[] = [launcher]): AsyncIterator<string> {
  child = spawn(process.execPath, [...program, 'provider', 'static', '--inventory', 'fleet.yaml', '--state', 'state', '--addr', '127.0.0.1:0'], {
    cwd: h.directory, stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '', BIGFLEET_LOG_LEVEL: 'fatal' },
  });
  return createInterface({ input: child.stdout! })[Symbol.asyncIterator]();
}

async function kill(): Promise<void> {
  if (!child || child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'exit');
}

/** Resolves when a file of the folder is there. */
async function written(name: string): Promise<void> {
  const changes = fs.watch(h.directory);
  try {
    while (!fs.existsSync(h.path(name))) await once(changes, 'change');
  } finally {
    changes.close();
  }
}

it('a SIGHUP before its code is loaded does not end it', async () => {
  h.write('hang-up.mjs', `import { registerHooks } from 'node:module';
registerHooks({ resolve(name, context, next) {
  if (name === 'commander') process.kill(process.pid, 'SIGHUP');
  return next(name, context);
} });`);
  h.inventory(inventoryOf('["true"]'));
  const { value } = await start(['--import', h.path('hang-up.mjs'), main]).next() as { value?: string };
  expect([value, child!.signalCode]).toEqual([expect.stringContaining('listening'), null]);
});

it('a SIGHUP while it starts does not end it', async () => {
  // Says nothing to a pipe that breaks, and ends the second time.
  h.script('configure.sh', "exec > told 2>&1; [ ! -e began ] || exit 0; trap 'echo > asked' TERM; echo > began; while :; do sleep 0.1; done");
  h.inventory(inventoryOf('[./configure.sh], killAfter: 1s'));
  const { value: listening } = await start().next() as { value: string };
  const rpc = new Rpc(Number((JSON.parse(listening) as { address: string }).address.split(':')[1]));
  await rpc.configure('a', { cluster: 'prod' });
  await written('began');
  rpc.close();
  await kill();

  const next = start().next();
  await written('asked'); // the start waits for what the killed one has left behind
  child!.kill('SIGHUP');
  expect((await next).value).toContain('listening');
  expect([child!.exitCode, child!.signalCode]).toEqual([null, null]);
});
