import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, stateName, unfenced } from '../testing/rpc.ts';
import { StaticHarness, type LogLine } from '../testing/static-harness.ts';
import { MOVED, NOT_LISTED } from './host-holders.ts';
import { RecoveryRequests } from './recovery-requests.ts';

let h: StaticHarness;
beforeEach(() => {
  h = new StaticHarness();
  for (const name of ['configure.sh', 'drain.sh', 'power.sh']) h.script(name, 'cat > /dev/null; echo $BIGFLEET_HOOK $BIGFLEET_MACHINE_ID ${1-$BIGFLEET_ADDRESS} $BIGFLEET_CLUSTER >> told');
});
afterEach(() => h.close());

const fleet = (...machines: readonly string[]): string => `version: 1
defaults: {zone: z, instanceType: t, resources: {cpu: 8}, hooks: {configure: {run: [./configure.sh]}, drain: {run: [./drain.sh, "{address}"]}}}
machines:
${machines.map((machine) => `  - {${machine}}`).join('\n')}
`;
const power = 'hooks: {powerOn: {run: [./power.sh]}, powerOff: {run: [./power.sh]}}';

const reload = async (...machines: readonly string[]): Promise<void> => {
  h.inventory(fleet(...machines));
  h.static.reload();
  await h.static.provider.reconcile();
};
const states = async (): Promise<string[]> => (await h.rpc.list()).machines.map((machine) => `${machine.id} ${stateName(machine)}${machine.cluster && ` ${machine.cluster}`}`).sort();
const told = (): string[] => h.read('told').trim().split('\n');
const joins = (id: string, cluster: string): Promise<void> => h.until(id, 'Configured', h.rpc.configure(id, { cluster }, unfenced));
const taken = (id: string, address: string): string => `its line in the inventory file names the host of "${id}" (address "${address}"), which has it until it is drained`;
const isKept = ({ msg }: LogLine): boolean => String(msg).startsWith('the inventory file names another host for this machine');

describe('a host whose line gets a new id', () => {
  it('is offered under it when the old one is drained, and not before', async () => {
    h.inventory(fleet('id: old, address: 10.0.0.1'));
    await h.start();
    await joins('old', 'A');
    await reload('id: new, address: 10.0.0.1');
    expect(await states()).toEqual(['old CONFIGURED A']);
    expect(h.watch.find(({ msg }) => msg === `this machine is not offered: ${taken('old', '10.0.0.1')}`)).toMatchObject({ level: 'warn', machine: 'new' });
    expect(await codeOf(h.rpc.configure('new', { cluster: 'B' }))).toBe('NOT_FOUND');
    await h.until('old', 'Failed', h.rpc.drain('old', 0, unfenced));
    await h.static.provider.reconcile();
    await joins('new', 'B');
    expect(told()).toEqual(['configure old 10.0.0.1 A', 'drain old 10.0.0.1 A', 'configure new 10.0.0.1 B']);
  });

  it('is not switched off under the old one either', async () => {
    const host = `address: 10.0.0.1, providerId: "metal:///1", ${power}`;
    h.inventory(fleet(`id: old, ${host}`));
    await h.start();
    await h.until('old', 'Idle', h.rpc.create('old'));
    await joins('old', 'A');
    await reload(`id: new, ${host}`);
    expect([await states(), await codeOf(h.rpc.create('new'))]).toEqual([['old CONFIGURED A'], 'NOT_FOUND']);
  });

  it('is not given back to its first line while it serves under the second', async () => {
    h.inventory(fleet('id: old, address: 10.0.0.1'));
    await h.start();
    await reload('id: new, address: 10.0.0.1');
    await joins('new', 'B');
    await reload('id: old, address: 10.0.0.1');
    await h.clock.advance(60_000);
    expect(await states()).toEqual(['new CONFIGURED B', 'old FAILED']);
    const back = h.becomes('old', 'Idle');
    await h.until('new', 'Failed', h.rpc.drain('new', 0, unfenced));
    await h.pass(back);
  });

  it('waits for one that has FAILED, as well', async () => {
    h.script('configure.sh', 'exit 1');
    h.inventory(fleet('id: old, address: 10.0.0.1'));
    await h.start();
    await h.until('old', 'Failed', h.rpc.configure('old', { cluster: 'A' }));
    await reload('id: new, address: 10.0.0.1');
    await h.stop();
    await h.start();
    expect(await states()).toEqual(['old FAILED A']);
    expect(h.watch.find(({ msg }) => String(msg).includes('names the host of "old" (address "10.0.0.1"), which is FAILED and may not be clean'))).toMatchObject({ machine: 'new' });
    new RecoveryRequests(h.path('state/recover')).ask('old'); // its host is clean
    await h.pass(h.watch.has(({ msg, machine }) => msg === 'machine failed' && machine === 'old'));
    await h.pass(h.watch.has(({ lastError }) => lastError === NOT_LISTED));
    await h.static.provider.reconcile();
    expect(await states()).toEqual(['new IDLE', 'old FAILED']);
  });
});

