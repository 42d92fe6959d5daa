import { readFileSync, appendFileSync } from 'node:fs';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../lib/testing/temporary-folder.ts';
import type { Pod } from '../../api/core.ts';
import { NodeResource, PodResource } from '../../api/resources.ts';
import type { EmbeddedControlPlane } from '../../embedded/api.ts';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import { testNode } from '../testing/objects.ts';
import { startTestPlane } from '../testing/plane.ts';
import { builtinDemand } from './builtin.ts';
import { Generator } from './generator.ts';
import type { DemandPlan, DemandStep, PlannedPod } from './plan.ts';
import { openStateLog } from './state-log.ts';

let clock: VirtualClock;
let plane: EmbeddedControlPlane;
let file: string;
let told: Readonly<Record<string, unknown>>[];
let interruptions: number;
let providerUp: boolean;
beforeEach(async () => {
  clock = new VirtualClock();
  plane = await startTestPlane(clock);
  plane.store.create(NodeResource, testNode('node'));
  file = join(temporaryFolder('demand'), 'demand.jsonl');
  told = [];
  interruptions = 0;
  providerUp = true;
});
afterEach(() => plane.close());

function planned(name: string, atMs: number, lifeMs?: number): PlannedPod {
  return { kind: 'pod', name, atMs, cluster: 'c', priority: 7, requests: { cpu: '1' }, ...(lifeMs === undefined ? {} : { lifeMs }) };
}

function planOf(...steps: DemandStep[]): DemandPlan {
  return { source: 'builtin', clusters: 1, steps };
}

function start(plan: DemandPlan): Generator {
  const generator = new Generator({
    plan, clock, stores: new Map([['c', plane.store]]), log: openStateLog(file), tell: (event) => told.push(event),
    interrupt: () => {
      if (!providerUp) return Promise.reject(new Error('down'));
      interruptions++;
      return Promise.resolve(['m-1']);
    },
  });
  generator.start();
  return generator;
}

const ref = (name: string): { namespace: string; name: string } => ({ namespace: 'demo', name });
const names = (): string[] => plane.store.list<Pod>(PodResource, { namespace: 'demo' }).map((p) => p.metadata.name);
/** A kubelet that ends Pods at once, and counts for nothing else. */
function endTerminating(): void {
  for (const pod of plane.store.list<Pod>(PodResource, { namespace: 'demo' })) {
    if (pod.metadata.deletionTimestamp) plane.store.delete(PodResource, ref(pod.metadata.name), { gracePeriodSeconds: 0 });
  }
}
const bind = (name: string): void => plane.store.bindPod(ref(name), 'node');
/** As an eviction does: the Pod is told to go, and goes. */
function evict(name: string): void {
  plane.store.delete(PodResource, ref(name));
  endTerminating();
}

