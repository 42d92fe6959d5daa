import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { AvailableCapacityUpdate_Confidence as Confidence } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { availableCapacityName } from '../api/names.ts';
import { AvailableCapacityResource, CapacityRequestResource, ConfigMapResource, EventResource, LeaseResource, NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, ConfigMap, Lease, Node, Pod, UpcomingNode } from '../api/types.ts';
import { systemClock } from '../lib/clock.ts';
import { AvailableCapacityReconciler } from '../reconcilers/availablecapacity/reconciler.ts';
import { createKubeClient } from '../runtime/index.ts';
import type { ResourceType } from '../runtime/types.ts';
import type { FakeSession } from '../session/client/testing/fake-shard.ts';
import { statusKeyOfNeed } from './contribution.ts';
import { AgentRig } from './testing/agent-rig.ts';
import { frame, node } from './testing/machines.ts';

function pod(name: string, more: Partial<Pod['spec']> = {}, annotations: Record<string, string> = {}): Pod {
  return {
    apiVersion: 'v1', kind: 'Pod', metadata: { name, namespace: 'default', annotations },
    spec: { containers: [{ name: 'c', image: 'i', resources: { requests: { cpu: '2' } } }], ...more },
  };
}

/** A life in which a component needs everything that its role allows: one verb less, and it does not come to its end. */
describe('the role', () => {
  let rig: AgentRig;

  beforeEach(async () => {
    rig = await AgentRig.start();
    // A server that cannot begin a watch with everything is asked for a list.
    for (const { plural } of [PodResource, NodeResource, CapacityRequestResource, UpcomingNodeResource]) rig.cluster.faults.fail({ verb: 'watch', plural, code: 422, reason: 'Invalid' });
  });
  afterEach(() => rig.stop());

  const eventAbout = (name: string): Promise<unknown> => new Promise<void>((resolve) => {
    const stop = rig.cluster.store.watch<{ metadata: { name: string }; involvedObject?: { name?: string } }>(EventResource as ResourceType, (event) => {
      if (event.type === 'deleted' || event.object.involvedObject?.name !== name) return;
      setImmediate(() => stop());
      resolve();
    });
  });
  const requestOf = (name: string) => ({ namespace: 'default', name: `cr-pod-${rig.cluster.store.get<Pod>(PodResource, { namespace: 'default', name })?.metadata.uid}` });

  it('of the pod controller allows what it needs, and nothing more', async () => {
    rig.startAgent({}, { parts: 'pod-controller' });
    rig.cluster.store.create(PodResource, pod('p-1', {}, { 'bigfleet.lucy.sh/interruption-penalty': 'dear' }));
    await rig.until<CapacityRequest>(CapacityRequestResource, requestOf('p-1'), (r) => r?.status?.phase === 'Pending');
    await eventAbout('p-1');
    rig.cluster.store.mutate<Pod>(PodResource, { namespace: 'default', name: 'p-1' }, (draft) => ({ ...draft, metadata: { ...draft.metadata, annotations: { 'bigfleet.lucy.sh/interruption-penalty': '8' } } }));
    await rig.until<CapacityRequest>(CapacityRequestResource, requestOf('p-1'), (r) => r?.spec.interruptionPenalty !== undefined);
    rig.cluster.store.create<Node>(NodeResource, { apiVersion: 'v1', kind: 'Node', ...node('somebody-elses') });
    rig.cluster.store.bindPod({ namespace: 'default', name: 'p-1' }, 'somebody-elses');
    await rig.until<CapacityRequest>(CapacityRequestResource, requestOf('p-1'), (r) => r === undefined);
    await renewal('bigfleet-unschedulable-pod-controller');
    expect(rig.roles['pod-controller'].unused()).toEqual([]);
    expect(rig.roles['pod-controller'].dispensable()).toEqual([]);
  });

  it('of the operator allows what it needs, and nothing more', async () => {
    const wish: CapacityRequest = { apiVersion: 'bigfleet.lucy.sh/v1alpha1', kind: 'CapacityRequest', metadata: { name: 'wish', namespace: 'default' }, spec: { priority: 0, resources: { cpu: '2' } } };
    const odd: CapacityRequest = { ...wish, metadata: { name: 'odd', namespace: 'default' }, spec: { ...wish.spec, requirements: [{ key: 'k', operator: 'Gt', values: ['1'] }] } };
    for (const request of [wish, odd]) rig.cluster.store.create(CapacityRequestResource, request);
    const key = statusKeyOfNeed({ fingerprint: 'p=0|ipb=0|rpb=0|reqs=|spr=', group: '', minUnit: new Map([['cpu', '2']]) });
    const allowances = { namespace: 'bigfleet-system', name: 'bigfleet-allowances' };
    const saved = JSON.stringify({ [key]: { sigma: { cpu: '3000000000' }, requests: { cpu: '2000000000' } } });
    rig.cluster.store.create<ConfigMap>(ConfigMapResource, { apiVersion: 'v1', kind: 'ConfigMap', metadata: allowances, data: { 'allowances.json': saved } });
    rig.startAgent({ demandModel: 'allowance' }, { parts: 'operator' });
    const session = await connected();
    await rig.until<CapacityRequest>(CapacityRequestResource, { namespace: 'default', name: 'odd' }, (r) => r?.status?.conditions?.[0]?.type === 'Accepted');
    await eventAbout('odd');

    // Allowances: read, taken back, and written where somebody has removed them.
    rig.cluster.store.delete(ConfigMapResource, allowances);
    rig.cluster.store.delete(CapacityRequestResource, { namespace: 'default', name: 'wish' });
    await rig.until<ConfigMap>(ConfigMapResource, allowances, (c) => c?.data?.['allowances.json'] === '{}');

    session.send({ $case: 'availableCapacity', value: { supersedesKey: 'profile', requirements: [], resources: undefined, confidence: Confidence.CONFIDENCE_HIGH, availableCount: 3, costPerHour: 1 } });
    await rig.until(AvailableCapacityResource, { name: availableCapacityName('profile') }, (object) => object !== undefined);
    await offerGrowsStale();

    rig.cluster.store.create<Node>(NodeResource, { apiVersion: 'v1', kind: 'Node', ...node('node-a', { machine: 'm-1' }) });
    rig.cluster.store.create(PodResource, pod('p-1', { nodeName: 'node-a' }));
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'CONFIGURED') });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Ready');
    session.send({ $case: 'reclaimInstruction', value: { instructionId: 'i-1', nodes: [], machineIds: ['m-1'], gracePeriodSeconds: 30n, preemptorPriority: 0 } });
    await rig.until<Pod>(PodResource, { namespace: 'default', name: 'p-1' }, (p) => p?.metadata.deletionTimestamp !== undefined);
    rig.cluster.store.delete(PodResource, { namespace: 'default', name: 'p-1' }, { gracePeriodSeconds: 0 });
    await rig.until<UpcomingNode>(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u?.status?.phase === 'Drained');
    session.send({ $case: 'nodeStateUpdate', value: frame('m-1', 'IDLE') });
    await rig.until(UpcomingNodeResource, { name: 'un-m-1' }, (u) => u === undefined);
    await rig.until<Lease>(LeaseResource, { namespace: 'bigfleet-system', name: 'bigfleet-operator' }, (lease) => lease?.metadata.annotations !== undefined);
    await renewal('bigfleet-operator');
    expect(rig.roles.operator.unused()).toEqual([]);
    expect(rig.roles.operator.dispensable()).toEqual([]);
  });

  /** The Lease changes once more: it is there, and whatever else is kept at it as well. */
  async function renewal(name: string): Promise<void> {
    const known = rig.cluster.store.get<Lease>(LeaseResource, { namespace: 'bigfleet-system', name })?.spec?.renewTime;
    await rig.until<Lease>(LeaseResource, { namespace: 'bigfleet-system', name }, (lease) => lease?.spec?.renewTime !== known);
  }

  async function connected(): Promise<FakeSession> {
    const session = await rig.shard.nextSession();
    await session.wait('hello');
    session.ack('hello');
    const acknowledge = (): void => void session.wait('rollup').then(() => {
      session.ack('rollup');
      acknowledge();
    });
    acknowledge();
    return session;
  }

  /** Ten minutes pass for the reconciler alone, not for its Lease. */
  async function offerGrowsStale(): Promise<void> {
    let now = 0;
    const client = createKubeClient({ config: { server: rig.cluster.url, token: 'operator' }, clock: systemClock, random: Math.random, fieldManager: 'test', userAgent: 'test' });
    const offers = new AvailableCapacityReconciler({ client, clock: { ...systemClock, monotonic: () => now } });
    const name = availableCapacityName('profile');
    offers.adopt(name);
    now = 600_000;
    await offers.reconcile(name, { signal: new AbortController().signal } as never);
    await client.close();
    expect(rig.cluster.store.get(AvailableCapacityResource, { name })).toBeUndefined();
  }
});
