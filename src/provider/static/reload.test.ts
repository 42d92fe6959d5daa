import * as fs from 'node:fs';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { codeOf, stateName, unfenced } from '../testing/rpc.ts';
import { StaticHarness, type LogLine } from '../testing/static-harness.ts';
import { NOT_LISTED } from './host-holders.ts';

let h: StaticHarness;
beforeEach(() => {
  h = new StaticHarness();
  h.script('configure.sh', 'cat > /dev/null; echo joined $BIGFLEET_ADDRESS');
  h.script('drain.sh', 'echo left $BIGFLEET_ADDRESS >> drained');
});
afterEach(() => h.close());

const fleet = (machines: readonly string[], more = ''): string => `version: 1
defaults: {zone: z, instanceType: t, resources: {cpu: 8}, hooks: {configure: {run: [./configure.sh]}, drain: {run: [./drain.sh]}}}
${more}
machines:
${machines.map((machine) => `  - {${machine}}`).join('\n')}
`;
const a = 'id: a, address: 10.0.0.1';
const b = 'id: b, address: 10.0.0.2';

/** Two looks at the file, and what follows from them. */
const looks = (): Promise<void> => h.clock.advance(4_000);
const ids = async (): Promise<string[]> => (await h.rpc.list()).machines.map((machine) => `${machine.id} ${stateName(machine)}`).sort();
const metrics = async (): Promise<string> => (await fetch(`http://127.0.0.1:${h.static.provider.metricsPort}/metrics`)).text();
const isRefused = ({ msg }: LogLine): boolean => msg === 'the inventory file cannot be used; the last good version stays in use';

describe('a new version of the file', () => {
  it('is taken over: new machines, prices, sizes, labels and hooks', async () => {
    h.inventory(fleet([a]));
    await h.start();
    h.script('other.sh', 'cat > /dev/null; echo otherwise');
    h.inventory(fleet([`${a}, pricePerHour: 0.5, resources: {cpu: 16}, labels: {x: y}, hooks: {configure: {run: [./other.sh]}}`, b]));
    await looks();
    expect(await ids()).toEqual(['a IDLE', 'b IDLE']);
    const machine = await h.rpc.get('a');
    expect([machine.pricePerHour, machine.resources?.resources, machine.labels]).toEqual([0.5, new Map([['cpu', '16']]), new Map([['x', 'y']])]);
    await h.until('a', 'Configured', h.rpc.configure('a'));
    await h.watch.said('otherwise');
  });

  it('is not taken while it is still being written', async () => {
    h.inventory(fleet([a]));
    await h.start();
    h.inventory(fleet([a, b]).slice(0, -12));
    await h.clock.advance(2_000);
    h.inventory(fleet([a, b]));
    await h.clock.advance(2_000);
    expect(h.watch.find(isRefused)).toBeUndefined();
    await h.clock.advance(2_000);
    expect(await ids()).toEqual(['a IDLE', 'b IDLE']);
  });

  it('that cannot be used is refused loudly, again and again, and the last good one stays', async () => {
    h.inventory(fleet([a]));
    await h.start();
    h.inventory(fleet([a, b, 'id: c, zone: ""']));
    await looks();
    expect(h.watch.find(isRefused)).toMatchObject({ level: 'error', problems: [expect.stringMatching(/fleet\.yaml:7: machines\[2\]: zone must not be empty/)] });
    expect([await ids(), h.static.isInventoryBroken]).toEqual([['a IDLE'], true]);
    expect(await metrics()).toContain('bigfleet_static_inventory_usable 0');
    await h.until('a', 'Configured', h.rpc.configure('a'));
    await h.clock.advance(300_000);
    expect(h.watch.lines.filter(isRefused)).toHaveLength(2);
    h.inventory(fleet([a, b]));
    await looks();
    expect([await ids(), h.static.isInventoryBroken]).toEqual([['a CONFIGURED', 'b IDLE'], false]);
  });

  it('that cannot be read at all changes nothing', async () => {
    h.inventory(fleet([a]));
    await h.start();
    fs.rmSync(h.path('fleet.yaml'));
    await looks();
    expect([await ids(), h.static.isInventoryBroken]).toEqual([['a IDLE'], true]);
  });

  it('is read at once when somebody asks', async () => {
    h.inventory(fleet([a]));
    await h.start();
    h.inventory(fleet([a, b]));
    h.static.reload();
    await h.clock.advance(0);
    expect(await ids()).toEqual(['a IDLE', 'b IDLE']);
  });

  it('that changes what never changes is warned of', async () => {
    h.inventory(fleet([a]));
    await h.start();
    h.inventory(fleet([`${a}, zone: elsewhere`]));
    await looks();
    expect(h.watch.find(({ changed }) => changed !== undefined)).toMatchObject({ level: 'warn', machine: 'a', changed: ['zone'] });
    expect((await h.rpc.get('a')).zone).toBe('z');
  });

  it('that changes what never changes leaves hooks with what the machine has, and with the rest of the file', async () => {
    const tell = 'echo $BIGFLEET_HOOK $BIGFLEET_INSTANCE_TYPE $BIGFLEET_ZONE $BIGFLEET_CAPACITY_TYPE $BIGFLEET_PROVIDER_ID $BIGFLEET_ADDRESS $BIGFLEET_NODE_LABELS >> told';
    for (const name of ['configure.sh', 'drain.sh', 'ready.sh', 'recover.sh']) h.script(name, name === 'drain.sh' ? `${tell}; exit 1` : tell);
    const hooks = 'hooks: {ready: {run: [./ready.sh]}, recover: {run: [./recover.sh]}}';
    h.inventory(fleet([`${a}, ${hooks}`]));
    await h.start();
    h.inventory(fleet([`id: a, address: 10.0.0.9, zone: elsewhere, instanceType: other, capacityType: Reserved, providerId: "metal:///9", ${hooks}`]));
    await looks();
    await h.until('a', 'Configured', h.rpc.configure('a'));
    const back = h.becomes('a', 'Idle');
    await h.until('a', 'Failed', h.rpc.drain('a'));
    await back;
    const facts = 't z BareMetal static:///a 10.0.0.9 bigfleet.lucy.sh/machine-id=a,node.kubernetes.io/instance-type=t,topology.kubernetes.io/zone=z';
    expect(h.read('told').trim().split('\n')).toEqual(['configure', 'ready', 'drain', 'recover'].map((hook) => `${hook} ${facts}`));
  });

  it('that changes the provider id of a machine that is off is what it has when it is created', async () => {
    h.script('power.sh', 'echo $BIGFLEET_HOOK $BIGFLEET_PROVIDER_ID $BIGFLEET_ZONE >> told');
    const hooks = 'hooks: {powerOn: {run: [./power.sh]}, powerOff: {run: [./power.sh]}}';
    h.inventory(fleet([`${a}, ${hooks}`]));
    await h.start();
    h.inventory(fleet([`${a}, providerId: "metal:///9", zone: elsewhere, ${hooks}`]));
    await looks();
    await h.until('a', 'Idle', h.rpc.create('a'));
    expect([(await h.rpc.get('a')).host?.ref, h.read('told')]).toEqual(['metal:///9', 'powerOn metal:///9 z\n']);
  });
});

