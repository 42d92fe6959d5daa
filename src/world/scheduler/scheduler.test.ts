import { beforeEach, describe, expect, it } from 'vitest';
import type { Node, Pod } from '../../api/core.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { testNode, testPod } from '../testing/objects.ts';
import { Scheduler } from './scheduler.ts';

const spreadBy = (topologyKey: string): NonNullable<Pod['spec']['topologySpreadConstraints']> => [
  { topologyKey, maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule', labelSelector: { matchLabels: { app: 'web' } } },
];
const requireNode = (key: string, operator: string, values?: string[]): Partial<Pod['spec']> => ({
  affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchExpressions: [{ key, operator, ...(values ? { values } : {}) }] }] } } },
});
const podTerm = (app: string): { labelSelector: { matchLabels: Record<string, string> }; topologyKey: string } => ({ labelSelector: { matchLabels: { app } }, topologyKey: 'zone' });

class World {
  readonly clock = new VirtualClock();
  readonly bound = new Map<string, string>();
  readonly told: [pod: string, message: string][] = [];
  readonly problems: string[] = [];
  readonly refuse = new Set<string>();
  private readonly work: (() => void)[] = [];
  readonly scheduler = new Scheduler({
    clock: this.clock,
    defer: (work) => this.work.push(work),
    effects: {
      bind: (pod, node) => {
        if (this.refuse.has(pod)) return false;
        this.bound.set(pod.replace('demo/', ''), node);
        return true;
      },
      markUnschedulable: (pod, message) => this.told.push([pod.replace('demo/', ''), message]),
      report: (problem) => this.problems.push(problem),
    },
  });

  pods(...pods: Pod[]): this {
    for (const pod of pods) this.scheduler.podChanged(pod);
    return this.settle();
  }

  nodes(...nodes: Node[]): this {
    for (const node of nodes) this.scheduler.nodeChanged(node);
    return this.settle();
  }

  /** Runs what was deferred until nothing is left; a scheduler that never comes to rest fails here. */
  settle(): this {
    for (let rounds = 0; this.work.length > 0; rounds++) {
      if (rounds > 100) throw new Error('the scheduler does not come to rest');
      for (const work of this.work.splice(0)) work();
    }
    return this;
  }

  message(pod: string): string | undefined {
    return this.told.findLast(([name]) => name === pod)?.[1];
  }
}

let world: World;
beforeEach(() => {
  world = new World();
});