describe('lives', () => {
  it('submits at the planned time and ends a life that began with the binding', async () => {
    const generator = start(planOf(planned('a', 0, 4_000), planned('b', 1_000, 4_000)));
    expect(names()).toEqual(['a']);
    expect(plane.store.get<Pod>(PodResource, ref('a'))?.spec).toMatchObject({ priority: 7, containers: [{ resources: { requests: { cpu: '1' } } }] });
    await clock.advance(1_000);
    expect(names()).toEqual(['a', 'b']);
    await clock.advance(10_000); // unbound: its life has not begun
    bind('a');
    await clock.advance(3_999);
    expect(plane.store.get(PodResource, ref('a'))?.metadata.deletionTimestamp).toBeUndefined();
    await clock.advance(1);
    endTerminating();
    expect(names()).toEqual(['b']);
    expect(generator.counts()).toEqual({ planned: 2, submitted: 2, bound: 1, finished: 1, refused: 0, recreated: 0 });
  });

  it('tells of a Pod that the API server refuses for good, counts it, and goes on with the others', async () => {
    const plan = planOf(planned('not_a_name', 0, 4_000), { ...planned('bad-cpu', 0, 4_000), requests: { cpu: 'much' } }, planned('a', 1_000, 4_000));
    const generator = start(plan);
    expect(told).toEqual([
      { event: 'refused', cluster: 'c', pod: 'not_a_name', why: expect.stringContaining('Pod "not_a_name" is invalid') as string },
      { event: 'refused', cluster: 'c', pod: 'bad-cpu', why: expect.stringContaining('resources.requests[cpu]') as string },
    ]);
    await clock.advance(1_000);
    bind('a');
    await clock.advance(4_000);
    endTerminating();
    const counts = { planned: 3, submitted: 3, bound: 1, finished: 3, refused: 2, recreated: 0 };
    expect([names(), generator.counts()]).toEqual([[], counts]);
    generator.close();
    told.length = 0;
    expect([start(plan).counts(), told, names()]).toEqual([counts, [], []]); // a restart does not try again
  });

  it('replaces an evicted Pod with the rest of its life', async () => {
    const generator = start(planOf(planned('a', 0, 10_000)));
    bind('a');
    await clock.advance(6_000);
    evict('a');
    await clock.advance(1);
    expect(names()).toEqual(['a-r1']);
    bind('a-r1');
    await clock.advance(3_999);
    expect(generator.counts().finished).toBe(0);
    await clock.advance(1);
    endTerminating();
    expect([names(), generator.counts()]).toEqual([[], { planned: 1, submitted: 1, bound: 1, finished: 1, refused: 0, recreated: 1 }]);
  });

  it('replaces a Pod that is evicted twice, and one that was never bound', async () => {
    const generator = start(planOf(planned('a', 0, 10_000), planned('b', 0, 5_000)));
    bind('a');
    await clock.advance(1_000);
    evict('a');
    await clock.advance(1);
    bind('a-r1');
    await clock.advance(1_000);
    evict('a-r1');
    plane.store.delete(PodResource, ref('b'));
    await clock.advance(1);
    expect(names().sort()).toEqual(['a-r2', 'b-r1']);
    expect(generator.counts().recreated).toBe(3);
  });

  it('does not count the time in which a Pod was told to go', async () => {
    start(planOf(planned('a', 0, 10_000)));
    bind('a');
    await clock.advance(4_000);
    plane.store.delete(PodResource, ref('a'));
    await clock.advance(30_000); // on a Node that does not answer
    endTerminating();
    await clock.advance(1);
    bind('a-r1');
    await clock.advance(5_999);
    expect(plane.store.get(PodResource, ref('a-r1'))?.metadata.deletionTimestamp).toBeUndefined();
    await clock.advance(1);
    expect(plane.store.get(PodResource, ref('a-r1'))?.metadata.deletionTimestamp).toBeDefined();
  });

  it('ends lives without end at the end', async () => {
    const generator = start(planOf(planned('service', 0), planned('waiting', 0), { kind: 'finish-all', atMs: 5_000 }));
    bind('service');
    await clock.advance(4_999);
    expect(names()).toEqual(['service', 'waiting']);
    await clock.advance(1);
    endTerminating();
    expect([names(), generator.counts().finished]).toEqual([[], 2]);
  });
});

describe('acts', () => {
  it('tells them, and repeats an interruption until the provider has heard it', async () => {
    providerUp = false;
    start(planOf({ kind: 'act', atMs: 1_000, act: 'storm', why: 'spot goes' }, { kind: 'interrupt', atMs: 1_000, capacityType: 'Spot', count: 1 }));
    await clock.advance(3_000);
    expect([told, interruptions]).toEqual([[{ event: 'act', act: 'storm', why: 'spot goes' }], 0]);
    providerUp = true;
    await clock.advance(3_000);
    expect([told[1], interruptions]).toEqual([{ event: 'interrupted', capacityType: 'Spot', machines: ['m-1'] }, 1]);
  });
});