it('a version in which two machines are one host is refused', async () => {
  h.inventory(fleet([a]));
  await h.start();
  h.inventory(fleet([a, 'id: b, address: 10.0.0.1']));
  await looks();
  expect(h.watch.find(isRefused)).toMatchObject({ problems: [expect.stringContaining('"b" has the address "10.0.0.1" of "a" (line 5)')] });
  expect(await ids()).toEqual(['a IDLE']);
});

it('a host gets a new id: not while the old one serves, and without a warning for ever after that', async () => {
  const host = 'address: 10.0.0.1, providerId: "metal:///1"';
  h.inventory(fleet([`id: old, ${host}`]));
  await h.start();
  await h.until('old', 'Configured', h.rpc.configure('old'));
  h.inventory(fleet([`id: new, ${host}`]));
  await looks();
  expect(await ids()).toEqual(['old CONFIGURED']);
  const isLeftOut = ({ msg }: LogLine): boolean => msg === 'this machine is not offered: its line in the inventory file names the host of "old" (address "10.0.0.1"), which has it until it is drained';
  expect(h.watch.find(isLeftOut)).toMatchObject({ level: 'warn', machine: 'new' });
  await h.until('old', 'Failed', h.rpc.drain('old'));
  const warned = h.watch.lines.filter(isLeftOut).length;
  await h.static.provider.reconcile();
  expect(await ids()).toEqual(['new IDLE', 'old FAILED']);
  expect(h.watch.lines.filter(isLeftOut)).toHaveLength(warned);
});

