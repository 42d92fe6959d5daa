import { EventEmitter } from 'node:events';
import { Server, ServerCredentials } from '@grpc/grpc-js';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import type { ClusterCapacityNeeds } from '../../api/gen/bigfleet/v1alpha1/capacity.ts';
import { ShardService, type NeedStatus, type NodeStateUpdate, type OperatorMessage } from '../../api/gen/bigfleet/v1alpha1/shard.ts';
import type { MachineState } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode } from '../../api/grpc.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { silentLog } from '../../runtime/types.ts';
import { Mailbox } from '../../runtime/testing/mailbox.ts';
import { nodeStateUpdate } from '../../shard/node-state.ts';
import { Inventory } from '../../shard/inventory.ts';
import { seen } from '../../shard/testing/machines.ts';
import { wireRow } from '../../shard/testing/needs.ts';
import { SessionHub } from './session-hub.ts';
import type { SessionStream } from './session.ts';
import { FakeOperator } from './testing/fake-operator.ts';

function update(machineId: string, fields: Partial<NodeStateUpdate> = {}): NodeStateUpdate {
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen(machineId, 'Configured'), 0);
  return { ...nodeStateUpdate(inventory.get(machineId)!, 'east'), ...fields };
}

function status(fingerprint: string, fields: Partial<NeedStatus> = {}): NeedStatus {
  return { fingerprint, group: '', minUnit: new Map([['cpu', '1']]), satisfied: true, reason: 0, reasonText: '', machines: 1, inFlight: 0, ...fields };
}

const never = new AbortController().signal;