describe('after a kill', () => {
  const plan = planOf(planned('a', 0, 10_000), { kind: 'act', atMs: 500, act: 'x', why: 'y' }, planned('b', 1_000, 10_000), planned('c', 60_000, 10_000));

  it('submits nothing twice, goes on with lives and catches up by the wall clock', async () => {
    const first = start(plan);
    bind('a');
    await clock.advance(800);
    first.close();
    await clock.advance(4_200);
    const second = start(plan);
    expect(names()).toEqual(['a', 'b']); // b came due meanwhile
    expect(told.filter(({ event }) => event === 'act')).toHaveLength(1);
    await clock.advance(4_999);
    expect(second.counts().finished).toBe(0);
    await clock.advance(1); // 10 s after a was bound
    expect(second.counts()).toEqual({ planned: 3, submitted: 2, bound: 1, finished: 1, refused: 0, recreated: 0 });
  });

  it('adopts a binding that nobody saw, and replaces a Pod that was lost meanwhile', async () => {
    const first = start(plan);
    await clock.advance(1_500);
    bind('a');
    first.close();
    bind('b');
    evict('a');
    await clock.advance(1_000);
    const second = start(plan);
    await clock.advance(1);
    expect(names().sort()).toEqual(['a-r1', 'b']);
    expect(second.counts()).toMatchObject({ submitted: 2, bound: 2, refused: 0, recreated: 1 });
  });

  it('creates a Pod whose submission was written but not carried out, and removes one whose end was', async () => {
    const first = start(plan);
    bind('a');
    await clock.advance(100);
    first.close();
    const at = clock.now();
    appendFileSync(file, `${JSON.stringify({ t: at, e: 'submit', i: 2, r: 0, cluster: 'c', pod: 'b' })}\n${JSON.stringify({ t: at, e: 'finish', i: 0, r: 0, cluster: 'c', pod: 'a' })}\n`);
    const second = start(plan);
    endTerminating();
    expect([names(), second.counts()]).toEqual([['b'], { planned: 3, submitted: 2, bound: 1, finished: 1, refused: 0, recreated: 0 }]);
  });

  it('survives a torn last line', async () => {
    const first = start(plan);
    await clock.advance(100);
    first.close();
    appendFileSync(file, '{"t":17');
    const second = start(plan);
    await clock.advance(1_000);
    second.close();
    const lines = readFileSync(file, 'utf8').trim().split('\n').map((line) => line.slice(0, 8));
    expect(lines.filter((line) => line === '{"t":17')).toHaveLength(1);
    expect(second.counts().submitted).toBe(2);
  });

  it('replaces a Pod when the kill came between its loss and its replacement', async () => {
    const first = start(planOf(planned('a', 0, 10_000)));
    bind('a');
    await clock.advance(4_000);
    evict('a'); // the replacement would come an instant later
    first.close();
    start(planOf(planned('a', 0, 10_000)));
    await clock.advance(0);
    expect(names()).toEqual(['a-r1']);
  });

  it('refuses the log of another plan', () => {
    start(plan).close();
    appendFileSync(file, `${JSON.stringify({ t: 1, e: 'finish', i: 99, r: 0, cluster: 'c', pod: 'a' })}\n`);
    expect(() => start(plan)).toThrow('another plan');
  });
});

describe('built-in demand', () => {
  it('has about 300 Pods in a minute, each act before its Pods, the same every time', () => {
    const plan = builtinDemand({ clusters: 3, durationMs: 60_000 });
    const pods = plan.steps.filter((step) => step.kind === 'pod');
    expect(pods).toHaveLength(300);
    expect(new Set(pods.map((pod) => pod.name)).size).toBe(300);
    expect(new Set(pods.map((pod) => pod.cluster))).toEqual(new Set(['cluster-1', 'cluster-2', 'cluster-3']));
    const times = plan.steps.map((step) => step.atMs);
    expect(times).toEqual([...times].sort((a, b) => a - b));
    expect(times.every((at) => at <= 60_000)).toBe(true);
    expect(plan.steps.filter((step) => step.kind === 'act').map((step) => step.act)).toEqual(['morning ramp', 'surge', 'spot interruption', 'evening batch', 'scale to zero']);
    expect(builtinDemand({ clusters: 3, durationMs: 60_000 })).toEqual(plan);
  });

  it.each([1, 2, 10, 40])('makes %i Pods when told to', (pods) => {
    const plan = builtinDemand({ clusters: 2, durationMs: 10_000, pods });
    expect(plan.steps.filter((step) => step.kind === 'pod')).toHaveLength(pods);
  });
});
