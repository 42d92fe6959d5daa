import { randomBytes } from 'node:crypto';
import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { stateName } from '../testing/rpc.ts';
import { StaticHarness } from '../testing/static-harness.ts';

let h: StaticHarness;
beforeEach(() => void (h = new StaticHarness()));
afterEach(() => h.close());

const fleet = (more: { hooks?: string; machines?: string; top?: string } = {}): string => `
version: 1
${more.top ?? ''}
defaults:
  zone: rack-1
  instanceType: nuc
  resources: {cpu: 8, memory: 32Gi}
  hooks:
    configure: {run: [./configure.sh]}
    drain: {run: [./drain.sh]}
${more.hooks ?? ''}
machines:
${more.machines ?? '  - {id: h1, address: 10.0.0.1}'}
`;
const power = `
    powerOn: {run: [./on.sh]}
    powerOff: {run: [./off.sh]}`;

function scripts(configure = 'cat > blob-of-$BIGFLEET_MACHINE_ID'): void {
  h.script('configure.sh', configure);
  h.script('drain.sh', 'env | sort > drain.env');
  h.script('on.sh', 'echo on >> power');
  h.script('off.sh', 'echo off >> power');
  h.script('recover.sh', 'env | sort > recover.env');
}

describe('a machine that is always on', () => {
  it('is Idle from the start, joins with the blob byte for byte, and leaves', async () => {
    scripts('env | sort > configure.env; cat > blob');
    h.inventory(fleet({ machines: '  - {id: h1, address: 10.0.0.1, labels: {rack: r7}, variables: {SSH_USER: "core-{id}"}}' }));
    await h.start();
    expect(await h.look('h1')).toEqual(['IDLE', '']);
    const blob = randomBytes(1_000_000);
    const configured = h.becomes('h1', 'Configured');
    const { operationId } = await h.rpc.configure('h1', { cluster: 'prod', blob });
    await configured;
    expect(fs.readFileSync(h.path('blob')).equals(blob)).toBe(true);
    const environment = h.read('configure.env').split('\n');
    for (const line of [
      'BIGFLEET_HOOK=configure', 'BIGFLEET_MACHINE_ID=h1', 'BIGFLEET_ADDRESS=10.0.0.1', 'BIGFLEET_CLUSTER=prod', `BIGFLEET_OPERATION_ID=${operationId}`,
      'BIGFLEET_ATTEMPT=1', 'BIGFLEET_INSTANCE_TYPE=nuc', 'BIGFLEET_ZONE=rack-1', 'BIGFLEET_PROVIDER_ID=static:///h1', 'SSH_USER=core-h1', 'BIGFLEET_TIMEOUT_SECONDS=300',
      'BIGFLEET_NODE_LABELS=bigfleet.lucy.sh/machine-id=h1,node.kubernetes.io/instance-type=nuc,topology.kubernetes.io/zone=rack-1,rack=r7',
    ]) expect(environment).toContain(line);
    expect((await h.rpc.get('h1')).host).toEqual({ provider: 'static', ref: 'static:///h1' });

    await h.until('h1', 'Idle', h.rpc.drain('h1', 45));
    const drained = h.read('drain.env').split('\n');
    for (const line of ['BIGFLEET_HOOK=drain', 'BIGFLEET_CLUSTER=prod', 'BIGFLEET_GRACE_SECONDS=45']) expect(drained).toContain(line);
    expect((await h.rpc.get('h1')).cluster).toBe('');
  });

  it('can be given back and taken again although nothing switches it', async () => {
    scripts();
    h.inventory(fleet());
    await h.start();
    await h.until('h1', 'Speculative', h.rpc.delete('h1'));
    await h.until('h1', 'Idle', h.rpc.create('h1'));
    expect((await h.rpc.get('h1')).host?.ref).toBe('static:///h1');
  });
});

it('a machine with power hooks is a slot until it is switched on', async () => {
  scripts();
  h.inventory(fleet({ hooks: power }));
  await h.start();
  expect(await h.look('h1')).toEqual(['SPECULATIVE', '']);
  await h.until('h1', 'Idle', h.rpc.create('h1'));
  await h.until('h1', 'Speculative', h.rpc.delete('h1'));
  expect(h.read('power')).toBe('on\noff\n');
});

