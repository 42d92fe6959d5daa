import { chmodSync, closeSync, copyFileSync, existsSync, openSync } from 'node:fs';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { unfenced } from '../testing/rpc.ts';
import { StaticHarness } from '../testing/static-harness.ts';

let h: StaticHarness;
beforeEach(() => {
  h = new StaticHarness();
  h.script('drain.sh', 'true');
});
afterEach(() => h.close());

const inventory = (hook = '', top = ''): string => `version: 1
${top}
defaults: {zone: z, instanceType: t, resources: {cpu: 8}}
machines:
  - id: a
    hooks: {configure: {run: [./configure.sh]${hook}}, drain: {run: [./drain.sh]}}
`;
/** A hook that waits for a file, and keeps what it is given. */
const waiting = 'cat > blob; echo $BIGFLEET_OPERATION_ID >> runs; echo begun; until [ -e go ]; do sleep 0.02; done; echo ended';

describe('a hook that hangs', () => {
  it('is ended at its timeout and tried again; then the machine is FAILED', async () => {
    h.script('configure.sh', 'echo begun; exec sleep 1000');
    h.inventory(inventory(', timeout: 5s, attempts: 2, killAfter: 10000h'));
    await h.start();
    const failed = h.becomes('a', 'Failed');
    await h.rpc.configure('a');
    for (let attempt = 1; attempt <= 2; attempt++) {
      await h.watch.has(() => h.watch.lines.filter(({ line }) => line === 'begun').length === attempt);
      await h.clock.advance(5_000);
      await h.pass(h.watch.has(() => h.watch.lines.filter(({ msg }) => msg === 'hook was ended after 5 s').length === attempt));
      await h.clock.advance(4_000); // the pause
    }
    await failed;
    expect((await h.look('a'))[1]).toBe('Configure failed: hook configure took longer than 5 s and was ended (attempt 2 of 2); it said: begun');
  });

  it('and does not listen is killed, and only then does its recovery begin', async () => {
    h.script('configure.sh', 'trap "" TERM; echo $$ > pid; echo begun; while true; do sleep 0.05; done');
    h.script('recover.sh', 'kill -0 $(cat pid) 2> /dev/null && ps -o stat= -p $(cat pid) | grep -vq Z && echo still there > overlap; true');
    h.inventory(inventory(', timeout: 5s, attempts: 1, killAfter: 3s').replace('drain: {', 'recover: {run: [./recover.sh]}, drain: {'));
    await h.start();
    const back = h.becomes('a', 'Idle');
    await h.rpc.configure('a');
    await h.watch.said('begun');
    await h.clock.advance(5_000);
    await h.clock.advance(3_000);
    await h.pass(h.watch.has(({ msg, killed }) => msg === 'hook was ended after 5 s' && killed === true));
    await back;
    expect(() => h.read('overlap')).toThrow(/ENOENT/);
  });
});

describe('a hook that cannot be ended', () => {
  /** As if what it starts ran as somebody else. */
  const kill = process.kill.bind(process);
  const deaf = (): void => void vi.spyOn(process, 'kill').mockImplementation((pid, signal) => signal === 0 ? kill(pid, 0) : true);
  const begins = (hook: string): number => h.watch.lines.filter((line) => line['hook'] === hook && line['msg'] === 'hook begins').length;
  afterEach(() => void vi.restoreAllMocks());

  async function stuck(): Promise<number> {
    h.script('configure.sh', 'echo $$ > pid; echo begun; exec sleep 1000');
    h.script('recover.sh', 'true');
    h.inventory(inventory(', timeout: 5s, attempts: 3, killAfter: 3s').replace('drain: {', 'recover: {run: [./recover.sh]}, drain: {'));
    await h.start();
    await h.rpc.configure('a');
    await h.watch.said('begun');
    return Number(h.read('pid'));
  }

  it('is the last one on its machine until it has gone, and the machine is FAILED and says so', async () => {
    const pid = await stuck();
    deaf();
    await h.pass(h.becomes('a', 'Failed'));
    expect((await h.look('a'))[1]).toBe(`Configure failed: hook configure took longer than 5 s and was ended by SIGKILL, but ${pid} of its processes did not end (attempt 1 of 3); it said: begun`);
    await h.pass(h.watch.has(({ msg }) => String(msg).startsWith('machine stays FAILED')));
    expect(h.watch.find(({ msg }) => String(msg).startsWith('machine stays FAILED'))).toMatchObject({
      lastError: `hook recover was not begun: process ${pid} of an earlier hook of this machine cannot be ended, and nothing is run on it meanwhile`,
    });
    await h.clock.advance(300_000);
    expect([begins('configure'), begins('recover')]).toEqual([1, 0]);
    const back = h.becomes('a', 'Idle');
    kill(pid, 'SIGKILL');
    await h.pass(back);
    expect(begins('recover')).toBe(1);
  });

  it('is so after a restart as well', async () => {
    const pid = await stuck();
    deaf();
    await h.pass(h.stop());
    const failed = h.becomes('a', 'Failed');
    await h.pass(h.start());
    await failed;
    expect([(await h.look('a'))[1], begins('configure')]).toEqual([`Configure failed: hook configure was not begun: process ${pid} of an earlier hook of this machine cannot be ended, and nothing is run on it meanwhile`, 1]);
    kill(pid, 'SIGKILL');
  });
});

it('a drain has its time after the grace period', async () => {
  h.script('configure.sh', 'true');
  h.script('drain.sh', 'echo begun; until [ -e go ]; do sleep 0.02; done');
  h.inventory(inventory().replace('[./drain.sh]', '[./drain.sh], timeout: 5s'));
  await h.start();
  await h.until('a', 'Configured', h.rpc.configure('a'));
  const idle = h.becomes('a', 'Idle');
  await h.rpc.drain('a', 20);
  await h.watch.said('begun');
  await h.clock.advance(24_999);
  h.write('go', '');
  await idle;
  expect(h.watch.find(({ msg }) => String(msg).startsWith('hook was ended'))).toBeUndefined();
});

