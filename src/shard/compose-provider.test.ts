import { ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { SecretResource } from '../api/resources.ts';
import { testAuthority } from '../lib/testing/certificates.ts';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { NodeSelectorRequirement_Operator as Operator } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { GrpcCode, GrpcError } from '../api/grpc.ts';
import type { Condition } from '../api/types.ts';
import { NAMESPACE, ShardWorld, eventually } from './testing/shard-world.ts';
import { wireRow } from './testing/needs.ts';

const { MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CREATING: CREATING, MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_DELETING: DELETING, MACHINE_STATE_SPECULATIVE: SPECULATIVE } = MachineState;
const EIGHT_CPUS = [wireRow()];
const seconds = (factor: number) => ({
  createSeconds: 100 * factor, configureSeconds: 200 * factor, drainSeconds: 300 * factor, deleteSeconds: 400 * factor, getSeconds: 500 * factor, listSeconds: 600 * factor,
});

describe('a shard and the object of its provider', () => {
  let world: ShardWorld;

  beforeEach(() => {
    world = new ShardWorld();
  });
  afterEach(() => world.close());

  const condition = (type: string): Condition | undefined => world.providerObject().status?.conditions?.find((c) => c.type === type);

  it('gives every kind of call its own deadline, as the object has it by then, also after it was deleted', async () => {
    await world.open();
    world.editProvider({ deadlines: seconds(1) });
    world.provider.put('m-1');
    // A call that fails so is followed by a Get.
    let fails = true;
    world.provider.onCall = ({ kind }) => {
      if (kind !== 'Create') return;
      fails = !fails;
      if (!fails) throw new GrpcError(GrpcCode.UNAVAILABLE, 'gone for a moment');
    };
    const shard = world.startShard();
    const east = await world.operator(shard);
    const allowedIn = async (factor: number): Promise<Record<string, number>> => {
      world.provider.allowed.length = 0;
      await eventually('Lists have the new deadline', () => world.provider.allowed.at(-1)?.seconds === 600 * factor);
      world.provider.allowed.length = 0;
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('it serves', () => world.provider.state('m-1') === CONFIGURED);
      east.rollup({ needs: [] });
      await eventually('its object says that it is idle', () => world.machineObject('m-1')?.status?.phase === 'Idle');
      world.annotateMachine('m-1', { 'control.bigfleet.lucy.sh/release': 'true' });
      world.deleteMachineObject('m-1');
      await eventually('it is a slot again', () => world.provider.count('Delete') > 0 && world.provider.state('m-1') === SPECULATIVE);
      await world.provider.asked(2);
      world.provider.calls.length = 0;
      const found: Record<string, number> = {};
      for (const { name, seconds: allowed } of world.provider.allowed) {
        expect([name, allowed]).toEqual([name, found[name] ?? allowed]);
        found[name] = allowed;
      }
      return found;
    };
    const expected = (factor: number) => ({ create: 100 * factor, configure: 200 * factor, drain: 300 * factor, delete: 400 * factor, get: 500 * factor, list: 600 * factor });
    expect(await allowedIn(1)).toEqual(expected(1));
    world.editProvider({ deadlines: seconds(2) });
    expect(await allowedIn(2)).toEqual(expected(2));
    world.deleteProvider();
    await world.plans(shard);
    expect(await allowedIn(2)).toEqual(expected(2));
  });

  it('removes machines that a quarantined List lacks when a person runs the command of the condition', async () => {
    await world.open();
    const ids = Array.from({ length: 12 }, (_, i) => `m-${i}`);
    for (const id of ids) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
    const shard = world.startShard();
    await world.operator(shard);
    for (const id of ids) world.provider.omitted.add(id);
    await eventually('the condition says how', () => condition('InventoryTrusted')?.reason === 'Quarantined');
    expect(condition('InventoryTrusted')?.status).toBe('False');
    expect((await world.machines(shard)).size).toBe(12);
    const [, namespace, annotation, token] = /kubectl annotate --overwrite -n (\S+) capacityprovider metal (\S+)=(\S+)$/.exec(condition('InventoryTrusted')!.message)!;
    expect(namespace).toBe(world.providerObject().metadata.namespace);
    world.editProvider({}, { [annotation!]: token! });
    await eventually('they are gone', async () => (await world.machines(shard)).size === 0);
    await eventually('the condition says so', () => condition('InventoryTrusted')?.status === 'True');
    await eventually('their objects are gone', () => ids.every((id) => world.machineObject(id) === undefined));
    await eventually('the word is gone that has served', () => world.providerObject().metadata.annotations?.[annotation!] === undefined);
  });

  describe('whose List lacks too much when the shard starts again', () => {
    const ids = Array.from({ length: 12 }, (_, i) => `m-${i}`);
    const confirm = (): void => {
      const [, annotation, token] = /capacityprovider metal (\S+)=(\S+)$/.exec(condition('InventoryTrusted')!.message)!;
      world.editProvider({}, { [annotation!]: token! });
    };
    const quarantined = (): boolean => condition('InventoryTrusted')?.reason === 'Quarantined';

    it('goes on in quarantine: the machines count and stay, nothing is bought for them, until a person confirms', async () => {
      await world.open();
      for (const id of ids) world.provider.put(id, { labels: new Map([['rack', 'r-1']]) });
      const first = world.startShard();
      const inRack = wireRow({ aggregateResources: new Map([['cpu', '96']]), requirements: [{ key: 'rack', operator: Operator.OPERATOR_IN, values: ['r-1'] }] });
      (await world.operator(first)).rollup({ needs: [inRack] });
      await eventually('all serve', () => ids.every((id) => world.machineObject(id)?.status?.phase === 'Configured'));
      for (const id of ids) world.provider.omitted.add(id);
      await eventually('the List is not believed', quarantined);
      await first.stop();
      world.provider.calls.length = 0;
      for (const id of ['s-1', 's-2']) world.provider.put(id, { labels: new Map([['rack', 'r-1']]) });

      const second = world.startShard();
      const east = await world.operator(second);
      east.rollup({ needs: [inRack] });
      await east.ack('rollup');
      await world.provider.asked(4);
      await world.plans(second);
      expect((await world.needs(second)).satisfied).toEqual([true]);
      expect((await world.machines(second)).size).toBe(14);
      expect(world.provider.calls).toEqual([]);
      expect(east.kinds()).not.toContain('replayComplete');
      expect(east.kinds().filter((k) => k.startsWith('node '))).toHaveLength(12);
      expect(ids.filter((id) => world.machineObject(id)?.status?.clusterId === 'east')).toEqual(ids);
      await eventually('and it says so', () => quarantined() && condition('InventoryTrusted')!.message.startsWith('The last List lacks 12 of 12'));

      // A word that is given while nobody listens is heard by the next process.
      await second.stop();
      confirm();
      const third = await world.operator(world.startShard());
      third.rollup({ needs: [inRack] });
      await third.wait('replayComplete');
      await eventually('their objects are gone', () => ids.every((id) => world.machineObject(id) === undefined));
      await eventually('others are bought', () => world.provider.count('Configure') === 2);
    });

    it('however many machines it names that nobody knew', async () => {
      await world.open();
      for (const id of ids) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
      const first = world.startShard();
      await eventually('the objects are there', () => ids.every((id) => world.machineObject(id)?.status?.phase === 'Configured'));
      await first.stop();
      for (const id of ids) world.provider.omitted.add(id);
      for (let i = 0; i < 200; i++) world.provider.put(`new-${i}`);
      const second = world.startShard();
      await eventually('it is not believed', () => quarantined() && condition('InventoryTrusted')!.message.startsWith('The last List lacks 12 of 12'));
      await world.provider.asked(4);
      expect((await world.machines(second)).size).toBe(212);
    });

    it('though most of what is missing has no object: their number is known', async () => {
      await world.open({ spec: { holds: { onDemandSeconds: 3_600, spotSeconds: 3_600, occupiedExcessSeconds: 3_600 } } });
      for (const id of ids) world.provider.put(id, ['m-0', 'm-1'].includes(id) ? { state: CONFIGURED, cluster: 'east' } : {});
      world.provider.put('left', { state: IDLE });
      const first = world.startShard();
      await eventually('the objects are there', () => world.machineObject('m-0') !== undefined && world.machineObject('left') !== undefined);
      await eventually('the number is', () => Object.values(world.providerObject().status?.machines ?? {}).reduce((a, b) => a + b, 0) === 13);
      await first.stop();
      for (const id of ids) world.provider.omitted.add(id);
      // Neither does a start in between, with or without a provider, make it forget.
      for (let starts = 0; starts < 2; starts++) {
        const again = world.startShard();
        await eventually('it serves', async () => (await world.machines(again)).has('left'));
        await world.provider.asked(4);
        await eventually('it is not believed', () => quarantined() && condition('InventoryTrusted')!.message.startsWith('The last List lacks 12 of 13'));
        await again.stop();
      }
      const last = world.startShard();
      const east = await world.operator(last);
      await world.provider.asked(4);
      expect(east.kinds()).not.toContain('replayComplete');
      expect(world.machineObject('m-0')).toBeDefined();
      world.provider.omitted.delete('m-0');
      world.provider.omitted.delete('m-1');
      await east.wait('replayComplete');
      expect((await world.machines(last)).size).toBe(3);
    });

    it('decides nothing while it does not even know which bound machines are missing', async () => {
      await world.open({ spec: { machineObjects: 'Exceptional' } });
      for (const id of ids) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
      const first = world.startShard();
      await eventually('the number is known', () => world.providerObject().status?.machines?.['Configured'] === 12);
      await first.stop();
      for (const id of ids) world.provider.omitted.add(id);
      for (let i = 0; i < 20; i++) world.provider.put(`s-${i}`);
      const second = world.startShard();
      let serves = false;
      void second.address.then(() => { serves = true; });
      await eventually('the List is not believed', quarantined);
      await world.provider.asked(4);
      expect(serves).toBe(false);
      world.provider.omitted.clear();
      await second.address;
      expect((await world.machines(second)).size).toBe(32);
    });
  });

  describe('that asks for TLS', () => {
    const secret = (name: string, data: Record<string, string>) => ({
      metadata: { name, namespace: NAMESPACE }, data: Object.fromEntries(Object.entries(data).map(([entry, text]) => [entry, Buffer.from(text).toString('base64')])),
    });

    it('does not call the provider before the Secret is there, says why, and then calls it with the certificates in it', async () => {
      const authority = testAuthority();
      const [server, client] = [authority.issue(), authority.issue('bigfleet://shard-0')];
      await world.open({ providerCredentials: ServerCredentials.createSsl(Buffer.from(authority.cert), [{ private_key: Buffer.from(server.key), cert_chain: Buffer.from(server.cert) }], true) });
      world.editProvider({ tls: { secretName: 'bigfleet-provider-tls' } });
      world.provider.put('m-1');
      const shard = world.startShard();
      await eventually('the condition says why', () => condition('Reachable')?.message?.includes('there is none of that name') === true);
      expect(condition('Reachable')).toMatchObject({ status: 'False', reason: 'TLSNotReady', message: expect.stringContaining('Secret bigfleet-provider-tls') as string });
      expect(condition('Ready')?.status).toBe('False');
      expect(world.provider.allowed).toEqual([]);
      world.hub.store.create(SecretResource, secret('bigfleet-provider-tls', { 'tls.crt': client.cert, 'tls.key': client.key, 'ca.crt': authority.cert }));
      world.editProvider({ pollSeconds: 11 }); // whoever edits the object does not wait for the next look
      const east = await world.operator(shard);
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('the machine serves', () => world.machineObject('m-1')?.status?.phase === 'Configured');
      await eventually('the condition is gone', () => condition('Reachable')?.status === 'True');
    });

    it('begins when TLS is asked for no more', async () => {
      await world.open();
      world.editProvider({ tls: { secretName: 'bigfleet-provider-tls' } });
      world.provider.put('m-1', { state: IDLE });
      const shard = world.startShard();
      await eventually('the condition says why', () => condition('Reachable')?.reason === 'TLSNotReady');
      world.editProvider({ tls: undefined });
      await eventually('the shard serves', async () => (await world.machines(shard)).has('m-1'));
      await eventually('the condition is gone', () => condition('Reachable')?.status === 'True');
    });

    it('while it runs is called no more, though the object be deleted', async () => {
      await world.open();
      world.provider.put('m-1');
      const shard = world.startShard();
      const east = await world.operator(shard);
      world.editProvider({ tls: { secretName: 'bigfleet-provider-tls' } });
      await eventually('the condition says why', () => condition('Reachable')?.reason === 'TLSNotReady');
      const before = world.provider.allowed.length;
      world.deleteProvider();
      await world.plans(shard);
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('the machine is wanted', () => world.machineObject('m-1')?.status?.operation?.kind === 'Create');
      await world.plans(shard);
      expect(world.provider.allowed.length).toBe(before);
    });
  });

  it('says that the provider cannot be reached before it was ever reached', async () => {
    await world.open();
    await world.provider.close();
    world.startShard();
    await eventually('the condition says so', () => condition('Reachable')?.status === 'False');
    expect(condition('Reachable')?.reason).toBe('NoAnswer');
  });

  describe('and a machine that is given to another shard', () => {
    const states = (operator: { received: readonly { $case: string; value: unknown }[] }): MachineState[] =>
      operator.received.flatMap((f) => (f.$case === 'nodeStateUpdate' ? [(f.value as { state: MachineState }).state] : []));

    it('while it serves: nothing is said of it, nothing done about it, and its demand gets another one', async () => {
      await world.open();
      world.provider.put('m-1', { pricePerHour: 0.1 });
      const shard = world.startShard();
      const east = await world.operator(shard);
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('its object says that it serves', () => world.machineObject('m-1')?.status?.phase === 'Configured');
      const told = states(east).length;
      const calls = world.provider.calls.length;
      world.editMachine('m-1', { shardRef: 'shard-1' });
      await eventually('it is ours no more', async () => !(await world.machines(shard)).has('m-1'));
      const given = world.machineObject('m-1');
      east.rollup({ needs: [] });
      await east.ack('rollup');
      await world.plans(shard);
      expect(states(east).length).toBe(told);
      expect(world.provider.calls.length).toBe(calls);
      expect(world.machineObject('m-1')).toEqual(given);
      world.provider.put('m-2', { pricePerHour: 9 });
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('another one serves', () => world.provider.state('m-2') === CONFIGURED);
    });

    it('and comes back without its object: gets one anew, though it is what it was', async () => {
      await world.open({ spec: { holds: { onDemandSeconds: 3_600, spotSeconds: 3_600, occupiedExcessSeconds: 3_600 } } });
      world.provider.put('m-1', { state: IDLE });
      const shard = world.startShard();
      await eventually('it has an object', () => world.machineObject('m-1')?.status?.phase === 'Idle');
      world.editMachine('m-1', { shardRef: 'shard-1' });
      await eventually('it is ours no more', async () => !(await world.machines(shard)).has('m-1'));
      world.deleteMachineObject('m-1');
      world.letGo('m-1');
      await eventually('it is ours again', async () => (await world.machines(shard)).has('m-1'));
      await eventually('and has an object', () => world.machineObject('m-1')?.status?.phase === 'Idle' && world.machineObject('m-1')?.spec.shardRef === 'shard-0');
    });

    it('while it is on its way: its cluster hears that it never arrives, and it is not configured', async () => {
      await world.open();
      world.provider.put('m-1');
      world.provider.unfinished.add('Create');
      const shard = world.startShard();
      const east = await world.operator(shard);
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('Create is under way', () => world.provider.state('m-1') === CREATING && world.machineObject('m-1')?.status?.phase === 'Creating');
      world.editMachine('m-1', { shardRef: 'shard-1' });
      await eventually('the cluster hears of it', () => states(east).at(-1) === DELETING);
      world.provider.finish('m-1');
      await world.provider.asked(2);
      await world.plans(shard);
      expect(world.provider.calls.map((c) => c.kind)).toEqual(['Create']);
      expect((await world.machines(shard)).has('m-1')).toBe(false);
    });
  });
});
