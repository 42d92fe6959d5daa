import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { MACHINE_FINALIZER } from '../api/constants.ts';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { planOnce } from '../engine/engine.ts';
import { silentLog } from '../runtime/types.ts';
import type { FakeOperator } from '../session/server/testing/fake-operator.ts';
import { parseSnapshot } from '../snapshot/parse.ts';
import { formatPlan, formatReport } from '../snapshot/plan-report.ts';
import { wireRow } from './testing/needs.ts';
import { ShardWorld, eventually } from './testing/shard-world.ts';

const { MACHINE_STATE_CREATING: CREATING, MACHINE_STATE_IDLE: IDLE, MACHINE_STATE_CONFIGURING: CONFIGURING, MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_DRAINING: DRAINING, MACHINE_STATE_DELETING: DELETING, MACHINE_STATE_SPECULATIVE: SPECULATIVE } = MachineState;
const EIGHT_CPUS = [wireRow()];
const SIXTEEN_CPUS = [wireRow({ aggregateResources: new Map([['cpu', '16']]) })];

/** States that the operator was told of, in order; a repeated one counts once. */
function told(operator: FakeOperator, machineId: string): MachineState[] {
  const states: MachineState[] = [];
  for (const frame of operator.received) {
    if (frame.$case === 'nodeStateUpdate' && frame.value.machineId === machineId && states.at(-1) !== frame.value.state) states.push(frame.value.state);
  }
  return states;
}

