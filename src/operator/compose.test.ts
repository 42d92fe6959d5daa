import { isDeepStrictEqual } from 'node:util';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { CapacityRequestResource, ConfigMapResource, EventResource, LeaseResource, NodeResource, PodResource, SecretResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, ConfigMap, Event, Lease, Node, Pod, Secret, UpcomingNode } from '../api/types.ts';
import { systemClock } from '../lib/clock.ts';
import { timestamp } from '../lib/timestamp.ts';
import type { FakeSession } from '../session/client/testing/fake-shard.ts';
import { statusKeyOfNeed } from './contribution.ts';
import { parseNote, type OperatorNote } from './operator-note.ts';
import { AgentRig } from './testing/agent-rig.ts';
import { frame, node } from './testing/machines.ts';

function pod(name: string, more: Partial<Pod['spec']> = {}): Pod {
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default' },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '2', memory: '4Gi' } } }], ...more },
  };
}

function joined(...args: Parameters<typeof node>): Node {
  return { apiVersion: 'v1', kind: 'Node', ...node(...args) };
}

function requestOf(rig: AgentRig, name: string): { namespace: string; name: string } {
  return { namespace: 'default', name: `cr-pod-${rig.cluster.store.get<Pod>(PodResource, { namespace: 'default', name })?.metadata.uid}` };
}

/** Acknowledges everything until a roll-up meets the condition; resolves with that roll-up. */
async function rollupWith(session: FakeSession, is: (sum: Record<string, string>, hints: readonly { machineId: string; pods: number; ready: boolean }[]) => boolean) {
  for (;;) {
    const rollup = await session.wait('rollup');
    session.ack('rollup');
    const sums = rollup.needs.map((n) => Object.fromEntries(n.aggregateResources));
    if (is(sums[0] ?? {}, rollup.nodeHints?.items ?? [])) return rollup;
  }
}

