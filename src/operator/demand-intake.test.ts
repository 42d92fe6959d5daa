import fc from 'fast-check';
import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import type { Finding } from '../api/conditions.ts';
import { ClusterCapacityNeeds } from '../api/gen/bigfleet/v1alpha1/capacity.ts';
import { UnmetReason } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { CapacityRequestResource, NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { CapacityRequest, Pod, UpcomingNode } from '../api/types.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createRuntimeMetrics } from '../runtime/index.ts';
import { silentLog } from '../runtime/types.ts';
import type { BuiltRollup } from '../session/client/types.ts';
import type { Caches } from './caches.ts';
import { DemandIntake } from './demand-intake.ts';
import { FateLedger } from './fate-ledger.ts';
import { createOperatorMetrics } from './metrics.ts';
import { NodeLoad } from './node-load.ts';
import type { PodDemandOptions } from './pod-demand.ts';
import { wirePodController } from './pod-wiring.ts';
import { projectPod } from './projections.ts';
import { RequestFates } from './request-fates.ts';
import { DemandBook } from './rollup.ts';
import { RollupSource } from './rollup-source.ts';
import { cachesOf } from './testing/caches-of.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node } from './testing/machines.ts';

const OPTIONS: PodDemandOptions = {
  includeDaemonSetPods: false, foreignNodes: 'ignore', priorityClassDefaults: new Map([['batch', { interruptionPenalty: '16' }]]),
};

/** What an operator knows of a cluster's demand, in one of the two modes. */
class Reader {
  readonly rollups: RollupSource;
  readonly intake: DemandIntake;
  readonly ledger: FateLedger;
  readonly heard: string[] = [];
  readonly toTell: string[] = [];

  constructor(caches: Caches, clock: VirtualClock, directPods?: PodDemandOptions) {
    const metrics = createOperatorMetrics(new Registry());
    const book = new DemandBook();
    const load = new NodeLoad();
    const settle = (keys: Iterable<string>): void => {
      for (const key of keys) this.intake.settle(key);
    };
    this.ledger = new FateLedger({
      clock, intervalMs: 1_000, requestsChanged: settle,
      rowChanged: (statusKey) => {
        for (const row of book.rowsByStatusKey(statusKey)) settle(row.members);
      },
    });
    const { ledger } = this;
    this.rollups = new RollupSource({ clusterId: 'demo', book, ledger, load, nodes: caches.nodes.store, fleet: caches.fleet, clock, metrics });
    const about = (pod: Pod, what: string): number => this.heard.push(`${pod.metadata.name}: ${what}`);
    this.intake = new DemandIntake({
      caches, book, ledger, rollups: this.rollups, fates: new RequestFates(book, ledger, caches.pods.store), clock, log: silentLog, metrics,
      tell: (key) => this.toTell.push(key),
      warn: (pod, { reason }) => about(pod, reason),
      complain: (pod, { type, reason }: Finding) => about(pod, `${type} ${reason}`),
    }, directPods);
    caches.pods.subscribe((event) => load.observe(event));
  }

  rollup(): string {
    return Buffer.from(ClusterCapacityNeeds.encode(this.rollups.build().message).finish()).toString('latin1');
  }

  /** The shard has the roll-up and has said so. */
  report(): BuiltRollup {
    const built = this.rollups.build();
    this.rollups.sent(built);
    this.ledger.rollupAcked();
    return built;
  }
}

function pod(name: string, spec: Partial<Pod['spec']> = {}, more: Partial<Pod> = {}): Pod {
  const { metadata, ...rest } = more;
  return {
    metadata: { name, namespace: 'ns', uid: `uid-${name}`, ...metadata },
    spec: { containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }], ...spec }, ...rest,
  };
}

function request(name: string, more: Partial<CapacityRequest> = {}): CapacityRequest {
  return { metadata: { name, namespace: 'ns', generation: 1 }, spec: { resources: { cpu: '64' }, priority: 0 }, ...more };
}

const sidecar = { name: 's', restartPolicy: 'Always', resources: { requests: { cpu: '500m' } } };
const selector = fc.constantFrom<{ matchLabels: Record<string, string> }>({ matchLabels: { app: 'a' } }, { matchLabels: { app: 'b' } });