describe('a shard by its composition root', () => {
  let world: ShardWorld;

  beforeEach(() => {
    world = new ShardWorld();
  });
  afterEach(() => world.close());

  const isConfigured = (id: string) => (): boolean => world.provider.state(id) === CONFIGURED;
  const hold = { holds: { onDemandSeconds: 3_600, spotSeconds: 3_600, occupiedExcessSeconds: 3_600 } };

  it('keeps objects of exceptions only as soon as a List has named too many machines, whatever else it names', async () => {
    await world.open();
    for (let i = 0; i < 20_500; i++) world.provider.put(`m-${i}`, { state: IDLE });
    const changes: object[] = [];
    const log = { ...silentLog, info: (fields: object, message: string) => void (message.startsWith('which machines are kept') && changes.push(fields)) };
    world.startShard({ log });
    await eventually('it has changed', () => changes.length > 0);
    expect(changes).toEqual([{ from: 'NonSpeculative', to: 'Exceptional', machines: 20_001 }]);
  });

  it('turns a roll-up into a bound machine, with its object written ahead and its operator told', async () => {
    await world.open();
    world.provider.put('m-1');
    const wanted: unknown[] = [];
    world.provider.onCall = ({ kind, machineId }) => wanted.push([kind, world.machineObject(machineId)?.spec.binding?.clusterId]);
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('the object says Configured', () => world.machineObject('m-1')?.status?.phase === 'Configured');
    expect(wanted).toEqual([['Create', 'east'], ['Configure', 'east']]);
    expect(world.machineObject('m-1')).toMatchObject({ spec: { machineId: 'm-1', shardRef: 'shard-0', providerRef: 'metal' }, status: { clusterId: 'east' } });
    await eventually('the operator knows', () => told(east, 'm-1').at(-1) === CONFIGURED);
    expect(told(east, 'm-1').filter((s) => s !== CONFIGURING && s !== IDLE && s !== CREATING)).toEqual([SPECULATIVE, CONFIGURED]);

    await eventually('the need is met', async () => (await world.needs(shard)).satisfied.join() === 'true');
    const explained = await world.explain(shard, 'm-1');
    expect(explained.machine).toMatchObject({ id: 'm-1', clusterId: 'east', state: CONFIGURED, provider: 'metal' });
    expect(explained.creditedTo).toHaveLength(1);

    // A live snapshot carries the plan that the shard's own engine made of it, and planning it anew gives the same bytes.
    const { snapshot, at, plan } = parseSnapshot(await world.snapshot(shard));
    expect(plan).toMatchObject({ verdicts: [{ cluster: 'east', satisfied: true }], reasons: [{ machines: ['m-1'], reason: { code: 'Serving' } }] });
    expect(formatReport(plan)).toBe(formatPlan(planOnce(snapshot, at)));
  });

  describe('machines of other shards', () => {
    it('are not in the inventory, nor touched, until their object goes', async () => {
      await world.open();
      for (const id of ['m-1', 'm-2', 'm-3']) world.provider.put(id, { state: IDLE, pricePerHour: id === 'm-3' ? 9 : 0.1 });
      world.editShard(hold);
      world.createMachineObject('m-1', { shardRef: 'shard-1' });
      world.createMachineObject('m-2', { shardRef: 'shard-1' });
      // Whose they are is known late, and a machine that went unmentioned is not mentioned again.
      world.hub.faults.delay(500, { verb: 'list', plural: 'machines' });
      world.provider.keepsRevisions = true;
      const before = [world.machineObject('m-1'), world.machineObject('m-2')];
      const shard = world.startShard();
      const east = await world.operator(shard);
      east.rollup({ needs: [wireRow({ aggregateResources: new Map([['cpu', '24']]) })] });
      await eventually('our own machine is bound', isConfigured('m-3'));
      await eventually('the status is written', () => world.shardObject().status?.totalMachines !== undefined);
      expect(world.shardObject().status?.totalMachines).toBe(1);
      expect([...(await world.machines(shard)).keys()]).toEqual(['m-3']);
      expect(new Set(world.provider.calls.map((c) => c.machineId))).toEqual(new Set(['m-3']));
      expect([world.machineObject('m-1'), world.machineObject('m-2')]).toEqual(before);

      world.deleteMachineObject('m-1');
      world.editMachine('m-2', { shardRef: 'shard-0' });
      await eventually('both serve', () => isConfigured('m-1')() && isConfigured('m-2')());
      await eventually('both have our objects', () => ['m-1', 'm-2'].every((id) => world.machineObject(id)?.status?.phase === 'Configured'));
      expect((await world.machines(shard)).size).toBe(3);
    });

    it('leave also when the object comes after the first List', async () => {
      await world.open({ spec: hold });
      world.provider.put('m-1', { state: IDLE, pricePerHour: 0.1 });
      world.provider.put('m-2', { state: IDLE, pricePerHour: 9 });
      const shard = world.startShard();
      const east = await world.operator(shard);
      await eventually('our object is there', () => world.machineObject('m-1')?.status?.phase === 'Idle');
      world.editMachine('m-1', { shardRef: 'shard-1' });
      await eventually('the machine is ours no more', async () => !(await world.machines(shard)).has('m-1'));
      const given = world.machineObject('m-1');
      east.rollup({ needs: EIGHT_CPUS });
      await eventually('the dearer machine is bound', isConfigured('m-2'));
      await world.provider.asked(2);
      await world.plans(shard);
      expect(world.provider.count('Configure', 'm-1')).toBe(0);
      expect((await world.machines(shard)).has('m-1')).toBe(false);
      expect(world.machineObject('m-1')).toEqual(given);

      world.editMachine('m-1', { shardRef: 'shard-0' });
      await eventually('the machine is back', async () => (await world.machines(shard)).has('m-1'));
    });
  });

  it('leaves to its shard the machine of another that a person asked to be released', async () => {
    const RELEASE = { annotations: { 'control.bigfleet.lucy.sh/release': 'true' }, finalizers: ['example.org/other'] };
    await world.open({ spec: hold });
    world.createMachineObject('m-other', { shardRef: 'shard-1' }, RELEASE);
    world.createMachineObject('m-ours', {}, RELEASE);
    const shard = world.startShard();
    await shard.address;
    world.deleteMachineObject('m-other');
    world.deleteMachineObject('m-ours');
    // Events come in the order in which things happened.
    const released = 'a person asked for the release of the machine';
    await eventually('our own is noticed', () => world.said.includes(released));
    expect(world.said.filter((message) => message === released)).toHaveLength(1);
  });

  it('releases also a machine that is listed only after a person asked for it', async () => {
    await world.open({ spec: hold });
    // Only the first List is a full one: the object is not taken for that of a machine that is no more.
    world.provider.keepsRevisions = true;
    world.createMachineObject('m-1', {}, { annotations: { 'control.bigfleet.lucy.sh/release': 'true' }, finalizers: [MACHINE_FINALIZER] });
    world.deleteMachineObject('m-1');
    const shard = world.startShard();
    await shard.address;
    world.provider.put('m-1', { state: IDLE });
    await eventually('it is deleted', () => world.provider.state('m-1') === SPECULATIVE);
    await eventually('its object is gone', () => world.machineObject('m-1') === undefined);
  });

  it('forgets the wish to release a machine that it does not know when the object goes', async () => {
    const RELEASE = { annotations: { 'control.bigfleet.lucy.sh/release': 'true' }, finalizers: ['example.org/other'] };
    await world.open({ spec: hold });
    world.provider.keepsRevisions = true;
    const shard = world.startShard();
    await shard.address;
    const asked = (times: number) => (): boolean => world.said.filter((message) => message === 'a person asked for the release of the machine').length === times;
    for (const [i, id] of ['m-1', 'm-2'].entries()) {
      world.createMachineObject(id, {}, RELEASE);
      world.deleteMachineObject(id);
      await eventually('it is noticed', asked(i + 1));
      // The second one's event comes after the departure of the first.
      if (id === 'm-1') world.letGo(id);
    }
    world.provider.put('m-1', { state: IDLE });
    await eventually('it is ours', () => world.machineObject('m-1')?.status?.phase === 'Idle');
    await world.plans(shard);
    expect(world.provider.calls).toEqual([]);
  });

  describe('a held machine', () => {
    const drained = (): boolean => world.provider.count('Drain', 'm-1') > 0;

    beforeEach(async () => {
      await world.open();
      world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
      world.createMachineObject('m-1', { hold: true });
    });

    it('stays held when its object is deleted, and is let go when the hold is', async () => {
      const shard = world.startShard();
      const east = await world.operator(shard);
      await eventually('the object is ours', () => world.machineObject('m-1')?.status?.phase === 'Configured');
      const uid = world.machineObject('m-1')?.metadata.uid;
      east.rollup({ needs: [] });
      world.deleteMachineObject('m-1');
      await eventually('the object is back', () => ![undefined, uid].includes(world.machineObject('m-1')?.metadata.uid) && world.machineObject('m-1')?.status?.phase === 'Configured');
      expect(world.machineObject('m-1')?.spec.hold).toBe(true);
      await world.plans(shard);
      expect(drained()).toBe(false);
      world.editMachine('m-1', { hold: false });
      await eventually('it is drained', drained);
    });

    it('stays held when the first List after a restart does not name it', async () => {
      const first = world.startShard();
      await first.address;
      await eventually('the object is ours', () => world.machineObject('m-1')?.status?.phase === 'Configured');
      await first.stop();
      // Only the first List is a full one: the machine comes when the shard has long taken over what the objects say.
      world.provider.keepsRevisions = true;
      world.provider.omitted.add('m-1');
      const second = world.startShard();
      (await world.operator(second)).rollup({ needs: [] });
      world.provider.omitted.clear();
      world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
      await eventually('the machine is back', async () => (await world.machines(second)).has('m-1'));
      await world.plans(second);
      expect(drained()).toBe(false);
      expect(world.machineObject('m-1')?.spec.hold).toBe(true);
      world.editMachine('m-1', { hold: false });
      await eventually('it is drained', drained);
    });

    it('stays held in its object when no List after a restart names it', async () => {
      world.provider.put('other', { state: IDLE });
      const first = world.startShard();
      await first.address;
      await eventually('the object is ours', () => world.machineObject('m-1')?.status?.phase === 'Configured');
      await first.stop();
      world.provider.omitted.add('m-1');
      const second = world.startShard();
      await second.address;
      await eventually('the machine counts no more', async () => !(await world.machines(second)).has('m-1'));
      await world.plans(second);
      expect(world.machineObject('m-1')?.spec.hold).toBe(true);
      expect(world.machineObject('m-1')?.metadata.deletionTimestamp).toBeUndefined();
    });

    it('is held from the first moment, whether or not its object can be written', async () => {
      world.hub.faults.fail({ plural: 'machines', verb: 'patch', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
      const shard = world.startShard();
      (await world.operator(shard)).rollup({ needs: [] });
      await world.plans(shard);
      expect((await world.explain(shard, 'm-1')).machine?.why?.code).toBe('HeldByPerson');
      expect(drained()).toBe(false);
    });
  });

  it('says that a replay is complete only while its supply is trusted', async () => {
    await world.open({ spec: hold });
    const ids = Array.from({ length: 12 }, (_, i) => `m-${i}`);
    for (const id of ids) world.provider.put(id, { state: CONFIGURED, cluster: 'east' });
    world.provider.holdList();
    const shard = world.startShard();
    let serves = false;
    void shard.address.then(() => { serves = true; });
    await world.provider.asked();
    expect(serves).toBe(false);
    world.provider.releaseList();
    const first = await world.operator(shard);
    expect((await first.wait('replayComplete')).machineIds.sort()).toEqual([...ids].sort());
    first.close();

    // So many machines missing at once is not believed.
    for (const id of ids) world.provider.omitted.add(id);
    await world.provider.asked(3);
    const second = await world.operator(shard);
    second.rollup({ needs: [] });
    await second.ack('rollup');
    expect(second.kinds().filter((k) => k.startsWith('node '))).toHaveLength(12);
    expect(second.kinds()).not.toContain('replayComplete');
    await world.plans(shard);
    expect(world.provider.calls).toEqual([]);
    world.provider.omitted.clear();
    await second.wait('replayComplete');
  });

  it('tells an operator with additions of a departure as DELETING, another one as IDLE', async () => {
    await world.open();
    world.provider.put('m-east', { state: CONFIGURED, cluster: 'east' });
    world.provider.put('m-west', { state: CONFIGURED, cluster: 'west' });
    world.provider.unfinished.add('Delete');
    const shard = world.startShard();
    const [east, west] = [await world.operator(shard, 'east'), await world.operator(shard, 'west', false)];
    east.rollup({ needs: [] });
    west.rollup({ clusterId: 'west', needs: [] });
    await eventually('both are told', () => [told(east, 'm-east').at(-1), told(west, 'm-west').at(-1)].join() === `${DELETING},${IDLE}`);
    expect(told(east, 'm-east')).toEqual([CONFIGURED, DRAINING, DELETING]);
    expect(told(west, 'm-west')).toEqual([CONFIGURED, DRAINING, IDLE]);
  });

  describe('whose provider refuses to drain', () => {
    const drains = (): number => world.provider.count('Drain');

    it('does not leave the machine half taken away: it is tried again, and counts for nothing meanwhile', async () => {
      await world.open();
      world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
      world.provider.refusals.set('Drain', 'not now');
      const shard = world.startShard();
      const east = await world.operator(shard);
      east.rollup({ needs: [] });
      await east.wait('reclaimInstruction');
      await eventually('it is refused', () => drains() > 0);
      east.rollup({ needs: EIGHT_CPUS });
      await east.ack('rollup');
      await world.plans(shard);
      expect((await world.needs(shard)).satisfied).toEqual([false]);
      expect(told(east, 'm-1')).toEqual([CONFIGURED, DRAINING]);
      world.provider.refusals.clear();
      await eventually('it leaves, and comes again for the demand', () => world.provider.count('Configure') === 1 && isConfigured('m-1')());
      await eventually('the operator knows', () => told(east, 'm-1').at(-1) === CONFIGURED);
      expect(told(east, 'm-1')).toContain(DELETING);
    });

    it('tells the operator that the machine stays when it stays', async () => {
      await world.open({ spec: hold });
      world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
      world.provider.refusals.set('Drain', 'not now');
      const first = world.startShard();
      const east = await world.operator(first);
      world.editShard({ holds: { onDemandSeconds: 0, spotSeconds: 0, occupiedExcessSeconds: 0 } });
      east.rollup({ needs: [] });
      await eventually('the operator is told', () => told(east, 'm-1').at(-1) === DRAINING);
      // A person's hold takes it back …
      await eventually('it has an object', () => world.machineObject('m-1')?.spec.unbind !== undefined);
      world.editMachine('m-1', { hold: true });
      await eventually('it stays', () => told(east, 'm-1').at(-1) === CONFIGURED);
      world.editMachine('m-1', { hold: false });
      await eventually('it goes', () => told(east, 'm-1').at(-1) === DRAINING);
      // A restart says so at first, too, whatever it decides then: no Node stays cordoned for an order that nobody knows any more …
      await first.stop();
      const between = world.startShard();
      const other = await world.operator(between);
      expect((await other.wait('replayComplete')).machineIds).toEqual(['m-1']);
      expect(told(other, 'm-1')).toEqual([CONFIGURED]);
      other.rollup({ needs: [] });
      await eventually('it is to go anew', () => told(other, 'm-1').at(-1) === DRAINING);
      expect(other.kinds()).toContain('reclaimInstruction');
      await between.stop();
      // … and when it finds the demand back, that is all.
      const second = world.startShard();
      const again = await world.operator(second);
      expect((await again.wait('replayComplete')).machineIds).toEqual(['m-1']);
      again.rollup({ needs: EIGHT_CPUS });
      await again.ack('rollup');
      await world.plans(second);
      expect(told(again, 'm-1')).toEqual([CONFIGURED]);
    });
  });

  it('drains and deletes a machine that a person asked to be released, over a restart, though its demand is still there', async () => {
    await world.open({ spec: hold });
    world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
    world.provider.unfinished.add('Drain');
    const auditLog = join(world.dir, 'audit');
    const shard = world.startShard({ auditLog });
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('the object is ours', () => world.machineObject('m-1')?.status?.phase === 'Configured');
    world.annotateMachine('m-1', { 'control.bigfleet.lucy.sh/release': 'true' });
    world.deleteMachineObject('m-1');
    await eventually('it drains', () => world.provider.state('m-1') === DRAINING);
    expect(world.machineObject('m-1')?.metadata.deletionTimestamp).toBeDefined();
    east.close();
    await shard.stop();

    world.provider.unfinished.delete('Drain');
    world.provider.put('m-1', { state: IDLE, cluster: '' });
    world.startShard({ auditLog });
    await eventually('it is deleted', () => world.provider.state('m-1') === SPECULATIVE);
    await eventually('its object is gone', () => world.machineObject('m-1') === undefined);
    expect(world.provider.calls.filter((c) => c.machineId === 'm-1').map((c) => c.kind)).toEqual(['Drain', 'Delete']);
    const audited = readFileSync(auditLog, 'utf8').trimEnd().split('\n').map((line) => JSON.parse(line) as Record<string, unknown>);
    // The second process may take it up where its object was last written, before it has seen that the drain is over.
    expect([...new Set(audited.map(({ kind, machine, reason }) => `${String(kind)} ${String(machine)} ${String(reason)}`))]).toEqual(['Reclaim m-1 RequestedByPerson', 'Delete m-1 RequestedByPerson']);
  });

  it('deletes a machine that a person asked to be released also when it has failed, or says why it cannot', async () => {
    await world.open({ spec: hold });
    world.provider.put('m-1', { state: MachineState.MACHINE_STATE_FAILED, lastError: 'burnt' });
    world.provider.put('m-2', { state: MachineState.MACHINE_STATE_FAILED, lastError: 'burnt' });
    const shard = world.startShard();
    await shard.address;
    const release = (id: string): void => {
      world.annotateMachine(id, { 'control.bigfleet.lucy.sh/release': 'true' });
      world.deleteMachineObject(id);
    };
    await eventually('the objects are ours', () => ['m-1', 'm-2'].every((id) => world.machineObject(id)?.status?.phase === 'Failed'));
    release('m-1');
    await eventually('it is deleted', () => world.provider.state('m-1') === SPECULATIVE);
    await eventually('its object is gone', () => world.machineObject('m-1') === undefined);
    world.provider.refusals.set('Delete', 'not while it burns');
    release('m-2');
    const progressing = (): unknown => world.machineObject('m-2')?.status?.conditions?.find((c) => c.type === 'Progressing');
    await eventually('the object says why not', () => JSON.stringify(progressing()).includes('delete: '));
    expect(progressing()).toMatchObject({ status: 'True', reason: 'WantsRelease', message: expect.stringContaining('not while it burns') as string });
    expect(world.machineObject('m-2')?.metadata.deletionTimestamp).toBeDefined();
  });

  it('says at the machine and to the operator why a machine that is meant for it does not come', async () => {
    await world.open();
    world.provider.put('m-1', { state: IDLE });
    world.blobError = 'no credentials';
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    const why = 'operator of cluster east cannot make a bootstrap blob: no credentials';
    await eventually('the object says so', () => world.machineObject('m-1')?.status?.conditions?.some((c) => c.type === 'Progressing' && c.message === why) ?? false);
    await world.plans(shard);
    const said = (): unknown => {
      const statuses = east.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items : []));
      return statuses.map((i) => `${i.satisfied} ${i.reasonText}`).at(-1);
    };
    await eventually('the operator is told', () => said() === `false A machine chosen for it does not come: ${why}.`);
    world.blobError = '';
    await eventually('it comes', isConfigured('m-1'));
    await eventually('the operator is told that, too', () => said() === 'true ');
  });

  it('does not call a row satisfied while its machines are refused one after the other, and says the provider’s words', async () => {
    await world.open();
    for (const id of ['m-1', 'm-2', 'm-3']) world.provider.put(id, { state: IDLE });
    world.provider.refusals.set('Configure', 'disk broken');
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    const said = (): string[] => east.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items.map((i) => `${i.satisfied} ${i.reasonText}`) : []));
    await eventually('all are refused', () => world.provider.count('Configure') >= 3);
    await eventually('the operator is told', () => said().at(-1) === 'false A machine chosen for it does not come: configure: disk broken. Lacks cpu 8.');
    world.provider.refusals.clear();
    world.provider.put('m-4', { state: IDLE });
    await eventually('another one comes', isConfigured('m-4'));
    await eventually('the operator is told that, too', () => said().at(-1) === 'true ');
  });

  it('takes nothing away while the Lease is not proven, and acquires all the same', async () => {
    await world.open({ spec: { holds: { onDemandSeconds: 1, spotSeconds: 0, occupiedExcessSeconds: 0 } } });
    world.provider.put('m-1', { state: CONFIGURED, cluster: 'east' });
    world.provider.put('m-2');
    const shard = world.startShard();
    const east = await world.operator(shard);
    const west = await world.operator(shard, 'west');
    east.rollup({ needs: EIGHT_CPUS });
    await east.ack('rollup');
    world.hub.faults.fail({ plural: 'leases', times: Infinity, code: 503, reason: 'ServiceUnavailable' });
    await eventually('the proof has run out', () => world.leaseHasExpired());
    world.provider.put('m-small', { state: IDLE, resources: { resources: new Map([['cpu', '500m']]) } }); // of use to nobody
    east.rollup({ needs: [], timestampUnixNanos: 2n });
    await east.ack('rollup');
    await world.plans(shard);
    await world.plans(shard);
    expect([world.machineObject('m-1')?.spec.unbind, world.machineObject('m-small')?.spec.release]).toEqual([undefined, undefined]);
    west.rollup({ clusterId: 'west', needs: SIXTEEN_CPUS });
    await eventually('another one has come', isConfigured('m-2'));
    await world.plans(shard);
    expect([world.provider.count('Drain'), world.provider.count('Delete'), world.provider.state('m-1')]).toEqual([0, 0, CONFIGURED]);
    world.hub.faults.clear();
    await eventually('both go', () => world.provider.count('Drain', 'm-1') > 0 && world.provider.count('Delete', 'm-small') > 0);
  });

  it('stops acting while it is Paused, and goes on when it is Active', async () => {
    await world.open();
    world.provider.put('m-1');
    const shard = world.startShard();
    const east = await world.operator(shard);
    const conditions = async (): Promise<string[]> => (await world.explainCluster(shard, 'east')).conditions.map((c) => c.code);
    expect(await conditions()).toEqual([]);
    world.editShard({ mode: 'Paused' });
    await eventually('the shard says so', async () => (await conditions()).includes('Paused'));
    east.rollup({ needs: EIGHT_CPUS });
    await east.ack('rollup');
    await world.plans(shard);
    expect((await world.needs(shard)).satisfied).toEqual([false]); // planned, and neither decided nor acted on
    expect([told(east, 'm-1'), world.machineObject('m-1')]).toEqual([[], undefined]);
    expect(world.provider.calls).toEqual([]);
    world.editShard({ mode: 'Active' });
    await eventually('it acts', isConfigured('m-1'));
  });

  it('keeps what was decided for when it is Active again', async () => {
    await world.open();
    world.provider.put('m-1');
    world.provider.unfinished.add('Create');
    const shard = world.startShard();
    const east = await world.operator(shard);
    const said = (): string | undefined => east.received.flatMap((p) => (p.$case === 'needStatus' ? p.value.items.map((i) => `${i.satisfied} ${i.reasonText}`) : [])).at(-1);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('Create is under way', () => world.provider.state('m-1') === CREATING);
    world.editShard({ mode: 'Paused' });
    await eventually('the shard says so', async () => (await world.explainCluster(shard, 'east')).conditions.some((c) => c.code === 'Paused'));
    await eventually('the operator is told that it comes', () => said() === 'true ');
    world.provider.finish('m-1');
    await eventually('the shard sees it', async () => (await world.machines(shard)).get('m-1')?.state === IDLE);
    await eventually('the operator is told that it does not come', () => said() === 'false A machine chosen for it does not come: the shard is in mode Paused.');
    const { machine } = await world.explain(shard, 'm-1');
    expect(machine?.why).toMatchObject({ code: 'Withheld', text: expect.stringMatching(/^Decided and not begun, because the shard is in mode Paused: /) as string });
    await eventually('the object says so', () => world.machineObject('m-1')?.status?.reason === 'Withheld');
    expect(world.machineObject('m-1')?.status?.message).toBe(machine?.why?.text);
    expect(world.provider.count('Configure')).toBe(0);
    world.editShard({ mode: 'Active' });
    await eventually('it acts', isConfigured('m-1'));
    await eventually('the operator is told that, too', () => said() === 'true ');
  });

  it('says of machines that wait for their turn at once that they are not begun, and that they are', async () => {
    await world.open({ spec: { concurrencyPerProvider: 1 } });
    for (const id of ['m-1', 'm-2']) world.provider.put(id);
    const gate = Promise.withResolvers<void>();
    world.provider.onCall = ({ kind }) => (kind === 'Create' ? gate.promise : undefined);
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: SIXTEEN_CPUS });
    await eventually('one call is under way', () => world.provider.count('Create') === 1);
    const called = world.provider.calls[0]!.machineId;
    const waits = called === 'm-1' ? 'm-2' : 'm-1';
    const codeOf = async (id: string): Promise<string | undefined> => (await world.explain(shard, id)).machine?.why?.code;
    world.editShard({ mode: 'Paused' });
    await eventually('it is said of the one that waits', async () => (await codeOf(waits)) === 'Withheld');
    expect(await codeOf(called)).not.toBe('Withheld');
    world.editShard({ mode: 'Active' });
    await eventually('it is over', async () => (await codeOf(waits)) !== 'Withheld');
    expect(world.provider.count('Create')).toBe(1);
    gate.resolve();
    await eventually('both come', () => ['m-1', 'm-2'].every((id) => isConfigured(id)()));
  });

  it('does not call a row satisfied whose machine waits for an operator that went away', async () => {
    await world.open();
    world.provider.put('m-1');
    world.provider.unfinished.add('Create');
    const shard = world.startShard();
    const east = await world.operator(shard);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('Create is under way', () => world.provider.state('m-1') === CREATING);
    await eventually('the row counts on it', async () => (await world.needs(shard)).satisfied[0] === true);
    world.provider.finish('m-1');
    world.blobError = 'wait';
    east.close();
    const text = async (): Promise<string | undefined> => (await world.explain(shard, 'm-1')).creditedTo[0]?.reasonText;
    await eventually('the row says what it lacks', async () => (await text()) === 'A machine chosen for it does not come: cluster east is not connected.');
    expect((await world.needs(shard)).satisfied).toEqual([false]);
    world.blobError = '';
    (await world.operator(shard)).rollup({ needs: EIGHT_CPUS, timestampUnixNanos: 2n });
    await eventually('it comes', isConfigured('m-1'));
    await eventually('the row is satisfied', async () => (await world.needs(shard)).satisfied[0] === true);
  });

  it('continues, after a restart, the binding whose machine was being created', async () => {
    await world.open({ spec: hold });
    world.provider.put('m-1', { pricePerHour: 0.1 });
    world.provider.put('m-2', { pricePerHour: 0.01 });
    world.provider.omitted.add('m-2'); // a better choice, which comes only after the first one was made
    world.provider.unfinished.add('Create');
    const first = world.startShard();
    (await world.operator(first)).rollup({ needs: EIGHT_CPUS });
    await eventually('Create is under way', () => world.provider.state('m-1') === CREATING);
    await first.stop();
    world.provider.omitted.clear();
    const second = world.startShard();
    const east = await world.operator(second);
    east.rollup({ needs: EIGHT_CPUS });
    await east.ack('rollup');
    await world.plans(second);
    expect(world.machineObject('m-1')?.spec.binding?.clusterId).toBe('east');
    world.provider.finish('m-1');
    await eventually('it serves', isConfigured('m-1'));
    expect(world.provider.calls.map((c) => [c.kind, c.machineId])).toEqual([['Create', 'm-1'], ['Configure', 'm-1']]);
    const [create, configure] = world.provider.calls;
    expect(configure!.epoch).toBeGreaterThan(create!.epoch);
  });

  it('does not forget, over a restart, the bindings of machines that the first Lists lack', async () => {
    await world.open();
    const ids = Array.from({ length: 12 }, (_, i) => `m-${i}`);
    for (const id of ids) world.provider.put(id);
    world.provider.unfinished.add('Create');
    const needs = [wireRow({ aggregateResources: new Map([['cpu', '96']]) })];
    const first = world.startShard();
    (await world.operator(first)).rollup({ needs });
    const decidedAt = (id: string): string | undefined => world.machineObject(id)?.spec.binding?.decidedAt;
    await eventually('all are being created', () => ids.every((id) => world.machineObject(id)?.status?.phase === 'Creating' && decidedAt(id) !== undefined));
    await first.stop();
    const before = ids.map(decidedAt);
    // So many at once are not believed to be gone.
    for (const id of ids) world.provider.omitted.add(id);
    const second = world.startShard();
    const east = await world.operator(second);
    east.rollup({ needs });
    await world.provider.asked(4);
    await world.plans(second);
    expect(ids.map(decidedAt)).toEqual(before);
    world.provider.omitted.clear();
    await eventually('all count for their demand again', async () => (await world.needs(second)).satisfied[0] === true);
    expect(ids.map(decidedAt)).toEqual(before);
    for (const id of ids) world.provider.finish(id);
    await eventually('all serve', () => ids.every((id) => isConfigured(id)()));
    expect(world.provider.count('Create')).toBe(12);
  });

  it('does not act on a binding it found at its start before the cluster has reported', async () => {
    await world.open({ spec: hold });
    world.provider.put('m-1');
    world.provider.unfinished.add('Create');
    const first = world.startShard();
    (await world.operator(first)).rollup({ needs: EIGHT_CPUS });
    await eventually('Create is under way', () => world.provider.state('m-1') === CREATING);
    await first.stop();
    world.provider.finish('m-1');
    const second = world.startShard();
    const east = await world.operator(second);
    await world.plans(second);
    expect(world.provider.count('Configure')).toBe(0);
    east.rollup({ needs: EIGHT_CPUS });
    await eventually('it serves', isConfigured('m-1'));
  });

  it('answers probes while it waits for a CapacityProvider: it lives, and is not ready', async () => {
    await world.open({ withProvider: false });
    world.startShard({ metricsAddress: '127.0.0.1:0' });
    await eventually('it listens', () => world.probes !== '');
    const probe = async (path: string): Promise<[number, string]> => {
      const answer = await fetch(`${world.probes}${path}`);
      return [answer.status, await answer.text()];
    };
    expect(await probe('/healthz')).toEqual([200, 'ok\n']);
    expect(await probe('/readyz')).toEqual([503, 'start: no CapacityProvider names this shard yet, or the hub does not answer\n']);
    world.addProvider();
    await eventually('it is ready', async () => (await probe('/readyz'))[0] === 200);
  });

  it('ends cleanly when it is stopped while it waits for a CapacityProvider', async () => {
    await world.open({ withProvider: false });
    const shard = world.startShard();
    const ended = await Promise.race([shard.finished.then(() => true), eventually('the hub is asked', () => world.hub.faults.closeStreams({ plural: 'capacityproviders' }) > 0).then(() => false)]);
    expect(ended).toBe(false);
    await expect(shard.stop()).resolves.toBeUndefined();
  });
});
