import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import * as fs from 'node:fs';
import { createInterface } from 'node:readline';
import { text } from 'node:stream/consumers';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { isProcessAlive, processStart } from '../../lib/process-identity.ts';
import { Rpc, stateName, unfenced } from '../testing/rpc.ts';
import { parseInventory } from './read-inventory.ts';
import { StaticHarness } from '../testing/static-harness.ts';

const launcher = fileURLToPath(new URL('../testing/provider-process.ts', import.meta.url));

let h: StaticHarness;
const running: { child: ChildProcess; rpc: Rpc }[] = [];
beforeEach(() => void (h = new StaticHarness()));
afterEach(async () => {
  for (const { child, rpc } of running.splice(0)) {
    rpc.close();
    if (child.exitCode === null && child.signalCode === null) {
      child.kill('SIGKILL');
      await once(child, 'exit');
    }
  }
  await h.close();
});

function run(...flags: string[]): ChildProcess {
  return spawn(process.execPath, [launcher, 'provider', 'static', ...flags], { cwd: h.directory, stdio: ['ignore', 'pipe', 'pipe'], env: { ...process.env, NODE_OPTIONS: '' } });
}

/** Runs a command that ends by itself. */
async function outcome(...flags: string[]): Promise<{ code: number; stdout: string; stderr: string }> {
  const child = run(...flags);
  const [stdout, stderr, [code]] = await Promise.all([text(child.stdout!), text(child.stderr!), once(child, 'exit') as Promise<[number]>]);
  return { code, stdout, stderr };
}

async function serve(): Promise<{ child: ChildProcess; rpc: Rpc }> {
  const child = run('--inventory', 'fleet.yaml', '--state', 'state', '--addr', '127.0.0.1:0');
  child.stderr!.resume();
  for await (const line of createInterface({ input: child.stdout! })) {
    const one = { child, rpc: new Rpc(Number((JSON.parse(line) as { address: string }).address.split(':')[1])) };
    running.push(one);
    return one;
  }
  throw new Error('the process ended before it served');
}

/** Resolves when a file of the folder is there; its contents. */
async function written(name: string): Promise<string> {
  const changes = fs.watch(h.directory);
  try {
    while (!fs.existsSync(h.path(name)) || h.read(name) === '') await once(changes, 'change');
  } finally {
    changes.close();
  }
  return h.read(name).trim();
}

const fleet = `version: 1
defaults:
  zone: z
  instanceType: t
  resources: {cpu: 8, memory: 32Gi}
  hooks: {configure: {run: [./configure.sh]}, drain: {run: [./drain.sh]}}
machines:
  - {id: a, address: 10.0.0.1}
`;

describe('the provider process', () => {
  beforeEach(() => {
    h.inventory(fleet);
    h.script('configure.sh', 'true');
    h.script('drain.sh', 'echo drained > drained');
  });

  it('killed in the midst of a hook, ends that hook when it comes back, and runs it again', async () => {
    h.script('configure.sh', `
      if [ -e first ]; then
        kill -0 $(cat first) 2> /dev/null && [ "$(ps -o stat= -p $(cat first) | cut -c1)" != Z ] && echo overlap > overlap
        cat > blob; echo $BIGFLEET_OPERATION_ID > second; exit 0
      fi
      echo $$ > first.tmp; mv first.tmp first; while true; do sleep 0.05; done`);
    const before = await serve();
    const { operationId } = await before.rpc.configure('a', { cluster: 'prod', blob: Buffer.from('join \0 me') });
    const hook = Number(await written('first'));
    before.rpc.close();
    before.child.kill('SIGKILL');
    await once(before.child, 'exit');
    expect(isProcessAlive(hook)).toBe(true); // nobody was there to end it

    const after = await serve();
    expect(await written('second')).toBe(operationId);
    expect([isProcessAlive(hook) && processStart(hook) !== 'ended', fs.existsSync(h.path('overlap')), h.read('blob')]).toEqual([false, false, 'join \0 me']);
    const drained = written('drained');
    await untilState(after.rpc, 'a', 'CONFIGURED');
    await after.rpc.drain('a', 0, unfenced);
    await drained;
  });

  it('reads the inventory again on SIGHUP, and ends well on SIGTERM', async () => {
    const { child, rpc } = await serve();
    h.inventory(`${fleet}  - {id: b}\n`);
    child.kill('SIGHUP');
    await untilState(rpc, 'b', 'IDLE');
    child.kill('SIGTERM');
    expect((await once(child, 'exit'))[0]).toBe(0);
    expect(fs.readdirSync(h.path('state')).filter((name) => name.startsWith('lock'))).toEqual([]);
  });

  /** A process of its own tells of nothing but by its answers. */
  async function untilState(rpc: Rpc, id: string, state: string): Promise<void> {
    for (;;) {
      const machine = await rpc.get(id).catch(() => undefined);
      if (machine && stateName(machine) === state) return;
    }
  }
});