describe('a machine that is on, and whose line gets another address', () => {
  const at = (address: string): string => `id: a, address: ${address}, ${power}`;
  const hasMoved = ({ lastError }: LogLine): boolean => lastError === MOVED;
  const served = ['powerOn a 10.0.0.9', 'configure a 10.0.0.9 A'];
  beforeEach(() => h.script('power.sh', 'echo $BIGFLEET_HOOK $BIGFLEET_MACHINE_ID $BIGFLEET_ADDRESS >> told'));

  it('is a slot again, so that the other host is switched on before it joins', async () => {
    h.inventory(fleet(at('10.0.0.1')));
    await h.start();
    await h.until('a', 'Idle', h.rpc.create('a'));
    const off = h.becomes('a', 'Speculative');
    await reload(at('10.0.0.9'));
    expect([h.watch.find(hasMoved), await codeOf(h.rpc.configure('a'))]).toEqual([expect.objectContaining({ machine: 'a' }), 'INTERNAL']);
    await h.pass(off);
    await h.until('a', 'Idle', h.rpc.create('a'));
    await joins('a', 'A');
    expect(told()).toEqual(['powerOn a 10.0.0.1', ...served]);
  });

  it('as well when it changed while nobody looked', async () => {
    h.inventory(fleet(at('10.0.0.1')));
    await h.start();
    await h.until('a', 'Idle', h.rpc.create('a'));
    await h.stop();
    h.inventory(fleet(at('10.0.0.9')));
    await h.start();
    expect(h.watch.find(hasMoved)).toMatchObject({ machine: 'a' });
    await h.pass(h.watch.has(({ to }) => to === 'Speculative'));
  });

  it('serves until it is drained, where it was', async () => {
    h.inventory(fleet(at('10.0.0.1')));
    await h.start();
    await h.until('a', 'Idle', h.rpc.create('a'));
    await joins('a', 'A');
    await reload(at('10.0.0.9'));
    expect((await h.look('a'))[0]).toBe('CONFIGURED');
    const off = h.becomes('a', 'Speculative');
    await h.until('a', 'Failed', h.rpc.drain('a', 0, unfenced));
    await h.pass(off);
    await h.until('a', 'Idle', h.rpc.create('a', unfenced));
    await joins('a', 'A');
    expect(told()).toEqual(['powerOn a 10.0.0.1', 'configure a 10.0.0.1 A', 'drain a 10.0.0.1 A', ...served]);
  });

  it('after it had none for a while', async () => {
    h.inventory(fleet(at('10.0.0.1'), 'id: b'));
    await h.start();
    await h.until('a', 'Idle', h.rpc.create('a'));
    await reload('id: b');
    expect(await h.look('a')).toEqual(['FAILED', NOT_LISTED]);
    const off = h.becomes('a', 'Speculative');
    await reload(at('10.0.0.9'), 'id: b');
    await h.pass(off);
  });

  it('and has no hook that switches it on, goes on there at once', async () => {
    h.inventory(fleet('id: a, address: 10.0.0.1'));
    await h.start();
    await reload('id: a, address: 10.0.0.9');
    await joins('a', 'A');
    expect(told()).toEqual(['configure a 10.0.0.9 A']);
  });
});