const anySpec: fc.Arbitrary<Partial<Pod['spec']>> = fc.record({
  containers: fc.array(fc.constantFrom({ name: 'c', resources: { requests: { cpu: '1', memory: '1Gi' } } }, { name: 'c', resources: { requests: { cpu: '63500m' } } }, { name: 'c' }), { minLength: 1, maxLength: 2 }),
  initContainers: fc.constantFrom([sidecar], [sidecar, { name: 'i', resources: { requests: { cpu: '4' } } }]),
  overhead: fc.constant({ memory: '64Mi' }),
  priority: fc.constantFrom(0, 1000),
  priorityClassName: fc.constantFrom('batch', 'unknown'),
  nodeSelector: fc.constantFrom<Record<string, string>>({ zone: 'a' }, { zone: 'b', arch: 'arm64' }),
  schedulingGates: fc.constant([{ name: 'wait' }]),
  topologySpreadConstraints: fc.array(fc.record({ topologyKey: fc.constant('zone'), maxSkew: fc.constantFrom(1, 2), whenUnsatisfiable: fc.constantFrom('DoNotSchedule', 'ScheduleAnyway') }), { maxLength: 2 }),
  affinity: fc.record({
    nodeAffinity: fc.record({ requiredDuringSchedulingIgnoredDuringExecution: fc.record({ nodeSelectorTerms: fc.tuple(fc.record({
      matchExpressions: fc.tuple(fc.constantFrom({ key: 'type', operator: 'In', values: ['m', 'l'] }, { key: 'gpu', operator: 'DoesNotExist' }, { key: 'cores', operator: 'Gt', values: ['8'] })),
    })) }) }),
    podAffinity: fc.record({ requiredDuringSchedulingIgnoredDuringExecution: fc.tuple(fc.record({ labelSelector: selector, topologyKey: fc.constantFrom('rack', 'zone') })) }),
  }, { requiredKeys: [] }),
}, { requiredKeys: ['containers'] }) as fc.Arbitrary<Partial<Pod['spec']>>;

const anyMeta: fc.Arbitrary<Partial<Pod['metadata']>> = fc.record({
  annotations: fc.constantFrom<Record<string, string>>(
    { 'bigfleet.lucy.sh/interruption-penalty': '8000' }, { 'bigfleet.lucy.sh/reclamation-penalty': 'abc' }, { 'bigfleet.lucy.sh/reclamation-penalty': '0.5' }, { 'kubernetes.io/config.mirror': 'x' }),
  ownerReferences: fc.constantFrom([{ apiVersion: 'apps/v1', kind: 'DaemonSet', name: 'd', uid: 'd' }], [{ apiVersion: 'apps/v1', kind: 'ReplicaSet', name: 'r', uid: 'r' }]),
}, { requiredKeys: [] }) as fc.Arbitrary<Partial<Pod['metadata']>>;

const name = fc.constantFrom('a', 'b', 'c', 'd');
const where = fc.constantFrom('ours', 'theirs', 'announced', 'unseen');

/** `born` counts Pods that ever were: no uid comes twice. */
type Step = (cluster: FakeCluster, born: { count: number }) => void;

/** Anything that may happen in a cluster. */
const anyStep: fc.Arbitrary<Step> = fc.oneof(
  { weight: 6, arbitrary: fc.tuple(name, fc.boolean(), anySpec, anyMeta).map(([n, isSuccessor, spec, meta]): Step => (cluster, born) => {
    const known = isSuccessor ? undefined : cluster.now<Pod>(PodResource, `ns/${n}`);
    if (!known) cluster.remove(PodResource, { namespace: 'ns', name: n });
    cluster.put(PodResource, projectPod(pod(n, spec, { metadata: { name: n, namespace: 'ns', uid: known?.metadata.uid ?? `${n}-${born.count++}`, ...meta } })));
  }) },
  { weight: 5, arbitrary: fc.tuple(name, where, fc.constantFrom('Pending', 'Running', 'Succeeded', 'Failed')).map(([n, nodeName, phase]): Step => (cluster) => {
    const known = cluster.now<Pod>(PodResource, `ns/${n}`);
    if (known) cluster.put(PodResource, { ...known, spec: { ...known.spec, nodeName }, status: { phase } });
  }) },
  name.map((n): Step => (cluster) => cluster.remove(PodResource, { namespace: 'ns', name: n })),
  { weight: 3, arbitrary: fc.tuple(where, fc.boolean()).map(([n, isLabelled]): Step => (cluster) => {
    const labelled = isLabelled && n === 'ours' ? { machine: 'm-1' } : {};
    if (n !== 'unseen') cluster.put(NodeResource, node(n, { ...labelled, ...(n === 'announced' ? { spec: { providerID: 'sim://m-2' } } : {}) }));
  }) },
  fc.constant<Step>((cluster) => {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: 'un-m-2' }, spec: { resources: {} }, status: { phase: 'Ready', providerID: 'sim://m-2' } });
  }),
  fc.constantFrom('1', '2').map((cpu): Step => (cluster) => {
    cluster.put(CapacityRequestResource, request('wish', { metadata: { name: 'wish', namespace: 'ns' }, spec: { resources: { cpu }, priority: 0 } }));
  }),
);