describe('a machine whose line is removed', () => {
  it('is never handed out again when it serves nobody', async () => {
    h.inventory(fleet([a, b]));
    await h.start();
    h.inventory(fleet([b]));
    await looks();
    expect(await h.look('a')).toEqual(['FAILED', NOT_LISTED]);
    expect(await codeOf(h.rpc.configure('a'))).toBe('INTERNAL');
    expect(await metrics()).toContain('bigfleet_static_withdrawn_machines 1');
    await h.clock.advance(3_600_000);
    expect((await h.look('a'))[0]).toBe('FAILED');
    expect(h.watch.lines.filter(({ msg }) => msg === 'machine failed')).toHaveLength(1);
  });

  it('goes on serving, can be drained by its own hook, and is not handed out after that', async () => {
    h.inventory(fleet([a, b]));
    await h.start();
    await h.until('a', 'Configured', h.rpc.configure('a', { cluster: 'prod' }));
    h.inventory(fleet([b]));
    await looks();
    expect(h.watch.find(({ msg }) => String(msg).includes('goes on serving'))).toMatchObject({ level: 'warn', machine: 'a', cluster: 'prod' });
    await h.clock.advance(3_600_000);
    expect((await h.look('a'))[0]).toBe('CONFIGURED');
    const page = await metrics();
    for (const line of ['inventory_usable 1', 'inventory_machines 1', 'unlisted_machines 1', 'hook_attempts_total{hook="configure",outcome="done"} 1', 'hooks_running 0']) {
      expect(page).toContain(`bigfleet_static_${line}`);
    }
    await h.until('a', 'Failed', h.rpc.drain('a'));
    expect(await h.look('a')).toEqual(['FAILED', NOT_LISTED]);
    expect(h.read('drained')).toBe('left 10.0.0.1\n');
  });

  it('also after restarts, and when the line went while nobody looked', async () => {
    h.inventory(fleet([a, b, 'id: c']));
    await h.start();
    await h.until('a', 'Configured', h.rpc.configure('a'));
    await h.stop();
    h.inventory(fleet([b]));
    await h.start();
    expect(await ids()).toEqual(['a CONFIGURED', 'b IDLE', 'c FAILED']);
    await h.stop();
    await h.start();
    await h.until('a', 'Failed', h.rpc.drain('a', 0, unfenced));
    expect(h.read('drained')).toBe('left 10.0.0.1\n');
    await h.stop();
    await h.start();
    expect(await ids()).toEqual(['a FAILED', 'b IDLE', 'c FAILED']);
  });

  it('comes back with its line', async () => {
    h.inventory(fleet([a, b]));
    await h.start();
    h.inventory(fleet([b]));
    await looks();
    const back = h.becomes('a', 'Idle');
    h.inventory(fleet([a, b]));
    await h.pass(back);
    expect(await h.look('a')).toEqual(['IDLE', '']);
  });

  it('does not come back if it was FAILED for another reason', async () => {
    h.script('configure.sh', 'exit 1');
    h.inventory(fleet([a, b]));
    await h.start();
    await h.until('a', 'Failed', h.rpc.configure('a'));
    h.inventory(fleet([b]));
    await looks();
    h.inventory(fleet([a, b]));
    await looks();
    await h.clock.advance(120_000);
    expect(await h.look('a')).toEqual(['FAILED', expect.stringContaining('exit code 1')]);
  });

  it('as a slot is withdrawn, too', async () => {
    h.script('power.sh', 'true');
    const power = 'hooks: {powerOn: {run: [./power.sh]}, powerOff: {run: [./power.sh]}}';
    h.inventory(fleet([`${a}, ${power}`, b]));
    await h.start();
    expect((await h.look('a'))[0]).toBe('SPECULATIVE');
    h.inventory(fleet([b]));
    await looks();
    expect(await h.look('a')).toEqual(['FAILED', NOT_LISTED]);
  });
});

describe('at the start', () => {
  it('a file that cannot be used is refused when nothing else is known', async () => {
    h.inventory('version: 1\nmachines:\n  - {id: a}\n');
    await expect(h.start()).rejects.toThrow(/fleet\.yaml:3: machines\[0\]: /);
    h.inventory(fleet([a])); // and holds no lock on the state
    await h.start();
    expect(await ids()).toEqual(['a IDLE']);
  });

  it('the last good version is used if there is one, and machines can still be drained', async () => {
    h.inventory(fleet([a]));
    await h.start();
    await h.until('a', 'Configured', h.rpc.configure('a'));
    await h.stop();
    h.inventory('nonsense');
    await h.start();
    expect(h.watch.find(isRefused)).toBeDefined();
    await h.until('a', 'Idle', h.rpc.drain('a', 0, unfenced));
    expect(h.read('drained')).toBe('left 10.0.0.1\n');
    h.inventory(fleet([a, b]));
    await looks();
    expect(await ids()).toEqual(['a IDLE', 'b IDLE']);
  });
});