describe('lines that swap their addresses', () => {
  const before = ['id: a, address: 10.0.0.1', 'id: b, address: 10.0.0.2'];
  const after = ['id: a, address: 10.0.0.2', 'id: b, address: 10.0.0.1'];

  it('do so when the one that serves is drained: until then it keeps its host, and nobody else gets it', async () => {
    h.inventory(fleet(...before));
    await h.start();
    await joins('a', 'A');
    await reload(...after);
    expect(await h.look('b')).toEqual(['FAILED', taken('a', '10.0.0.1')]);
    expect(h.watch.find(isKept)).toMatchObject({ level: 'warn', machine: 'a', address: '10.0.0.1', line: '10.0.0.2' });
    await h.clock.advance(60_000);
    expect(await states()).toEqual(['a CONFIGURED A', 'b FAILED']);
    const free = h.becomes('b', 'Idle');
    await h.until('a', 'Idle', h.rpc.drain('a', 0, unfenced));
    await h.pass(free);
    await joins('a', 'A');
    await joins('b', 'B');
    expect(told()).toEqual(['configure a 10.0.0.1 A', 'drain a 10.0.0.1 A', 'configure a 10.0.0.2 A', 'configure b 10.0.0.1 B']);
  });

  it('one after the other make no difference', async () => {
    h.inventory(fleet(...before));
    await h.start();
    await joins('a', 'A');
    await reload('id: a, address: 10.0.0.9', 'id: b, address: 10.0.0.2');
    await reload('id: a, address: 10.0.0.9', 'id: b, address: 10.0.0.1');
    expect(await h.look('b')).toEqual(['FAILED', taken('a', '10.0.0.1')]);
  });

  it('while nobody looks make no difference, and neither do restarts', async () => {
    h.inventory(fleet(...before));
    await h.start();
    await joins('a', 'A');
    for (let restart = 0; restart < 2; restart++) {
      await h.stop();
      h.inventory(fleet(...after));
      await h.start();
      expect(await h.look('b')).toEqual(['FAILED', taken('a', '10.0.0.1')]);
    }
    await h.until('a', 'Idle', h.rpc.drain('a', 0, unfenced));
    await joins('a', 'A');
    await h.stop();
    await h.start();
    await h.until('a', 'Idle', h.rpc.drain('a', 0, unfenced));
    expect(told()).toEqual(['configure a 10.0.0.1 A', 'drain a 10.0.0.1 A', 'configure a 10.0.0.2 A', 'drain a 10.0.0.2 A']);
  });

  it('are the file\'s word at once while nobody serves', async () => {
    h.inventory(fleet(...before));
    await h.start();
    await reload(...after);
    await joins('b', 'B');
    expect([told(), h.watch.find(isKept)]).toEqual([['configure b 10.0.0.1 B'], undefined]);
  });
});

it('a machine that FAILED is cleaned where it was, whatever its line says by now', async () => {
  const recover = 'hooks: {recover: {run: [./recover.sh]}}';
  h.script('drain.sh', 'exit 1');
  h.script('recover.sh', 'echo recover $BIGFLEET_ADDRESS >> told; [ -e clean ]');
  h.inventory(fleet(`id: a, address: 10.0.0.1, ${recover}`));
  await h.start();
  await joins('a', 'A');
  await h.until('a', 'Failed', h.rpc.drain('a', 0, unfenced));
  await h.watch.has(({ msg }) => String(msg).startsWith('machine stays FAILED'));
  await reload(`id: a, address: 10.0.0.9, ${recover}`);
  const back = h.becomes('a', 'Idle');
  h.write('clean', '');
  await h.pass(back);
  await joins('a', 'A');
  expect(told()).toEqual(['configure a 10.0.0.1 A', 'recover 10.0.0.1', 'recover 10.0.0.1', 'configure a 10.0.0.9 A']);
});

it('a line that is removed and comes back while its machine serves changes nothing', async () => {
  h.inventory(fleet('id: a, address: 10.0.0.1', 'id: b'));
  await h.start();
  await joins('a', 'A');
  await reload('id: b');
  await reload('id: a, address: 10.0.0.1', 'id: b');
  await h.until('a', 'Idle', h.rpc.drain('a', 0, unfenced));
  expect([(await h.look('a'))[0], h.watch.find(({ lastError }) => lastError === NOT_LISTED)]).toEqual(['IDLE', undefined]);
});

describe('without the memory of which machine has which host', () => {
  const forget = async (): Promise<void> => {
    await h.stop();
    fs.rmSync(h.path('state/machines.json'));
  };

  it('nothing starts while a machine that serves has no line: its host could be that of any other', async () => {
    h.inventory(fleet('id: a, address: 10.0.0.1', 'id: b'));
    await h.start();
    await joins('a', 'A');
    await forget();
    h.inventory(fleet('id: new, address: 10.0.0.1', 'id: b'));
    for (let tries = 0; tries < 2; tries++) await expect(h.start()).rejects.toThrow(/machines\.json is missing, .*: a \(Configured, cluster A\)\. Restore it, or start with their lines/);
    h.inventory(fleet('id: a, address: 10.0.0.1', 'id: b'));
    await h.start();
    await reload('id: new, address: 10.0.0.1', 'id: b');
    expect(await states()).toEqual(['a CONFIGURED A', 'b IDLE']);
    await h.until('a', 'Failed', h.rpc.drain('a', 0, unfenced));
    expect(told()).toEqual(['configure a 10.0.0.1 A', 'drain a 10.0.0.1 A']);
  });

  it('what has no host needs no line', async () => {
    h.inventory(fleet('id: a, address: 10.0.0.1', 'id: b', `id: c, ${power}`));
    await h.start();
    await reload('id: b');
    await forget();
    await h.start();
    expect(await states()).toEqual(['a FAILED', 'b IDLE', 'c FAILED']);
  });
});