describe('demand', () => {
  it('is the same, byte for byte, whether Pods are read directly or by their requests (D33)', async () => {
    let seen = '';
    await fc.assert(fc.asyncProperty(fc.array(anyStep, { minLength: 8, maxLength: 40 }), async (steps) => {
      const clock = new VirtualClock();
      const cluster = new FakeCluster();
      const born = { count: 0 };
      const caches = cachesOf(cluster, clock);
      const readers = [new Reader(caches, clock), new Reader(caches, clock, OPTIONS)];
      const registry = new Registry();
      const stop = new AbortController();
      const running = Promise.all(wirePodController({ ...OPTIONS, pendingAfterMs: 3_600_000 }, {
        client: cluster, caches, events: { name: 'events', publish: () => {}, run: () => Promise.resolve() }, metrics: createOperatorMetrics(registry),
        runtimeMetrics: createRuntimeMetrics(registry), clock, log: silentLog,
      }).map((runnable) => runnable.run(stop.signal)));
      for (const step of steps) {
        step(cluster, born);
        await clock.advance(0);
        await clock.advance(0);
        const [byRequests, direct] = readers.map((reader) => reader.rollup());
        expect(direct).toBe(byRequests);
        seen += byRequests;
      }
      stop.abort();
      await clock.advance(60_000);
      await running;
    }), { numRuns: 150 });
    for (const what of ['rack', 'arm64', 'gpu', '64Mi', 'm-1', 'm-2']) expect(seen).toContain(what);
  });

  describe('of Pods that are read directly', () => {
    const setUp = (): { cluster: FakeCluster; clock: VirtualClock; reader: Reader } => {
      const clock = new VirtualClock();
      const cluster = new FakeCluster();
      const reader = new Reader(cachesOf(cluster, clock), clock, OPTIONS);
      return { cluster, clock, reader };
    };
    const cpu = (reader: Reader): string[] => reader.rollups.build().message.needs.map((need) => need.aggregateResources.get('cpu') ?? '');
    const judge = (reader: Reader, { message }: BuiltRollup, satisfied: boolean, text = 'nothing left'): void => {
      reader.ledger.needStatuses({ rollupTimestampUnixNanos: message.timestampUnixNanos, items: message.needs.map((need) => ({
        fingerprint: 'p=0|ipb=0|rpb=0|reqs=node.kubernetes.io/instance-type:3:;|spr=', group: need.group, minUnit: need.minUnit, satisfied,
        reason: satisfied ? 0 : UnmetReason.UNMET_REASON_SUPPLY_EXHAUSTED, reasonText: satisfied ? '' : text, machines: 0, inFlight: 0,
      })) });
    };

    it('leaves out requests that belong to Pods, also when they come to, and counts all others', () => {
      const { cluster, reader } = setUp();
      const ownerReferences = [{ apiVersion: 'v1', kind: 'Pod', name: 'p', uid: 'uid-p' }];
      cluster.put(PodResource, pod('p'));
      cluster.put(CapacityRequestResource, request('cr-pod-uid-p', { metadata: { name: 'cr-pod-uid-p', namespace: 'ns', generation: 1, ownerReferences } }));
      expect(cpu(reader)).toEqual(['2']);
      cluster.put(CapacityRequestResource, request('other'));
      const ofJob = [{ apiVersion: 'batch/v1', kind: 'Job', name: 'j', uid: 'uid-j' }];
      cluster.put(CapacityRequestResource, request('other', { metadata: { name: 'other', namespace: 'ns', generation: 1, ownerReferences: ofJob } }));
      expect(cpu(reader)).toEqual(['2', '64']);
      cluster.put(CapacityRequestResource, request('other', { metadata: { name: 'other', namespace: 'ns', generation: 1, ownerReferences } }));
      expect(cpu(reader)).toEqual(['2']);
    });

    it('tells a Pod that nothing serves it after five seconds, once, and again after it was served meanwhile; writes nothing (D31)', async () => {
      const { cluster, clock, reader } = setUp();
      reader.intake.speak();
      cluster.put(PodResource, pod('p'));
      judge(reader, reader.report(), false);
      await clock.advance(4_999);
      expect(reader.heard).toEqual([]);
      await clock.advance(1);
      expect(reader.heard).toEqual(['p: Satisfied SupplyExhausted']);
      judge(reader, reader.report(), false, 'still nothing');
      await clock.advance(60_000);
      judge(reader, reader.report(), true);
      await clock.advance(60_000);
      expect(reader.heard).toHaveLength(1);
      judge(reader, reader.report(), false);
      await clock.advance(5_000);
      expect(reader.heard).toEqual(['p: Satisfied SupplyExhausted', 'p: Satisfied SupplyExhausted']);
      expect(cluster.writes).toEqual([]);
      expect(reader.toTell).toEqual([]);
    });

    it('does not complain to a Pod that has a Node', async () => {
      const { cluster, clock, reader } = setUp();
      reader.intake.speak();
      cluster.put(NodeResource, node('ours', { machine: 'm-1' }));
      cluster.put(PodResource, pod('p', { nodeName: 'ours' }));
      judge(reader, reader.report(), false);
      await clock.advance(60_000);
      expect(reader.heard).toEqual([]);
    });

    it('tells a Pod at once what cannot be expressed, counts the others, and says it only when it is its turn to speak (D4)', () => {
      const { cluster, reader } = setUp();
      const greedy = { nodeSelectorTerms: [{ matchExpressions: [{ key: 'cores', operator: 'Gt', values: ['8'] }] }] };
      const impossible = { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: greedy } } } as Partial<Pod['spec']>;
      cluster.put(PodResource, pod('good'));
      cluster.put(PodResource, pod('bad', impossible));
      cluster.put(PodResource, pod('gone', impossible));
      cluster.remove(PodResource, { namespace: 'ns', name: 'gone' });
      expect(cpu(reader)).toEqual(['2']);
      expect(reader.heard).toEqual([]); // another process holds the Lease
      reader.intake.speak();
      expect(reader.heard).toEqual(['bad: UnsupportedOperator', 'bad: Accepted InvalidRequirement']);
      cluster.put(PodResource, pod('late', impossible));
      expect(reader.heard.slice(2)).toEqual(['late: UnsupportedOperator', 'late: Accepted InvalidRequirement']);
      cluster.put(PodResource, { ...pod('late', impossible), status: { phase: 'Pending' } });
      expect(reader.heard).toHaveLength(4);
      expect(cpu(reader)).toEqual(['2']);
    });

    it('judges a Pod anew once it is known whose its Node is (D1)', () => {
      const { cluster, reader } = setUp();
      cluster.put(PodResource, pod('p'));
      cluster.put(PodResource, pod('p', { nodeName: 'theirs' }));
      cluster.put(PodResource, pod('q', { nodeName: 'ours' }));
      expect(cpu(reader)).toEqual(['2']); // p as before, of q nothing is known
      cluster.put(NodeResource, node('theirs'));
      expect(cpu(reader)).toEqual([]);
      cluster.put(NodeResource, node('ours', { machine: 'm-1' }));
      expect(cpu(reader)).toEqual(['2']);
    });

    it('counts a Pod whose quantities change anew, and a successor of the same name for itself', () => {
      const { cluster, reader } = setUp();
      cluster.put(PodResource, pod('p'));
      cluster.put(PodResource, pod('p', { containers: [{ name: 'c', resources: { requests: { cpu: '3' } } }] }));
      expect(cpu(reader)).toEqual(['3']);
      cluster.remove(PodResource, { namespace: 'ns', name: 'p' });
      expect(cpu(reader)).toEqual([]);
      cluster.put(PodResource, pod('p', {}, { metadata: { name: 'p', namespace: 'ns', uid: 'second' } }));
      expect(cpu(reader)).toEqual(['2']);
    });
  });
});