describe('a hook that does not succeed', () => {
  it('turns the machine FAILED with its exit code and its last words, and is not run again', async () => {
    scripts('echo again >> runs; echo starting; echo "no route to 10.0.0.1" >&2; exit 3');
    h.inventory(fleet());
    await h.start();
    await h.until('h1', 'Failed', h.rpc.configure('h1'));
    const [state, lastError] = await h.look('h1');
    expect(state).toBe('FAILED');
    expect(lastError).toMatch(/^Configure failed: hook configure ended with exit code 3 \(attempt 1 of 3\); it said: /);
    expect(lastError).toContain('no route to 10.0.0.1');
    expect(h.read('runs')).toBe('again\n');
  });

  it.each([75, 255])('is run again after exit code %i, with growing pauses', async (code) => {
    scripts(`echo $BIGFLEET_ATTEMPT >> runs; [ $BIGFLEET_ATTEMPT = 3 ] || exit ${code}`);
    h.inventory(fleet());
    await h.start();
    await h.skipPauses(h.until('h1', 'Configured', h.rpc.configure('h1')));
    expect(h.read('runs')).toBe('1\n2\n3\n');
    const pauses = h.watch.lines.flatMap(({ againInMs }) => againInMs ?? []);
    expect(pauses).toEqual([4_000, 7_000]); // the middle of 2…6 s, then of 2…12 s
  });

  it('is given up after its last attempt', async () => {
    scripts('echo $BIGFLEET_ATTEMPT >> runs; exit 9');
    h.inventory(fleet().replace('{run: [./configure.sh]}', '{run: [./configure.sh], attempts: 2, retryOn: [9]}'));
    await h.start();
    await h.skipPauses(h.until('h1', 'Failed', h.rpc.configure('h1')));
    expect(h.read('runs')).toBe('1\n2\n');
    expect((await h.look('h1'))[1]).toContain('exit code 9 (attempt 2 of 2)');
  });

  it('cannot be started at all: that is said', async () => {
    scripts();
    h.inventory(fleet());
    await h.start();
    fs.rmSync(h.path('configure.sh'));
    await h.until('h1', 'Failed', h.rpc.configure('h1'));
    expect((await h.look('h1'))[1]).toMatch(/hook configure could not be started: .*ENOENT/);
  });
});

it('what a hook writes is logged with its machine, never the blob', async () => {
  scripts('set -x; read -r blob; echo "joining with $blob"; echo done');
  h.inventory(fleet());
  await h.start();
  const configured = h.becomes('h1', 'Configured');
  const { operationId } = await h.rpc.configure('h1', { blob: Buffer.from('join --token abcdef.0123456789abcdef\n') });
  await configured;
  expect(await h.watch.said('done')).toMatchObject({ machine: 'h1', hook: 'configure', operation: operationId, stream: 'stdout' });
  expect(await h.watch.has(({ line }) => String(line).startsWith('joining'))).toMatchObject({ line: 'joining with join --token [redacted]' });
  expect(h.watch.text).not.toContain('0123456789abcdef');
});

it('a node that has to be ready is asked for until it is', async () => {
  scripts();
  h.script('ready.sh', 'echo asked >> asked; [ $(wc -l < asked) = 3 ]');
  h.inventory(fleet({ hooks: '    ready: {run: [./ready.sh], every: 7s}' }));
  await h.start();
  await h.skipPauses(h.until('h1', 'Configured', h.rpc.configure('h1')));
  expect(h.read('asked')).toBe('asked\nasked\nasked\n');
});

it('a node that is never ready fails the machine when its time is up', async () => {
  scripts();
  h.script('ready.sh', 'echo not registered; exit 1');
  h.inventory(fleet({ hooks: '    ready: {run: [./ready.sh], every: 10s, within: 30s}' }));
  await h.start();
  await h.skipPauses(h.until('h1', 'Failed', h.rpc.configure('h1')));
  expect((await h.look('h1'))[1]).toBe('Configure failed: hook ready ended with exit code 1 (asked 3 times); it said: not registered');
});