describe('the command', () => {
  it('checks a file and lists its machines', async () => {
    h.script('configure.sh', '');
    h.script('drain.sh', '');
    h.inventory(fleet.replace('{id: a, address: 10.0.0.1}', '{ids: "a[1-2]", address: "10.0.0.{n}"}'));
    expect(await outcome('--inventory', 'fleet.yaml', '--check')).toEqual({
      code: 0, stderr: '', stdout: [
        'ID  ADDRESS   GROUP  TYPE  ZONE  KIND       USD/H  RESOURCES          HOOKS',
        'a1  10.0.0.1  -      t     z     BareMetal  0      cpu=8 memory=32Gi  configure,drain',
        'a2  10.0.0.2  -      t     z     BareMetal  0      cpu=8 memory=32Gi  configure,drain',
        '2 machines, 10 hooks at a time', '',
      ].join('\n'),
    });
    const { stdout } = await outcome('--inventory', 'fleet.yaml', '--check', '-o', 'json');
    expect(JSON.parse(stdout)).toMatchObject([{ id: 'a1', address: '10.0.0.1', capacityType: 'BareMetal' }, { id: 'a2' }]);
  });

  it('says what is wrong with a file, and ends with 2', async () => {
    h.inventory(fleet);
    expect(await outcome('--inventory', 'fleet.yaml', '--check')).toMatchObject({ code: 2, stdout: '', stderr: expect.stringContaining(`fleet.yaml:8: machines[0]: hooks.configure.run: there is no file`) as string });
    expect(await outcome('--inventory', 'nowhere.yaml', '--check')).toMatchObject({ code: 2, stderr: '--inventory: cannot read nowhere.yaml: ENOENT\n' });
    expect(await outcome('--check')).toMatchObject({ code: 2, stderr: expect.stringContaining('--inventory') as string });
  });

  it('tries a hook by hand', async () => {
    h.script('configure.sh', 'read -r blob; echo "$BIGFLEET_MACHINE_ID joins $BIGFLEET_CLUSTER with $blob"');
    h.script('drain.sh', 'exit 4');
    h.inventory(fleet);
    h.write('blob', 'short\n');
    const good = await outcome('--inventory', 'fleet.yaml', '--try', 'configure', '--machine', 'a', '--cluster', 'prod', '--blob', 'blob');
    expect(good).toMatchObject({ code: 0, stdout: 'configure of a: done\n' });
    expect(good.stderr).toContain('a joins prod with short');
    expect(await outcome('--inventory', 'fleet.yaml', '--try', 'drain', '--machine', 'a')).toMatchObject({ code: 1, stderr: expect.stringContaining('hook drain ended with exit code 4') as string });
    expect(await outcome('--inventory', 'fleet.yaml', '--try', 'powerOn', '--machine', 'a')).toMatchObject({ code: 2, stderr: '--try: machine a has no hook powerOn; it has configure, drain\n' });
    expect(await outcome('--inventory', 'fleet.yaml', '--try', 'drain', '--machine', 'z')).toMatchObject({ code: 2, stderr: expect.stringContaining('names no machine "z"') as string });
  });

  it('tells in its help where the state is, and what the file looks like', async () => {
    const { stdout } = await outcome('--help');
    expect(stdout.replace(/\s+/g, ' ')).toContain('keep the state in this folder (default: ./static-state)');
    const shortest = /The shortest inventory file:\n([^]*?)\n\n/.exec(stdout)![1]!.replace(/^ {2}/gm, '').replace(/ {6}the bootstrap blob.*$/m, '');
    h.script('configure.sh', '');
    h.script('drain.sh', '');
    expect(parseInventory(shortest, h.path('fleet.yaml')).machines.size).toBe(41);
  });

  it('passes on that a machine is clean again', async () => {
    expect(await outcome('--state', 'state', '--recover', 'a')).toMatchObject({ code: 2 });
    fs.mkdirSync(h.path('state'));
    expect(await outcome('--state', 'state', '--recover', 'a')).toMatchObject({ code: 0 });
    expect(fs.existsSync(h.path('state/recover/a'))).toBe(true);
  });

  it.runIf(process.getuid?.() === 0)('leaves what root says where the user of the provider can read it', async () => {
    fs.mkdirSync(h.path('state'));
    fs.chownSync(h.path('state'), 65534, 65533);
    await outcome('--state', 'state', '--recover', 'a');
    const { uid, gid } = fs.statSync(h.path('state/recover'));
    expect([uid, gid]).toEqual([65534, 65533]);
  });

  it('refuses to pass on what cannot be', async () => {
    fs.mkdirSync(h.path('state'));
    expect(await outcome('--state', 'state', '--recover', '../a')).toMatchObject({ code: 2 });
    h.write('other', '');
    expect(await outcome('--state', 'other', '--recover', 'a')).toMatchObject({ code: 2, stderr: expect.stringMatching(/^--recover: .*; say it as the user that the provider runs as\n/) as string });
  });
});