describe('choice of Node', () => {
  it('takes the most allocated Node that fits, ties by name', () => {
    world.nodes(testNode('b'), testNode('a'), testNode('c'));
    world.pods(testPod('p1'));
    expect(world.bound.get('p1')).toBe('a');
    world.pods(testPod('on-c', { nodeName: 'c', requests: { cpu: '3' } }), testPod('p2'));
    expect(world.bound.get('p2')).toBe('c');
    world.pods(testPod('p3'));
    expect(world.bound.get('p3')).toBe('a');
  });

  it('counts the Pods limit of a Node', () => {
    world.nodes(testNode('a', { allocatable: { pods: '1' } })).pods(testPod('p1'), testPod('p2'));
    expect([...world.bound.keys()]).toEqual(['p1']);
    expect(world.message('p2')).toBe('0/1 nodes are available: 1 Too many pods.');
  });

  it('counts init containers and overhead', () => {
    world.nodes(testNode('a'));
    const init = testPod('big-init', { initContainers: [{ name: 'i', resources: { requests: { cpu: '5' } } }] });
    const over = testPod('overhead', { overhead: { cpu: '3500m' } });
    world.pods(init, over);
    expect(world.bound.size).toBe(0);
    expect(world.message('big-init')).toContain('Insufficient cpu');
    expect(world.message('overhead')).toContain('Insufficient cpu');
  });

  it.each([
    ['In', ['x'], ['a']],
    ['NotIn', ['x'], ['b', 'bare']],
    ['Exists', undefined, ['a', 'b']],
    ['DoesNotExist', undefined, ['bare']],
    ['Gt', ['5'], ['n7']],
    ['Lt', ['5'], ['n3']],
  ])('node affinity %s %j admits %j', (operator, values, admitted) => {
    const key = operator === 'Gt' || operator === 'Lt' ? 'size' : 'kind';
    const nodes = operator === 'Gt' || operator === 'Lt'
      ? [testNode('n3', { labels: { size: '3' } }), testNode('n7', { labels: { size: '7' } }), testNode('nx', { labels: { size: 'large' } })]
      : [testNode('a', { labels: { kind: 'x' } }), testNode('b', { labels: { kind: 'y' } }), testNode('bare')];
    world.nodes(...nodes);
    for (const name of ['p1', 'p2', 'p3']) world.pods(testPod(name, { requests: { cpu: '3' }, ...requireNode(key, operator, values) }));
    expect([...world.bound.values()].sort()).toEqual([...admitted].sort());
  });

  it('keeps to nodeSelector, and to taints unless they are tolerated', () => {
    const taints = [{ key: 'team', value: 'ml', effect: 'NoSchedule' }];
    world.nodes(testNode('plain', { labels: { disk: 'hdd' } }), testNode('tainted', { labels: { disk: 'ssd' }, taints }));
    world.pods(testPod('wants-ssd', { nodeSelector: { disk: 'ssd' } }));
    expect(world.message('wants-ssd')).toBe("0/2 nodes are available: 1 node(s) didn't match Pod's node affinity/selector, 1 node(s) had untolerated taint {team: ml}.");
    world.pods(testPod('tolerant', { nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'team', value: 'ml', effect: 'NoSchedule' }] }));
    world.pods(testPod('other-value', { nodeSelector: { disk: 'ssd' }, tolerations: [{ key: 'team', value: 'web' }] }));
    expect([...world.bound]).toEqual([['tolerant', 'tainted']]);
  });
});

describe('relations between Pods', () => {
  const zones = (): Node[] => ['a', 'b', 'c'].map((zone) => testNode(`n-${zone}`, { labels: { zone } }));
  const web = (name: string, extra: Partial<Pod['spec']> = {}): Pod => testPod(name, { labels: { app: 'web' }, requests: { cpu: '100m' }, ...extra });

  it('spreads with DoNotSchedule', () => {
    world.nodes(...zones());
    for (let i = 0; i < 6; i++) world.pods(web(`w${i}`, { topologySpreadConstraints: spreadBy('zone') }));
    const perNode = Object.groupBy(world.bound.values(), (node) => node);
    expect(Object.values(perNode).map((list) => list?.length)).toEqual([2, 2, 2]);
  });

  it('does not let ScheduleAnyway hold a Pod back', () => {
    world.nodes(testNode('n-a', { labels: { zone: 'a' } }), testNode('n-b', { labels: { zone: 'b' }, allocatable: { cpu: '100m' } }));
    const anyway = spreadBy('zone').map((c) => ({ ...c, whenUnsatisfiable: 'ScheduleAnyway' }));
    for (let i = 0; i < 5; i++) world.pods(web(`w${i}`, { topologySpreadConstraints: anyway }));
    expect(world.bound.size).toBe(5);
  });

  it('says when a spread cannot be kept, and binds when it can', () => {
    world.nodes(testNode('n-a', { labels: { zone: 'a' } }), testNode('n-b', { labels: { zone: 'b' }, unschedulable: true }), testNode('bare'));
    world.pods(web('w0', { topologySpreadConstraints: spreadBy('zone') }), web('w1', { topologySpreadConstraints: spreadBy('zone') }));
    expect([...world.bound]).toEqual([['w0', 'n-a']]);
    expect(world.message('w1')).toBe(
      "0/3 nodes are available: 1 node(s) didn't match pod topology spread constraints, 1 node(s) didn't match pod topology spread constraints (missing required label), 1 node(s) were unschedulable.",
    );
    world.nodes(testNode('n-b', { labels: { zone: 'b' } }));
    expect(world.bound.get('w1')).toBe('n-b');
  });

  it('joins Pods that required affinity names, and lets the first of a group begin', () => {
    world.nodes(...zones());
    world.pods(web('db-needs', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('db')] } } }));
    expect(world.message('db-needs')).toBe("0/3 nodes are available: 3 node(s) didn't match pod affinity rules.");
    world.pods(testPod('db', { labels: { app: 'db' }, nodeSelector: { zone: 'b' } }));
    expect(world.bound.get('db-needs')).toBe('n-b');
    world.pods(web('first', { affinity: { podAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('web')] } } }));
    expect(world.bound.get('first')).toBe('n-b');
  });

  it('keeps anti-affinity in both directions and frees it with the Pod', () => {
    world.nodes(testNode('n-a', { labels: { zone: 'a' } }));
    const loner = web('loner', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('web')] } } });
    world.pods(loner, web('plain'));
    expect([...world.bound.keys()]).toEqual(['loner']);
    expect(world.message('plain')).toBe("0/1 nodes are available: 1 node(s) didn't satisfy existing pods anti-affinity rules.");
    world.scheduler.podGone({ ...loner, spec: { ...loner.spec, nodeName: 'n-a' } });
    expect(world.settle().bound.get('plain')).toBe('n-a');
    world.pods(web('second', { affinity: { podAntiAffinity: { requiredDuringSchedulingIgnoredDuringExecution: [podTerm('web')] } } }));
    expect(world.message('second')).toBe("0/1 nodes are available: 1 node(s) didn't match pod anti-affinity rules.");
  });
});