describe('a FAILED machine', () => {
  it('comes back when its recover hook has cleaned it', async () => {
    scripts('exit 1');
    h.inventory(fleet({ hooks: '    recover: {run: [./recover.sh]}' }));
    await h.start();
    await h.until('h1', 'Idle', h.rpc.configure('h1', { cluster: 'prod' }));
    const environment = h.read('recover.env');
    expect(environment).toContain('BIGFLEET_CLUSTER=prod\n');
    expect(environment).toContain('BIGFLEET_LAST_ERROR=Configure failed: hook configure ended with exit code 1');
    expect(await h.look('h1')).toEqual(['IDLE', '']);
  });

  it('whose recovery does not succeed is tried again later, and said once', async () => {
    scripts('exit 1');
    h.script('recover.sh', 'echo x >> tries; [ $(wc -l < tries) = 4 ]');
    h.inventory(fleet({ hooks: '    recover: {run: [./recover.sh]}' }));
    await h.start();
    const back = h.becomes('h1', 'Idle');
    await h.rpc.configure('h1');
    const times = (what: string, n: number) => h.watch.has(() => h.watch.lines.filter(({ hook, msg }) => hook === 'recover' && msg === what).length === n);
    for (let tries = 1; tries < 4; tries++) {
      await times('hook has ended', tries);
      await h.pass(times('hook begins', tries + 1));
    }
    await back;
    expect(h.read('tries')).toBe('x\nx\nx\nx\n');
    expect(h.watch.lines.filter(({ msg }) => String(msg).includes('its recover hook is run again'))).toHaveLength(1);
  });

  it('is not taken for clean because somebody said so before it failed', async () => {
    scripts('exit 1');
    h.inventory(fleet());
    await h.start();
    fs.mkdirSync(h.path('state/recover'), { recursive: true });
    h.write('state/recover/h1', '');
    await h.until('h1', 'Failed', h.rpc.configure('h1'));
    await h.clock.advance(60_000);
    expect([(await h.look('h1'))[0], fs.existsSync(h.path('state/recover/h1'))]).toEqual(['FAILED', false]);
    expect(h.watch.find(({ msg }) => String(msg).startsWith('a --recover from before this failure'))).toMatchObject({ level: 'warn', machine: 'h1' });
  });

  it('says so where it cannot see what a person has said, and tries its recover hook all the same', async () => {
    scripts('exit 1');
    h.inventory(fleet({ hooks: '    recover: {run: [./recover.sh]}' }));
    await h.start();
    h.write('state/recover', ''); // no folder
    const back = h.becomes('h1', 'Idle');
    await h.until('h1', 'Failed', h.rpc.configure('h1'));
    await back;
    expect(h.watch.find(({ msg }) => String(msg).startsWith('a --recover of this machine cannot be read'))).toMatchObject({ level: 'error', machine: 'h1' });
  });

  it('stays so without a recover hook, until a person says that it is clean', async () => {
    scripts('exit 1');
    h.inventory(fleet());
    await h.start();
    await h.until('h1', 'Failed', h.rpc.configure('h1'));
    await h.clock.advance(300_000);
    expect((await h.look('h1'))[0]).toBe('FAILED');
    const back = h.becomes('h1', 'Idle');
    fs.mkdirSync(h.path('state/recover'), { recursive: true });
    h.write('state/recover/h1', '');
    await h.pass(back);
    expect(fs.existsSync(h.path('state/recover/h1'))).toBe(false);
  });
});

it('no more hooks run at a time than the file says', async () => {
  scripts('touch running-$BIGFLEET_MACHINE_ID; ls | grep -c ^running- >> seen; echo begun; until [ -e go ]; do sleep 0.02; done; rm running-$BIGFLEET_MACHINE_ID');
  h.inventory(fleet({ top: 'concurrency: 2', machines: '  - {ids: "h[1-5]"}' }));
  await h.start();
  const ids = ['h1', 'h2', 'h3', 'h4', 'h5'];
  const all = Promise.all(ids.map((id) => h.becomes(id, 'Configured')));
  await Promise.all(ids.map((id) => h.rpc.configure(id)));
  await h.watch.has(() => h.watch.lines.filter(({ line }) => line === 'begun').length === 2);
  h.write('go', '');
  await all;
  expect(Math.max(...h.read('seen').trim().split('\n').map(Number))).toBe(2);
  expect((await h.rpc.list()).machines.every((machine) => stateName(machine) === 'CONFIGURED')).toBe(true);
});
