import { execFile, spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { appendFileSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { promisify } from 'node:util';
import { processStart } from '../src/lib/process-identity.ts';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';

const root = join(import.meta.dirname, '..');
const there = mkdtempSync(join(tmpdir(), 'bigfleet-command-'));
afterAll(() => rmSync(there, { recursive: true }));

describe('the command', { timeout: 60_000 }, () => {
  it.each([
    ['where it is started', there, { npm_lifecycle_event: 'test', INIT_CWD: root }],
    ['where npm was, which starts it in the folder of the project', root, { npm_lifecycle_event: 'bigfleet', INIT_CWD: there }],
  ])('takes the files that it is given from %s', async (_, cwd, env) => {
    writeFileSync(join(there, 'mine.json'), '{ "machines": [{ "id": "only-here" }], "clusters": { "c": { "needs": [{}] } } }');
    const args = [join(root, 'hack', 'bigfleet.mjs'), 'engine', 'plan', '-f', 'mine.json', '-o', 'json'];
    const { stdout } = await promisify(execFile)(process.execPath, args, { cwd, env: { ...process.env, NODE_OPTIONS: '', ...env } });
    expect((JSON.parse(stdout) as { actions: unknown[] }).actions).toMatchObject([{ kind: 'Bootstrap', machineId: 'only-here' }]);
  });
});

/** The first process that it has started; undefined before that. */
function childOf(pid: number): number | undefined {
  const [child] = readFileSync(`/proc/${pid}/task/${pid}/children`, 'utf8').split(' ');
  return child ? Number(child) : undefined;
}

const fleet = `version: 1
defaults:
  zone: z
  instanceType: t
  resources: {cpu: 8, memory: 32Gi}
  hooks: {configure: {run: ["true"]}, drain: {run: ["true"]}}
machines:
  - {id: a, address: 10.0.0.1}
`;

describe('a provider behind the command', { timeout: 60_000 }, () => {
  let launcher: ChildProcess;
  /** What the command has started. */
  let served: number | undefined;
  const log: string[] = [];
  let listening: Promise<unknown>;
  beforeEach(async () => {
    writeFileSync(join(there, 'fleet.yaml'), fleet);
    log.length = 0;
    served = undefined;
    const args = [join(root, 'hack', 'bigfleet.mjs'), 'provider', 'static', '--inventory', 'fleet.yaml', '--addr', '127.0.0.1:0', '--state', 'state'];
    launcher = spawn(process.execPath, args, { cwd: there, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
    createInterface({ input: launcher.stderr! }).on('line', (line) => log.push(line));
    listening = once(createInterface({ input: launcher.stdout! }), 'line');
    while ((served = childOf(launcher.pid!)) === undefined) await new Promise((resolve) => setImmediate(resolve));
  });
  afterEach(() => {
    for (const pid of [served!, launcher.pid!]) {
      try {
        process.kill(pid, 'SIGKILL');
      } catch {
        // it has ended, as it should
      }
    }
    rmSync(join(there, 'state'), { recursive: true });
  });

  it('is not ended by a SIGHUP that comes when it has only begun', async () => {
    launcher.kill('SIGHUP');
    await listening;
  });

  it('reads its inventory again at SIGHUP, and ends in an orderly way at SIGTERM', async () => {
    await listening;
    appendFileSync(join(there, 'fleet.yaml'), 'nonsense\n');
    launcher.kill('SIGHUP');
    while (!log.some((line) => line.includes('the inventory file cannot be used'))) await once(launcher.stderr!, 'data');
    launcher.kill('SIGTERM');
    expect(await once(launcher, 'close')).toEqual([0, null]);
  });

  it('ends when the command is killed', async () => {
    await listening;
    const began = processStart(served!);
    expect(began).toMatch(/^\d+$/);
    launcher.kill('SIGKILL');
    await once(launcher, 'close'); // when both have let go of the pipes
    while (processStart(served!) === began) await new Promise((resolve) => setImmediate(resolve));
  });
});