describe('session hub', () => {
  let server: Server;
  let address: string;
  let hub: SessionHub;
  let operators: FakeOperator[];
  let bound: NodeStateUpdate[];
  let complete: boolean;
  let apply: (cluster: string, rollup: ClusterCapacityNeeds) => boolean | Promise<boolean>;
  let events: Mailbox<string>;
  let lifecycle: string[];

  beforeEach(async () => {
    operators = [];
    bound = [];
    complete = true;
    apply = () => true;
    const happened = (events = new Mailbox<string>()); // ours: the end of the test before may still arrive
    const lives = (lifecycle = [] as string[]);
    let ids = 0;
    hub = new SessionHub({
      shardId: 'shard-0', epoch: () => 9_007_199_254_740_993n, clock: new VirtualClock(), log: silentLog, ids: () => `request-${++ids}`,
      onRollup: (cluster, rollup) => apply(cluster, rollup),
      replay: () => ({ updates: bound, complete }),
      onConnected: (cluster) => happened.push(`connected ${cluster}`),
      onDisconnected: (cluster) => happened.push(`disconnected ${cluster}`),
      onLifecycle: (event) => lives.push(event),
    });
    server = new Server({ 'grpc.max_receive_message_length': 256 * 1024 * 1024, 'grpc.max_send_message_length': 256 * 1024 * 1024 });
    server.addService(ShardService, { session: hub.accept.bind(hub) });
    const port = await new Promise<number>((resolve, reject) =>
      server.bindAsync('127.0.0.1:0', ServerCredentials.createInsecure(), (error, p) => (error ? reject(error) : resolve(p))));
    address = `127.0.0.1:${port}`;
  });

  afterEach(() => {
    for (const operator of operators) operator.close();
    server.forceShutdown();
  });

  function dial(): FakeOperator {
    const operator = new FakeOperator(address);
    operators.push(operator);
    return operator;
  }

  async function connect(cluster = 'east', additions = true): Promise<FakeOperator> {
    const operator = dial();
    operator.hello(cluster, additions);
    await operator.ack('hello');
    expect(await events.next()).toBe(`connected ${cluster}`);
    return operator;
  }

  /** Resolves when the shard has handled all that the operator sent before, without the help of roll-ups. */
  async function handled(operator: FakeOperator, cluster = 'east'): Promise<void> {
    operator.hello(cluster);
    await operator.ack('hello');
    expect(await events.next()).toBe(`connected ${cluster}`);
  }

  describe('the first frame', () => {
    it('must be Hello (C1)', async () => {
      const operator = dial();
      operator.rollup();
      expect(await operator.ended).toEqual({ code: GrpcCode.INVALID_ARGUMENT, details: 'the first frame of a session must be Hello' });
      expect(hub.count).toBe(0);
      expect(lifecycle).toEqual([]);
    });

    it('must name a cluster (C1)', async () => {
      const operator = dial();
      operator.hello('');
      expect((await operator.ended).code).toBe(GrpcCode.INVALID_ARGUMENT);
      expect(hub.count).toBe(0);
    });

    it('that was wrong is not made good by a Hello right behind it, which would push out a good session', async () => {
      const good = await connect();
      const bad = dial();
      bad.rollup();
      bad.hello();
      expect((await bad.ended).code).toBe(GrpcCode.INVALID_ARGUMENT);
      await handled(good);
      expect(lifecycle).toEqual(['installed']);
    });
  });

  describe('Hello', () => {
    it('is acked with shard and epoch, then the machines are replayed, then the replay is complete (S3)', async () => {
      bound = [update('a'), update('b')];
      const operator = await connect();
      expect(await operator.wait('replayComplete')).toEqual({ machineIds: ['a', 'b'] });
      expect(operator.kinds()).toEqual(['ack hello', 'node a', 'node b', 'replayComplete']);
      expect(operator.received[0]).toEqual({ $case: 'ack', value: { echo: 'hello', coordinatorTerm: 0n, shardEpoch: 9_007_199_254_740_993n, shardId: 'shard-0' } });
    });

    it('does not claim completeness while the supply is not trusted (D18)', async () => {
      bound = [update('a')];
      complete = false;
      const operator = await connect();
      operator.rollup();
      await operator.ack('rollup');
      expect(operator.kinds()).toEqual(['ack hello', 'node a', 'ack rollup']);
      complete = true;
      hub.replay('east');
      expect(await operator.wait('replayComplete')).toEqual({ machineIds: ['a'] });
    });

    it('without additions gets none (D18)', async () => {
      bound = [update('a')];
      const operator = await connect('east', false);
      hub.sendNeedStatus('east', { rollupTimestampUnixNanos: 1n, items: [status('fp')] });
      operator.rollup();
      await operator.ack('rollup');
      expect(operator.kinds()).toEqual(['ack hello', 'node a', 'ack rollup']);
      expect(hub.additions('east')).toBe(false);
      expect(operator.received[0]).toMatchObject({ value: { echo: 'hello', shardId: '' } });
      hub.sendReclaim('east', { instructionId: 'i', nodes: ['a'], gracePeriodSeconds: 5n, preemptorPriority: 0, machineIds: ['a'] });
      expect(await operator.wait('reclaimInstruction')).toMatchObject({ nodes: ['a'], machineIds: [] });
    });

    it('may be repeated and is answered the same way', async () => {
      bound = [update('a')];
      const operator = await connect();
      await handled(operator);
      await operator.wait('replayComplete');
      await operator.wait('replayComplete');
      expect(operator.kinds()).toEqual(['ack hello', 'node a', 'replayComplete', 'ack hello', 'node a', 'replayComplete']);
      expect(lifecycle).toEqual(['installed']);
    });

    it('of another cluster on the same stream ends the session', async () => {
      const operator = await connect();
      operator.hello('west');
      expect(await operator.ended).toEqual({ code: GrpcCode.INVALID_ARGUMENT, details: 'this session belongs to cluster east' });
      expect(await events.next()).toBe('disconnected east');
    });
  });

  describe('a second stream of the same cluster', () => {
    it('replaces the first, which becomes unusable (C2)', async () => {
      const first = await connect();
      const second = await connect();
      expect((await first.ended).code).toBe(GrpcCode.ABORTED);
      expect(hub.count).toBe(1);
      expect(lifecycle).toEqual(['installed', 'replaced', 'installed']);
      hub.sendNodeState('east', update('m'));
      expect((await second.wait('nodeStateUpdate')).machineId).toBe('m');
      expect(first.kinds()).not.toContain('node m');
    });

    it('is not taken along when the first one ends', async () => {
      const first = await connect();
      const second = await connect();
      await first.ended;
      first.close();
      await handled(second);
      expect(hub.connected('east')).toBe(true);
      expect(events.waitingItems).toEqual([]); // nobody was told that east had gone
    });

    it('fails what the first was asked, so that it is asked again', async () => {
      const first = await connect();
      const failed = expect(hub.requestBlob('east', [], never)).rejects.toMatchObject({ code: GrpcCode.UNAVAILABLE });
      await first.wait('bootstrapRequest');
      await connect();
      await failed;
    });

    it('of another cluster is nobody\'s rival', async () => {
      await connect('east');
      await connect('west');
      expect(hub.clusters()).toEqual(['east', 'west']);
      expect(lifecycle).toEqual(['installed', 'installed']);
    });
  });

  describe('the end of a stream', () => {
    it.each([['in order', (o: FakeOperator) => o.end()], ['by losing the connection', (o: FakeOperator) => o.close()]])('%s removes the session once', async (_name, end) => {
      const operator = await connect();
      end(operator);
      expect(await events.next()).toBe('disconnected east');
      expect([hub.count, hub.connected('east')]).toEqual([0, false]);
      await connect();
      expect(lifecycle).toEqual(['installed', 'removed', 'installed']);
    });

    it('in order is answered with OK', async () => {
      const operator = await connect();
      operator.end();
      expect((await operator.ended).code).toBe(GrpcCode.OK);
    });

    it('comes for all when the shard stops', async () => {
      const [east, west] = [await connect('east'), await connect('west')];
      hub.closeAll('the shard is stopping');
      expect(await east.ended).toEqual({ code: GrpcCode.UNAVAILABLE, details: 'the shard is stopping' });
      expect((await west.ended).code).toBe(GrpcCode.UNAVAILABLE);
      expect(hub.count).toBe(0);
      expect(await events.take(2)).toEqual(['disconnected east', 'disconnected west']);
    });
  });

  describe('roll-ups', () => {
    it('are acked when applied and not when refused; the session stays open (S5)', async () => {
      const seenStamps: bigint[] = [];
      apply = (_cluster, rollup) => {
        seenStamps.push(rollup.timestampUnixNanos);
        return rollup.timestampUnixNanos !== 1n;
      };
      const operator = await connect();
      operator.rollup({ timestampUnixNanos: 1n });
      await handled(operator); // the refusal is over, and unanswered
      expect(operator.kinds()).not.toContain('ack rollup');
      operator.rollup({ timestampUnixNanos: 2n });
      await operator.ack('rollup');
      expect(seenStamps).toEqual([1n, 2n]);
    });

    it('while one is applied only the newest waits, and answers to other questions are not held up (S4)', async () => {
      const applied: bigint[] = [];
      const first = Promise.withResolvers<boolean>();
      const begun = Promise.withResolvers<void>();
      apply = (_cluster, rollup) => {
        applied.push(rollup.timestampUnixNanos);
        begun.resolve();
        return rollup.timestampUnixNanos === 1n ? first.promise : true;
      };
      const operator = await connect();
      operator.rollup({ timestampUnixNanos: 1n });
      await begun.promise;
      for (const stamp of [2n, 3n, 4n]) operator.rollup({ timestampUnixNanos: stamp });
      const blob = hub.requestBlob('east', [], never);
      operator.answer((await operator.wait('bootstrapRequest')).requestId, { userData: new Uint8Array([5]) });
      expect((await blob).userData).toEqual(Buffer.from([5]));
      expect(applied).toEqual([1n]);
      first.resolve(true);
      await operator.ack('rollup');
      await operator.ack('rollup');
      expect(applied).toEqual([1n, 4n]);
    });

    it('that name another cluster are ignored (the session says whose they are)', async () => {
      const applied: string[] = [];
      apply = (cluster) => (applied.push(cluster), true);
      const operator = await connect();
      operator.rollup({ clusterId: 'west' });
      await handled(operator);
      expect(applied).toEqual([]);
      expect(operator.kinds()).not.toContain('ack rollup');
    });

    it('whose application fails are not acked; the next one is applied', async () => {
      let calls = 0;
      apply = () => {
        if (++calls === 1) throw new Error('disk full');
        return true;
      };
      const operator = await connect();
      operator.rollup();
      await handled(operator);
      operator.rollup();
      await operator.ack('rollup');
      expect(calls).toBe(2);
      expect(operator.kinds().filter((k) => k === 'ack rollup')).toHaveLength(1);
    });

    it('of a session that ended meanwhile are applied and not acked; nothing breaks', async () => {
      const first = Promise.withResolvers<boolean>();
      const begun = Promise.withResolvers<void>();
      apply = () => (begun.resolve(), first.promise);
      const operator = await connect();
      operator.rollup();
      await begun.promise;
      operator.close();
      await events.next();
      first.resolve(true);
      apply = () => true;
      const again = await connect();
      again.rollup();
      await again.ack('rollup');
    });

    it('of 60,000 rows and more than 4 MiB arrive whole (C12)', async () => {
      let rows = 0;
      apply = (_cluster, { needs }) => ((rows = needs.length), true);
      const operator = await connect();
      const padding = 'x'.repeat(60);
      operator.rollup({ needs: Array.from({ length: 60_000 }, (_, i) => wireRow({ group: `${padding}${i}` })) });
      await operator.ack('rollup');
      expect(rows).toBe(60_000);
    });
  });

  describe('bootstrap requests', () => {
    it('are matched with their answers by id; the operator\'s error is an answer (S6)', async () => {
      const operator = await connect();
      const [one, two] = [hub.requestBlob('east', [{ key: 'zone', operator: 1, values: ['a'] }], never, 'm-1'), hub.requestBlob('east', [], never)];
      const first = await operator.wait('bootstrapRequest');
      const second = await operator.wait('bootstrapRequest');
      expect(first).toEqual({ requestId: 'request-1', clusterId: 'east', requirements: [{ key: 'zone', operator: 1, values: ['a'] }], machineId: 'm-1' });
      operator.answer(second.requestId, { error: 'no such image' });
      operator.answer(first.requestId, { userData: new Uint8Array([1]) });
      expect((await one).userData).toEqual(Buffer.from([1]));
      expect((await two).error).toBe('no such image');
    });

    it('time out with the caller\'s signal; a late answer is dropped without harm (S6)', async () => {
      const operator = await connect();
      const abort = new AbortController();
      const blob = hub.requestBlob('east', [], abort.signal);
      const { requestId } = await operator.wait('bootstrapRequest');
      abort.abort();
      await expect(blob).rejects.toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED });
      operator.answer(requestId);
      operator.answer('never asked');
      await handled(operator);
    });

    it('do not begin under a signal that is aborted already', async () => {
      const operator = await connect();
      await expect(hub.requestBlob('east', [], AbortSignal.abort())).rejects.toMatchObject({ code: GrpcCode.DEADLINE_EXCEEDED });
      await handled(operator);
      expect(operator.kinds()).not.toContain('bootstrapRequest');
    });

    it('fail at once without a session, and when the session ends', async () => {
      await expect(hub.requestBlob('east', [], never)).rejects.toMatchObject({ code: GrpcCode.UNAVAILABLE });
      const operator = await connect();
      const blob = hub.requestBlob('east', [], never);
      await operator.wait('bootstrapRequest');
      operator.close();
      await expect(blob).rejects.toMatchObject({ code: GrpcCode.UNAVAILABLE });
    });
  });

  describe('other frames', () => {
    it('a reclaim instruction reaches the operator; without a session the caller is told', async () => {
      const instruction = { instructionId: 'i-1', nodes: ['node-m'], gracePeriodSeconds: 5n, preemptorPriority: 0, machineIds: ['m'] };
      expect(hub.sendReclaim('east', instruction)).toBe(false);
      const operator = await connect();
      expect(hub.sendReclaim('east', instruction)).toBe(true);
      expect(await operator.wait('reclaimInstruction')).toEqual(instruction);
      operator.send({ $case: 'reclaimAck', value: { instructionId: 'i-1', nodesStarted: 1 } });
      await handled(operator);
    });

    it('a node state without a session is dropped: the replay repairs it (S9)', async () => {
      hub.sendNodeState('east', update('m'));
      const operator = await connect();
      await operator.wait('replayComplete');
      expect(operator.kinds()).toEqual(['ack hello', 'replayComplete']);
    });

    it('a frame of an unknown kind is ignored', async () => {
      const operator = await connect();
      operator.sendEmpty();
      await handled(operator);
    });
  });

  describe('an operator that does not read', () => {
    /** Fills the transport: what is sent from here on waits in the outbox. */
    async function blocked(): Promise<FakeOperator> {
      const operator = await connect();
      await operator.wait('replayComplete');
      operator.pause();
      const padding = 'x'.repeat(200_000);
      for (let i = 0; i < 40; i++) hub.sendNodeState('east', update(`padding-${i}`, { lastError: padding }));
      return operator;
    }

    it('finds the newest state of each machine, in the order of the news, however much happened', async () => {
      const operator = await blocked();
      for (let i = 0; i < 1_000; i++) {
        hub.sendNodeState('east', update('a', { state: (i % 8) as MachineState }));
        hub.sendNodeState('east', update('b', { state: (i % 8) as MachineState }));
      }
      hub.sendNodeState('east', update('a', { state: 5 }));
      operator.resume();
      hub.replay('east');
      await operator.wait('replayComplete');
      const news = operator.received.filter((p) => p.$case === 'nodeStateUpdate').map((p) => p.value).filter((u) => !u.machineId.startsWith('padding'));
      expect(news.map((u) => [u.machineId, u.state])).toEqual([['b', 999 % 8], ['a', 5]]);
    });

    it('finds one need status with every row that changed, each as it is now', async () => {
      const operator = await blocked();
      hub.sendNeedStatus('east', { rollupTimestampUnixNanos: 1n, items: [status('one', { machines: 1 }), status('two')] });
      hub.sendNeedStatus('east', { rollupTimestampUnixNanos: 2n, items: [status('one', { machines: 2 }), status('one', { group: 'g' })] });
      hub.sendNeedStatus('east', { rollupTimestampUnixNanos: 3n, items: [] });
      operator.resume();
      const told = await operator.wait('needStatus');
      expect(told.rollupTimestampUnixNanos).toBe(3n);
      expect(told.items.map((i) => [i.fingerprint, i.group, i.machines])).toEqual([['one', '', 2], ['two', '', 1], ['one', 'g', 1]]);
      await handled(operator);
      expect(operator.kinds().filter((k) => k === 'needStatus')).toHaveLength(1);
    });

    it('does not find requests that nobody waits for any more', async () => {
      const operator = await blocked();
      const abort = new AbortController();
      const dead = [hub.requestBlob('east', [], abort.signal), hub.requestBlob('east', [], abort.signal)].map((p) => p.catch(() => undefined));
      const alive = hub.requestBlob('east', [], never);
      abort.abort();
      await Promise.all(dead);
      operator.resume();
      operator.answer((await operator.wait('bootstrapRequest')).requestId);
      expect((await alive).requestId).toBe('request-3');
      expect(operator.kinds().filter((k) => k === 'bootstrapRequest')).toHaveLength(1);
    });

    it('finds one instruction per machine', async () => {
      const operator = await blocked();
      for (let i = 0; i < 3; i++) {
        for (const node of ['a', 'b']) {
          hub.sendReclaim('east', { instructionId: `${node}${i}`, nodes: [node], gracePeriodSeconds: 5n, preemptorPriority: 0, machineIds: [node] });
        }
      }
      operator.resume();
      hub.replay('east');
      await operator.wait('replayComplete');
      await handled(operator);
      expect(operator.received.filter((p) => p.$case === 'reclaimInstruction').map((p) => p.value.instructionId)).toEqual(['a2', 'b2']);
    });
  });

  describe('frames that were on their way when the stream was given up', () => {
    /** The part of a stream that a session uses; frames come exactly when the test says. */
    function stream() {
      const written: (string | undefined)[] = [];
      const fake = Object.assign(new EventEmitter(), {
        write: (frame: { payload?: { $case: string } }) => (written.push(frame.payload?.$case), true),
        end: () => undefined,
      });
      fake.on('error', () => undefined);
      hub.accept(fake as unknown as SessionStream);
      const frame = (payload: OperatorMessage['payload']): unknown => fake.emit('data', { payload });
      const hello = (): unknown => frame({ $case: 'hello', value: { clusterId: 'east', protocolVersion: '', additions: true } });
      return { written, frame, hello };
    }

    it('open no session on a stream that was refused', () => {
      const bad = stream();
      bad.frame({ $case: 'reclaimAck', value: { instructionId: '', nodesStarted: 0 } });
      bad.hello();
      expect([hub.count, bad.written]).toEqual([0, []]);
    });

    it('do not bring a replaced session back', () => {
      const [first, second] = [stream(), stream()];
      first.hello();
      second.hello();
      first.hello();
      hub.sendNodeState('east', update('m'));
      expect(second.written.at(-1)).toBe('nodeStateUpdate');
      expect(first.written).not.toContain('nodeStateUpdate');
      expect(lifecycle).toEqual(['installed', 'replaced', 'installed']);
    });
  });
});