describe('when the provider is told to end', () => {
  async function configuring(): Promise<string> {
    h.script('configure.sh', waiting);
    h.inventory(inventory());
    await h.start();
    const { operationId } = await h.rpc.configure('a', { blob: Buffer.from('the blob') });
    await h.watch.said('begun');
    return operationId;
  }

  it('a hook that ends in time has done its work', async () => {
    await configuring();
    const stopped = h.stop();
    await h.watch.has(({ msg }) => msg === 'waiting for running hooks to end');
    h.write('go', '');
    await stopped;
    await h.start();
    expect([(await h.look('a'))[0], h.read('runs').trim().split('\n').length]).toEqual(['CONFIGURED', 1]);
  });

  it('one that does not is ended, not silently, and the next start runs it again with the same operation and blob', async () => {
    const operationId = await configuring();
    const stopped = h.stop();
    await h.watch.has(({ msg }) => msg === 'waiting for running hooks to end');
    await h.clock.advance(5_000);
    await h.pass(stopped);
    expect(h.watch.find(({ msg }) => String(msg).startsWith('hook is ended because the provider ends'))).toMatchObject({ level: 'warn', machine: 'a', hook: 'configure', operation: operationId });
    expect(h.watch.find(({ line }) => line === 'ended')).toBeUndefined();
    h.write('go', '');
    h.write('blob', '');
    const configured = h.becomes('a', 'Configured');
    await h.start();
    await configured;
    expect(h.read('runs')).toBe(`${operationId}\n${operationId}\n`);
    expect(h.read('blob')).toBe('the blob');
    expect((await h.rpc.configure('a', {}, unfenced)).operationId).toBe(operationId);
  });

  it('no further hook begins: what is accepted meanwhile is done after the next start', async () => {
    h.script('configure.sh', waiting);
    h.inventory(`${inventory()}  - {id: b, hooks: {configure: {run: [./other.sh]}, drain: {run: [./drain.sh]}}}\n`);
    h.script('other.sh', 'echo other');
    await h.start();
    await h.rpc.configure('a');
    await h.watch.said('begun');
    const stopped = h.static.close();
    await h.watch.has(({ msg }) => msg === 'waiting for running hooks to end');
    await h.rpc.configure('b');
    h.write('go', '');
    await stopped;
    expect(h.watch.find(({ line }) => line === 'other')).toBeUndefined();
    await h.stop();
    const configured = h.becomes('b', 'Configured');
    await h.start();
    await configured;
  });
});

describe('where onRestart has been changed', () => {
  async function interrupted(before: string, after: string, then: string): Promise<void> {
    h.script('configure.sh', waiting);
    h.inventory(inventory('', `onRestart: ${before}`));
    await h.start();
    h.inventory(inventory('', `onRestart: ${after}`));
    h.static.reload();
    await h.rpc.configure('a', { blob: Buffer.from('the blob') });
    await h.watch.said('begun');
    h.inventory(inventory('', `onRestart: ${then}`));
    const stopped = h.stop();
    await h.watch.has(({ msg }) => msg === 'waiting for running hooks to end');
    await h.clock.advance(5_000);
    await h.pass(stopped);
    h.write('blob', '');
    h.write('go', '');
  }

  it('what was accepted without keeping its blob is not run without it: the machine is FAILED, and says why', async () => {
    await interrupted('fail', 'fail', 'resume');
    const failed = h.becomes('a', 'Failed');
    await h.start();
    await failed;
    expect(await h.look('a')).toEqual(['FAILED', 'Configure failed: it was interrupted by a restart of the provider, and its bootstrap blob was not kept']);
    expect(h.read('runs').trim().split('\n')).toHaveLength(1);
  });

  it('what is accepted after the change can be resumed, with its blob', async () => {
    await interrupted('fail', 'resume', 'resume');
    const configured = h.becomes('a', 'Configured');
    await h.start();
    await configured;
    expect(h.read('blob')).toBe('the blob');
  });
});

it('where hooks must not be run twice, an interrupted operation fails the machine', async () => {
  h.script('configure.sh', waiting);
  h.inventory(inventory('', 'onRestart: fail'));
  await h.start();
  await h.rpc.configure('a');
  await h.watch.said('begun');
  const stopped = h.stop();
  await h.watch.has(({ msg }) => msg === 'waiting for running hooks to end');
  await h.clock.advance(5_000);
  await h.pass(stopped);
  await h.start();
  expect(await h.look('a')).toEqual(['FAILED', 'Configure was interrupted by a restart of the provider']);
  expect(h.read('runs').trim().split('\n')).toHaveLength(1);
});

it.runIf(existsSync('/proc/self'))('a hook that is being replaced when it is to be run is tried again', async () => {
  copyFileSync('/bin/true', h.path('configure.sh'));
  chmodSync(h.path('configure.sh'), 0o755);
  h.inventory(inventory());
  await h.start();
  const configured = h.becomes('a', 'Configured');
  const written = openSync(h.path('configure.sh'), 'r+'); // nothing is executed while it is open for writing
  await h.rpc.configure('a');
  const again = await h.watch.has(({ msg }) => String(msg).endsWith('trying again'));
  closeSync(written);
  await h.clock.advance(again['againInMs'] as number);
  await configured;
  expect(again).toMatchObject({ attempt: 1, of: 3, msg: expect.stringContaining('could not be started: spawn ETXTBSY') as string });
});