describe('reaction to events', () => {
  it('says why a Pod waits once, with the real scheduler\'s words', () => {
    world.pods(testPod('p'));
    expect(world.told).toEqual([['p', 'no nodes available to schedule pods']]);
    const full = testPod('full', { nodeName: 'a', requests: { cpu: '4' } });
    world.pods(full);
    world.nodes(testNode('a'), testNode('new', { ready: false }));
    world.pods(testPod('q'));
    expect(world.message('q')).toBe('0/2 nodes are available: 1 Insufficient cpu, 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }.');
    world.nodes(testNode('a'), testNode('a', { labels: { any: 'change' } }));
    expect(world.told.filter(([name]) => name === 'q')).toHaveLength(1);
  });

  it('tells a waiting Pod again once the reason has changed for a while', async () => {
    world.pods(testPod('p', { requests: { cpu: '64' } }));
    await world.clock.advance(6_000);
    world.nodes(testNode('a'));
    expect(world.told).toEqual([['p', 'no nodes available to schedule pods'], ['p', '0/1 nodes are available: 1 Insufficient cpu.']]);
    await world.clock.advance(6_000);
    world.nodes(testNode('a', { labels: { any: 'change' } }));
    expect(world.told).toHaveLength(2);
  });

  it('binds waiting Pods when a Node becomes Ready: highest priority first, then the oldest', () => {
    world.pods(testPod('old', { requests: { cpu: '2' } }), testPod('new', { requests: { cpu: '2' } }), testPod('vip', { priority: 10, requests: { cpu: '2' } }));
    world.nodes(testNode('a', { ready: false }));
    expect(world.bound.size).toBe(0);
    world.nodes(testNode('a'));
    expect([...world.bound.keys()]).toEqual(['vip', 'old']);
  });

  it('uses the room that a Pod leaves, on its Node', () => {
    const leaving = testPod('leaving', { nodeName: 'b', requests: { cpu: '4' } });
    world.nodes(testNode('a'), testNode('b')).pods(testPod('stays', { nodeName: 'a', requests: { cpu: '4' } }), leaving, testPod('waits'));
    expect(world.bound.size).toBe(0);
    world.scheduler.podGone(leaving);
    expect(world.settle().bound.get('waits')).toBe('b');
  });

  it('uses the room of a finished Pod', () => {
    const job = testPod('job', { nodeName: 'a', requests: { cpu: '4' } });
    world.nodes(testNode('a')).pods(job, testPod('waits'));
    world.pods({ ...job, status: { phase: 'Succeeded' } });
    expect(world.bound.get('waits')).toBe('a');
  });

  it('places nothing on a cordoned, a vanished or a not Ready Node', () => {
    world.nodes(testNode('a', { unschedulable: true }), testNode('b'), testNode('c', { ready: false }));
    world.scheduler.nodeGone('b');
    world.pods(testPod('p'));
    expect(world.bound.size).toBe(0);
    expect(world.message('p')).toBe('0/2 nodes are available: 1 node(s) had untolerated taint {node.kubernetes.io/not-ready: }, 1 node(s) were unschedulable.');
  });

  it('leaves gated, deleted and foreign Pods alone', () => {
    world.nodes(testNode('a'));
    world.pods(testPod('gated', { schedulingGates: [{ name: 'g' }] }), testPod('foreign', { schedulerName: 'other' }));
    const dying = testPod('dying');
    world.pods({ ...dying, metadata: { ...dying.metadata, deletionTimestamp: '2026-01-01T00:00:00Z' } });
    expect(world.bound.size).toBe(0);
    expect(world.told).toEqual([]);
    world.pods(testPod('gated'));
    expect(world.bound.get('gated')).toBe('a');
  });

  it('gives back the room when a binding is refused', () => {
    world.refuse.add('demo/gone');
    world.nodes(testNode('a')).pods(testPod('gone', { requests: { cpu: '4' } }), testPod('next', { requests: { cpu: '4' } }));
    expect([...world.bound.keys()]).toEqual(['next']);
  });

  it('reports a Pod it cannot read and goes on', () => {
    world.nodes(testNode('a')).pods(testPod('bad', { requests: { cpu: 'lots' } }), testPod('good'));
    expect(world.problems).toEqual([expect.stringContaining('demo/bad: resource cpu')]);
    expect(world.bound.get('good')).toBe('a');
  });

  it.each<[string, object]>([
    ['spec.affinity.nodeAffinity.requiredDuringSchedulingIgnoredDuringExecution.nodeSelectorTerms', { affinity: { nodeAffinity: { requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: {} } } } }],
    ['spec.topologySpreadConstraints', { topologySpreadConstraints: {} }],
    ['spec.tolerations', { tolerations: {} }],
  ])('leaves out a stored Pod whose %s is no list, with a word, and goes on', (field, spec) => {
    const bad = testPod('bad', spec);
    world.pods(bad, { ...testPod('placed', spec), spec: { ...testPod('placed', spec).spec, nodeName: 'a' } }).nodes(testNode('a')).pods(testPod('good'));
    expect(world.problems).toEqual([expect.stringContaining(`Pod demo/bad is left out: ${field}: `), expect.stringContaining(`Pod demo/placed is left out: ${field}: `)]);
    expect(world.bound).toEqual(new Map([['good', 'a']]));
    world.scheduler.podGone(bad);
  });

  it('leaves out a stored Node that is malformed, with a word, and goes on', () => {
    const bad = testNode('bad');
    world.nodes({ ...bad, status: { ...bad.status, conditions: {} as [] } }, { ...testNode('odd'), status: { allocatable: { cpu: 'lots' } } }, testNode('a')).pods(testPod('p'));
    expect(world.problems).toEqual([expect.stringContaining('Node bad is left out: status.conditions: '), expect.stringContaining('Node odd: resource cpu')]);
    expect(world.bound).toEqual(new Map([['p', 'a']]));
  });

  it('finishes a long round in slices without forgetting anyone', () => {
    let now = 0;
    world.clock.monotonic = () => (now += 1); // every look at the clock costs a millisecond: each slice ends early
    world.pods(...Array.from({ length: 60 }, (_, i) => testPod(`p${i}`, { requests: { cpu: `${100 + (i % 20)}m` } })));
    world.nodes(testNode('a', { allocatable: { cpu: '64' } }));
    expect(world.bound.size).toBe(60);
  });
});
