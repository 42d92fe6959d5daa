import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, Rpc, stateName, unfenced } from '../testing/rpc.ts';

const launcher = fileURLToPath(new URL('../testing/provider-process.ts', import.meta.url));

interface Running {
  readonly child: ChildProcess;
  readonly rpc: Rpc;
  readonly adminAddress: string;
}

/** A real process of the CLI. What it depends on happens in real time, so the tests wait for lines of its operation log. */
describe('the provider process', () => {
  let directory: string;
  const running: Running[] = [];
  beforeEach(() => void (directory = fs.mkdtempSync(join(tmpdir(), 'provider-kill-'))));
  afterEach(async () => {
    for (const { child, rpc } of running.splice(0)) {
      rpc.close();
      if (child.exitCode === null && child.signalCode === null) {
        child.kill('SIGKILL');
        await once(child, 'exit');
      }
    }
    fs.rmSync(directory, { recursive: true });
  });

  async function start(...flags: string[]): Promise<Running> {
    const child = run('--data-dir', join(directory, 'data'), '--operation-log', join(directory, 'log'), '--seed-count', '40', '--admin-listen', '127.0.0.1:0', '--i-know-this-is-simulated', ...flags);
    for await (const line of createInterface({ input: child.stdout! })) {
      const { address, adminAddress } = JSON.parse(line) as { address: string; adminAddress: string };
      const one = { child, adminAddress, rpc: new Rpc(Number(address.split(':')[1])) };
      running.push(one);
      return one;
    }
    throw new Error('the process ended before it served');
  }

  function run(...flags: string[]): ChildProcess {
    return spawn(process.execPath, [launcher, 'provider', 'sim', ...flags], { stdio: ['ignore', 'pipe', 'inherit'], env: { ...process.env, NODE_OPTIONS: '' } });
  }

  async function kill({ child, rpc }: Running): Promise<void> {
    rpc.close();
    child.kill('SIGKILL');
    await once(child, 'exit');
  }

  /** Resolves when the operation log holds a line about this machine that matches. */
  async function logged(machineId: string, match: (line: Record<string, unknown>) => boolean): Promise<void> {
    const seen = (): boolean =>
      fs.readFileSync(join(directory, 'log'), 'utf8').split('\n').slice(0, -1)
        .map((line) => JSON.parse(line) as Record<string, unknown>)
        .some((line) => line['machineId'] === machineId && match(line));
    const changes = fs.watch(directory);
    try {
      while (!seen()) await once(changes, 'change');
    } finally {
      changes.close();
    }
  }

  const becomes = (machineId: string, state: string): Promise<void> => logged(machineId, (line) => line['to'] === state);

  it('killed in the midst of everything, it goes on where it was', async () => {
    const slow = ['--create-ms', '600000', '--configure-ms', '600000', '--delete-ms', '600000', '--recover-ms', '600000'];
    const quick = ['--create-ms', '1', '--configure-ms', '1', '--delete-ms', '1', '--recover-ms', '1'];
    const first = await start(...quick);
    const ids = (await first.rpc.list({ states: [1] })).machines.map((m) => m.id);
    const [creating, configuring, configured, interrupted, deleting] = ids as [string, string, string, string, string];
    for (const id of [configuring, configured, interrupted, deleting]) {
      const idle = becomes(id, 'Idle');
      await first.rpc.create(id);
      await idle;
    }
    for (const id of [configured, interrupted]) {
      const done = becomes(id, 'Configured');
      await first.rpc.configure(id, { cluster: 'durable', metadata: { 'd/k': 'v\0' } });
      await done;
    }
    const inventory = (await first.rpc.list()).machines.map((m) => m.id);
    await kill(first);

    const second = await start(...slow);
    const acks = [await second.rpc.create(creating, ['durA', 3, 7]), await second.rpc.configure(configuring, { cluster: 'c2' }, unfenced), await second.rpc.delete(deleting, unfenced)];
    await fetch(`http://${second.adminAddress}/interrupt`, { method: 'POST', body: JSON.stringify({ machineId: interrupted }) });
    expect(stateName(await second.rpc.get(interrupted))).toBe('FAILED');
    await kill(second);

    const third = await start(...quick);
    await Promise.all([
      becomes(creating, 'Idle'), becomes(configuring, 'Configured'), becomes(deleting, 'Speculative'),
      logged(interrupted, (line) => line['cause'] === 'recover'),
    ]);
    expect(await codeOf(third.rpc.create(creating, ['durA', 3, 7]))).toBe('FAILED_PRECONDITION');
    expect((await third.rpc.create(creating, ['durA', 3, 8])).operationId).toBe(acks[0]!.operationId);
    expect((await third.rpc.configure(configuring, { cluster: 'c2' }, unfenced)).operationId).toBe(acks[1]!.operationId);
    const kept = await third.rpc.get(configured);
    expect([stateName(kept), kept.cluster, kept.shardMetadata.get('d/k')]).toEqual(['CONFIGURED', 'durable', 'v\0']);
    expect(stateName(await third.rpc.get(interrupted))).toBe('SPECULATIVE');
    expect((await third.rpc.list()).machines.map((m) => m.id).sort()).toEqual(inventory.sort());
  });

  it('stops gracefully on SIGTERM and leaves nothing locked', async () => {
    const { child, rpc } = await start();
    await rpc.list();
    child.kill('SIGTERM');
    const [code] = (await once(child, 'exit')) as [number | null];
    expect(code).toBe(0);
    expect(fs.readdirSync(join(directory, 'data'))).toEqual(['.lock', 'state-00000001.jsonl']);
  });

  it('refuses a second process on the same data', async () => {
    const { child } = await start();
    const second = run('--data-dir', join(directory, 'data'), '--seed-count', '1', '--i-know-this-is-simulated');
    const [code] = (await once(second, 'exit')) as [number | null];
    expect(code).toBe(1);
    expect(child.exitCode).toBeNull();
  });

  it.each([
    ['without the admission that it only simulates', ['--seed-count', '1'], 2],
    ['without seeds', ['--i-know-this-is-simulated'], 2],
    ['with a wrong duration', ['--i-know-this-is-simulated', '--seed-count', '1', '--create-ms', 'soon'], 2],
    ['with an unreadable seed file', ['--i-know-this-is-simulated', '--seed-file', '/nowhere'], 2],
    ['with an unknown flag', ['--i-know-this-is-simulated', '--sed'], 2],
    ['on an address it cannot have', ['--i-know-this-is-simulated', '--seed-count', '1', '--listen', '192.0.2.1:1'], 1],
  ])('does not start %s', async (_what, flags, exitCode) => {
    const [code] = (await once(run(...flags), 'exit')) as [number | null];
    expect(code).toBe(exitCode);
  });
});