describe('an agent in a cluster', () => {
  let rig: AgentRig;

  beforeEach(async () => {
    rig = await AgentRig.start();
  });
  afterEach(() => rig.stop());

  async function connected(): Promise<FakeSession> {
    const session = await rig.shard.nextSession();
    await session.wait('hello');
    session.ack('hello');
    return session;
  }

  it('carries a Pod’s demand to the shard, and the shard’s word back, in two writes', async () => {
    let writesOfRequests = 0;
    rig.cluster.store.watch(CapacityRequestResource, () => writesOfRequests++);
    rig.startAgent();
    const session = await connected();
    await rollupWith(session, (sum) => Object.keys(sum).length === 0);
    rig.cluster.store.create(PodResource, pod('p-1'));
    const rollup = await rollupWith(session, (sum) => sum['cpu'] === '2' && sum['memory'] === '4Gi');
    const [need] = rollup.needs;
    const fingerprint = 'p=0|ipb=0|rpb=0|reqs=node.kubernetes.io/instance-type:3:;|spr=';
    session.send({ $case: 'needStatus', value: {
      rollupTimestampUnixNanos: rollup.timestampUnixNanos,
      items: [{ fingerprint, group: '', minUnit: need?.minUnit ?? new Map(), satisfied: true, reason: 0, reasonText: '', machines: 1, inFlight: 1 }],
    } });
    const request = await rig.until<CapacityRequest>(CapacityRequestResource, requestOf(rig, 'p-1'), (r) => r?.status?.phase === 'Acknowledged');
    expect(request?.status?.acknowledgedAt).toBeDefined();
    expect(request?.status?.conditions).toMatchObject([{ type: 'Satisfied', status: 'True', reason: 'CapacityAssigned' }, { type: 'Ready', status: 'True' }]);
    expect(writesOfRequests).toBe(2);

    rig.cluster.store.delete(PodResource, { namespace: 'default', name: 'p-1' });
    await rollupWith(session, (sum) => Object.keys(sum).length === 0);
  });

  it('carries demand straight from Pods without a write for any of them, leaves their requests alone, and tells a Pod what it cannot have (D33)', async () => {
    const owner = rig.cluster.store.create<Pod>(PodResource, pod('p-1'));
    const stray: CapacityRequest = {
      apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest',
      metadata: { name: 'of-p-1', namespace: 'default', ownerReferences: [{ apiVersion: 'v1', kind: 'Pod', name: 'p-1', uid: owner.metadata.uid ?? '', controller: true }] },
      spec: { priority: 0, resources: { cpu: '2' } },
    };
    rig.cluster.store.create(CapacityRequestResource, stray);
    const written: string[] = [];
    rig.cluster.store.watch(CapacityRequestResource, (event) => written.push(event.type));
    const told = new Promise<Event>((resolve) => {
      rig.cluster.store.watch<Event>(EventResource, (event) => {
        if (event.type === 'added' && event.object.involvedObject.name === 'p-3' && event.object.reason === 'NotAccepted') resolve(event.object);
      });
    });
    rig.startAgent({ directPods: { includeDaemonSetPods: false, foreignNodes: 'ignore' } }, { parts: 'operator' });
    const session = await connected();
    rig.cluster.store.create(PodResource, pod('p-2'));
    const gt = { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['8'] }] }] } } };
    rig.cluster.store.create(PodResource, pod('p-3', { affinity: gt } as Partial<Pod['spec']>));
    const rollup = await rollupWith(session, (sum) => sum['cpu'] === '4');
    expect(rollup.needs).toHaveLength(1);
    expect((await told).message).toMatch(/^InvalidRequirement: spec\.requirements\[0\]\.operator: "Gt" is not one of/);
    rig.cluster.store.delete(PodResource, { namespace: 'default', name: 'p-2' }, { gracePeriodSeconds: 0 });
    await rollupWith(session, (sum) => sum['cpu'] === '2');
    expect(written).toEqual(['added']); // the one that was there before
  });

  it('announces machines, ties them to their Nodes, empties and removes them', async () => {
    rig.startAgent();
    const session = await connected();
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED', { providerId: 'sim://m-1' }) });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Ready');
    rig.cluster.store.create<Node>(NodeResource, {
      apiVersion: 'v1', kind: 'Node', metadata: { name: 'node-a', labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } }, spec: { providerID: 'sim://m-1' },
      status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu: '8', memory: '32Gi', pods: '110' } },
    });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.nodeRef?.name === 'node-a');
    rig.cluster.store.create(PodResource, pod('p-1'));
    rig.cluster.store.bindPod({ namespace: 'default', name: 'p-1' }, 'node-a');
    const rollup = await rollupWith(session, (_, hints) => hints[0]?.pods === 1);
    expect(rollup.nodeHints?.items).toMatchObject([{ machineId: 'm-1', nodeName: 'node-a', pods: 1, disruptionCost: 1 }]);

    session.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: ['node-a'], machineIds: ['m-1'], gracePeriodSeconds: 30n, preemptorPriority: 0 } });
    expect(await session.wait('reclaimAck')).toEqual({ instructionId: 'i-1', nodesStarted: 1 });
    await rig.until<Node>(NodeResource, { name: 'node-a' }, (n) => n?.spec?.unschedulable === true);
    // The kubelet's part: the Pod ends.
    await rig.until<Pod>(PodResource, { namespace: 'default', name: 'p-1' }, (p) => !p || p.metadata.deletionTimestamp !== undefined);
    rig.cluster.store.delete(PodResource, { namespace: 'default', name: 'p-1' }, { gracePeriodSeconds: 0 });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Drained');
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'IDLE') });
    await rig.until(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u === undefined);
    expect(rig.cluster.store.get(NodeResource, { name: 'node-a' })).toBeUndefined();
  });

  it('gives a machine that it has emptied back to the scheduler when the shard says that it stays', async () => {
    rig.cluster.store.create<Node>(NodeResource, joined('node-a', { machine: 'm-1' }));
    rig.startAgent();
    const session = await connected();
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.nodeRef?.name === 'node-a');
    session.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: ['node-a'], machineIds: ['m-1'], gracePeriodSeconds: 30n, preemptorPriority: 0 } });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Drained');
    expect(rig.cluster.store.get<Node>(NodeResource, { name: 'node-a' })?.spec?.unschedulable).toBe(true);
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'DRAINING') });
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<Node>(NodeResource, { name: 'node-a' }, (n) => n?.spec?.unschedulable !== true);
    const kept = await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Ready');
    expect(Object.keys(kept?.metadata.annotations ?? {})).toEqual(['bigfleet.lucy.sh/machine-id']);
  });

  it('goes on emptying a machine when a shard without additions repeats at a reconnect that it is configured (spec: cluster-operator 4.7)', async () => {
    rig.cluster.store.create<Node>(NodeResource, joined('node-a', { machine: 'm-1' }));
    rig.startAgent();
    const plain = async (): Promise<FakeSession> => {
      const session = await rig.shard.nextSession();
      await session.wait('hello');
      session.ack('hello', 1n, '');
      session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
      return session;
    };
    const first = await plain();
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.nodeRef?.name === 'node-a');
    first.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: ['node-a'], machineIds: [], gracePeriodSeconds: 30n, preemptorPriority: 0 } });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Drained');
    first.end();
    const second = await plain();
    // Whoever believed the repetition would have acted before this later machine is through the same queue.
    second.send({ $case: 'nodeStateUpdate', value: frame('m-2', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-2' }, (u) => u?.status?.phase === 'Ready');
    expect(rig.cluster.store.get<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' })?.status?.phase).toBe('Drained');
    expect(rig.cluster.store.get<Node>(NodeResource, { name: 'node-a' })?.spec?.unschedulable).toBe(true);
  });

  it('writes nothing when a new session repeats what is known (C8), and removes what it does not name (D18)', async () => {
    rig.startAgent();
    const first = await connected();
    for (const id of ['m-1', 'm-2']) first.send({ $case: 'nodeStateUpdate', value: frame(id, 'CONFIGURED', { providerId: `sim://${id}` }) });
    for (const id of ['m-1', 'm-2']) await rig.until<UpcomingNode>(UpcomingNodeResource, { name: `un-${id}` }, (u) => u?.status?.phase === 'Ready');
    let writes = 0;
    rig.cluster.store.watch<UpcomingNode>(UpcomingNodeResource, (event) => (event.type === 'updated' ? writes++ : undefined));
    first.end();
    const second = await connected();
    second.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED', { providerId: 'sim://m-1' }) });
    second.send({ $case: 'replayComplete', value: { machineIds: ['m-1'] } });
    await rig.until(UpcomingNodeResource, { name: 'un-m-2' }, (u) => u === undefined);
    expect(rig.cluster.store.get<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' })?.status?.phase).toBe('Ready');
    expect(writes).toBe(0);
  });

  it('remembers the newest epoch of a shard over a restart (D17)', async () => {
    const agent = rig.startAgent();
    const session = await rig.shard.nextSession();
    session.ack('hello', 9n);
    const lease = { namespace: 'bigfleet-system', name: 'bigfleet-operator' };
    await rig.until<Lease>(LeaseResource, lease, (l) => l?.metadata.annotations?.['bigfleet.lucy.sh/shard-epochs'] === '{"shard-0":"9"}');
    await agent.stop();
    rig.startAgent();
    const old = await rig.shard.nextSession();
    old.ack('hello', 8n);
    old.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: '' } });
    expect((await old.wait('bootstrapResponse')).error).toMatch(/superseded/);
  });

  it('says at its Lease which cluster this is and whether Pods are demand themselves, and writes it anew when that has changed', async () => {
    const lease = { namespace: 'bigfleet-system', name: 'bigfleet-operator' };
    const told = (note: OperatorNote) => rig.until<Lease>(LeaseResource, lease, (l) => isDeepStrictEqual(parseNote(l?.metadata.annotations?.['bigfleet.lucy.sh/operator']), note));
    const first = rig.startAgent();
    await told({ clusterId: 'demo' });
    await connected();
    await first.stop();
    const directPods = { includeDaemonSetPods: false, foreignNodes: 'ignore', priorityClassDefaults: new Map([['batch', { interruptionPenalty: '16' }]]) } as const;
    rig.startAgent({ clusterId: 'renamed', directPods });
    await told({ clusterId: 'renamed', directPods });
  });

  it('makes a bootstrap token for the machine that it is asked for, and withdraws it when that has joined', async () => {
    rig.startAgent({ bootstrapTemplate: 'kubeadm join --token {{ .BootstrapToken }}' });
    const session = await connected();
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURING') });
    session.send({ $case: 'bootstrapRequest', value: { requestId: 'r-1', requirements: [], clusterId: 'demo', machineId: 'm-1' } });
    const { userData, ttlSeconds, error } = await session.wait('bootstrapResponse');
    const [, id = '', part] = /^kubeadm join --token ([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(new TextDecoder().decode(userData)) ?? [];
    expect([error, ttlSeconds]).toEqual(['', 1_800n]);
    const ref = { namespace: 'kube-system', name: `bootstrap-token-${id}` };
    expect(atob(rig.cluster.store.get<Secret>(SecretResource, ref)?.data?.['token-secret'] ?? '')).toBe(part);
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Ready');
    expect(rig.cluster.store.get(SecretResource, ref)).toBeDefined();
    rig.cluster.store.create<Node>(NodeResource, { apiVersion: 'v1', kind: 'Node', ...node('node-a', { machine: 'm-1' }) });
    await rig.until(SecretResource, ref, (secret) => secret === undefined);
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.metadata.annotations?.['bigfleet.lucy.sh/bootstrap-token-id'] === undefined);
    const { agent } = rig.roles;
    expect([...agent.unused(), ...agent.dispensable()].filter((verb) => verb.includes('secrets'))).toEqual([]);
  });

  it('asks nothing for a Pod on a Node that is not of the fleet (D1)', async () => {
    rig.startAgent();
    const session = await connected();
    rig.cluster.store.create<Node>(NodeResource, { apiVersion: 'v1', kind: 'Node', metadata: { name: 'theirs' }, status: { conditions: [{ type: 'Ready', status: 'True' }] } });
    rig.cluster.store.create(PodResource, pod('p-1'));
    await rollupWith(session, (sum) => sum['cpu'] === '2');
    const ref = requestOf(rig, 'p-1');
    rig.cluster.store.bindPod({ namespace: 'default', name: 'p-1' }, 'theirs');
    await rig.until(CapacityRequestResource, ref, (r) => r === undefined);
    await rollupWith(session, (sum) => Object.keys(sum).length === 0);
  });

  it('tells a bad request what is wrong with it, and goes on with the others (D4, B9)', async () => {
    rig.startAgent();
    const session = await connected();
    const bad: CapacityRequest = {
      apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'bad', namespace: 'default' },
      spec: { priority: 0, resources: { cpu: '1' }, requirements: [{ key: 'cores', operator: 'Gt', values: ['8'] }] },
    };
    rig.cluster.store.create(CapacityRequestResource, bad);
    rig.cluster.store.create(PodResource, pod('p-1'));
    await rollupWith(session, (sum) => sum['cpu'] === '2');
    const told = await rig.until<CapacityRequest>(CapacityRequestResource, { namespace: 'default', name: 'bad' }, (r) => r?.status?.conditions !== undefined);
    expect(told?.status).toMatchObject({ phase: 'Pending', conditions: [{ type: 'Accepted', status: 'False', reason: 'InvalidRequirement' }, { type: 'Ready', status: 'False' }, { type: 'Stalled', status: 'True' }] });
  });

  it('goes on in its first roll-up with the allowance that its predecessor saved (D3)', async () => {
    const wish: CapacityRequest = {
      apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'wish', namespace: 'default' }, spec: { priority: 0, resources: { cpu: '2' } },
    };
    rig.cluster.store.create(CapacityRequestResource, wish);
    const fingerprint = 'p=0|ipb=0|rpb=0|reqs=|spr=';
    const key = statusKeyOfNeed({ fingerprint, group: '', minUnit: new Map([['cpu', '2']]) });
    const saved = { [key]: { sigma: { cpu: '3000000000' }, requests: { cpu: '2000000000' } } };
    rig.cluster.store.create<ConfigMap>(ConfigMapResource, {
      apiVersion: 'v1', kind: 'ConfigMap', metadata: { namespace: 'bigfleet-system', name: 'bigfleet-allowances' }, data: { 'allowances.json': JSON.stringify(saved) },
    });
    rig.startAgent({ demandModel: 'allowance' });
    const session = await connected();
    const first = await session.wait('rollup');
    expect(first.needs.map((n) => Object.fromEntries(n.aggregateResources))).toEqual([{ cpu: '5' }]);
    // Without demand it goes, and is forgotten for good.
    rig.cluster.store.delete(CapacityRequestResource, { namespace: 'default', name: 'wish' });
    await rig.until<ConfigMap>(ConfigMapResource, { namespace: 'bigfleet-system', name: 'bigfleet-allowances' }, (c) => c?.data?.['allowances.json'] === '{}');
  });

  it('removes a lifeless Node of the fleet that nothing but the Node itself reminds of, once the replay does not name it (D18, D20)', async () => {
    rig.cluster.store.create<Node>(NodeResource, joined('forgotten', { machine: 'm-1', ready: false }));
    rig.cluster.store.create<Node>(NodeResource, joined('alive', { machine: 'm-2' }));
    rig.cluster.store.create<Node>(NodeResource, joined('named', { machine: 'm-3', ready: false }));
    rig.cluster.store.create<Node>(NodeResource, joined('theirs', { ready: false }));
    rig.startAgent({ lifelessMs: 0 });
    const session = await connected();
    session.send({ $case: 'replayComplete', value: { machineIds: ['m-3'] } });
    await rig.until<Node>(NodeResource, { name: 'forgotten' }, (n) => n === undefined);
    for (const name of ['alive', 'named', 'theirs']) expect(rig.cluster.store.get(NodeResource, { name })).toBeDefined();
  });

  it('keeps a Node that has just turned NotReady although a replay does not name its machine and it is old (D20)', async () => {
    // For the agent it is an hour later than for the API server that stamped the Nodes.
    const clock = { ...systemClock, now: () => systemClock.now() + 3_600_000 };
    const since = (ms: number): NonNullable<Node['status']> => ({ conditions: [{ type: 'Ready', status: 'Unknown', lastTransitionTime: timestamp(clock.now() - ms) }] });
    rig.cluster.store.create<Node>(NodeResource, { ...joined('blip', { machine: 'm-1' }), status: since(1_000) });
    rig.cluster.store.create<Node>(NodeResource, { ...joined('dead', { machine: 'm-2' }), status: since(600_000) });
    rig.startAgent({}, { clock });
    const session = await connected();
    session.send({ $case: 'replayComplete', value: { machineIds: [] } });
    await rig.until<Node>(NodeResource, { name: 'dead' }, (n) => n === undefined);
    // Whoever took the blip for a death would have acted before this later machine is through the same queue.
    session.send({ $case: 'nodeStateUpdate', value: frame('m-3', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-3' }, (u) => u?.status?.phase === 'Ready');
    expect(rig.cluster.store.get(NodeResource, { name: 'blip' })).toBeDefined();
  });

  it('keeps a Node that lives although a replay does not name its machine, whatever happens to it afterwards (D20)', async () => {
    rig.cluster.store.create<Node>(NodeResource, joined('alive', { machine: 'm-1' }));
    // For the agent the Node has been there for a minute.
    rig.startAgent({}, { clock: { ...systemClock, now: () => systemClock.now() + 60_000 } });
    const first = await connected();
    first.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.nodeRef?.name === 'alive');
    first.end();
    const second = await connected();
    second.send({ $case: 'replayComplete', value: { machineIds: [] } });
    await rig.until(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u === undefined);
    rig.cluster.store.mutate<Node>(NodeResource, { name: 'alive' }, (n) => ({ ...n, metadata: { ...n.metadata, labels: { ...n.metadata.labels, bumped: 'yes' } } }));
    // Whoever deleted the Node would have done so before this later machine has come and gone.
    rig.cluster.store.create<Node>(NodeResource, joined('later', { machine: 'm-2' }));
    second.send({ $case: 'nodeStateUpdate', value: frame('m-2', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-2' }, (u) => u?.status?.nodeRef?.name === 'later');
    second.send({ $case: 'nodeStateUpdate', value: frame('m-2', 'DRAINING') });
    second.send({ $case: 'nodeStateUpdate', value: frame('m-2', 'DELETING') });
    await rig.until<Node>(NodeResource, { name: 'later' }, (n) => n === undefined);
    expect(rig.cluster.store.get(NodeResource, { name: 'alive' })).toBeDefined();
  });

  it('leaves Nodes to others where it is told so, and does not wait for them (D20)', async () => {
    rig.cluster.store.create<Node>(NodeResource, joined('node-a', { machine: 'm-1' }));
    rig.startAgent({ deletesNodes: false });
    const session = await connected();
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.nodeRef?.name === 'node-a');
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'IDLE') });
    await rig.until(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u === undefined);
    // Whoever deleted Nodes would have done so before this later machine is through the same queue.
    session.send({ $case: 'nodeStateUpdate', value: frame('m-2', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-2' }, (u) => u?.status?.phase === 'Ready');
    expect(rig.cluster.store.get(NodeResource, { name: 'node-a' })).toBeDefined();
  });

  it('lets only one process act at a time', async () => {
    const first = rig.startAgent();
    await connected();
    rig.startAgent();
    await first.stop(); // releases the Lease
    const second = await rig.shard.nextSession();
    expect((await second.wait('hello')).clusterId).toBe('demo');
  });
});
