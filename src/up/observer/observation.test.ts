import { beforeEach, describe, expect, it } from 'vitest';
import type { SeedInstance } from '../../world/seed-instance.ts';
import { Observation } from './observation.ts';

const T0 = Date.UTC(2026, 0, 1);
const at = (seconds: number): number => T0 + seconds * 1_000;
const iso = (seconds: number): string => new Date(at(seconds)).toISOString();

function seed(id: string, capacityType: SeedInstance['capacityType'], dollars: number): SeedInstance {
  const owned = capacityType === 'BareMetal';
  return { id, instanceType: `type-${capacityType}`, zone: 'z', capacityType, pricePerHour: dollars, interruptionProbability: 0, resources: {}, allocatable: {}, labels: {}, state: owned ? 'Idle' : 'Speculative' };
}

let seen: Observation;
beforeEach(() => {
  seen = new Observation([seed('m1', 'OnDemand', 3.6), seed('m2', 'BareMetal', 1), seed('m3', 'Spot', 2)]);
});

const call = (s: number, rpc: string, machineId: string, clusterId?: string, outcome = 'OK'): void => seen.machines.take({ t: at(s), event: 'call', rpc, machineId, clusterId, outcome });
const state = (s: number, machineId: string, to: string, clusterId = '', cause = 'complete'): void => seen.machines.take({ t: at(s), event: 'state', machineId, to, clusterId, cause });
const node = (s: number, cluster: string, machine: string, options: { live?: boolean; createdAt?: number; stoppedAt?: number } = {}): void =>
  seen.nodes.seen({ cluster, name: `node-${machine}`, machine, live: options.live ?? true, createdAt: at(options.createdAt ?? s), ...(options.stoppedAt === undefined ? {} : { stoppedAt: at(options.stoppedAt) }) }, at(s));
const pod = (s: number, name: string, nodeName: string, options: { cluster?: string; deleting?: boolean; uid?: string; createdAt?: number } = {}): void =>
  seen.pods.seen({ cluster: options.cluster ?? 'c1', name, uid: options.uid ?? `uid-${name}`, node: nodeName, createdAt: at(options.createdAt ?? s), deleting: options.deleting ?? false }, at(s));
const gone = (s: number, name: string): void => seen.pods.gone(`uid-${name}`, at(s));
const audit = (s: number, kind: string, machine: string, outcome = 'decided'): void => seen.decisions.takeAudit({ time: iso(s), kind, machine, cluster: 'c1', outcome });

const none = { doubleBound: 0, podsEvictedWithoutDecision: 0, notInProviderList: 0 };
const violations = (s = 1_000): unknown => seen.violations(at(s));

/** m1 serves c1 with one Pod on it, all in order. */
function serving(): void {
  call(1, 'Create', 'm1');
  state(1, 'm1', 'Creating');
  state(2, 'm1', 'Idle');
  call(2, 'Configure', 'm1', 'c1');
  state(2, 'm1', 'Configuring', 'c1');
  state(3, 'm1', 'Configured', 'c1');
  node(3, 'c1', 'm1');
  pod(1, 'p', '');
  pod(4, 'p', 'node-m1', { createdAt: 1 });
}

describe('an orderly life', () => {
  it('breaks no rule', () => {
    serving();
    seen.takeDemand({ t: at(9), e: 'finish', i: 0, r: 0, cluster: 'c1', pod: 'p' });
    pod(9, 'p', 'node-m1', { deleting: true });
    gone(10, 'p');
    audit(11, 'Reclaim', 'm1');
    node(12, 'c1', 'm1', { live: false, createdAt: 3, stoppedAt: 12 });
    seen.nodes.gone('c1', 'node-m1', at(13));
    expect(violations()).toEqual(none);
    expect([seen.pods.aliveNow, seen.pods.alivePeak, seen.nodes.count]).toEqual([0, 1, 0]);
  });
});

describe('quiet', () => {
  it('is when all planned Pods have finished and nothing is held that costs money for nobody', () => {
    const steps: [what: string, quiet: boolean][] = [];
    const note = (what: string): number => steps.push([what, seen.isQuiet(1)]);
    serving();
    note('a Pod runs');
    seen.takeDemand({ t: at(9), e: 'finish', i: 0, r: 0, cluster: 'c1', pod: 'p' });
    note('the Pod has finished, but is still there');
    pod(9, 'p', 'node-m1', { deleting: true, createdAt: 1 });
    gone(10, 'p');
    note('the Pod has gone; its machine is bound');
    state(10, 'm1', 'Draining', 'c1');
    node(12, 'c1', 'm1', { live: false, createdAt: 3, stoppedAt: 12 });
    seen.nodes.gone('c1', 'node-m1', at(13));
    note('the machine drains');
    state(13, 'm1', 'Idle');
    note('the machine is created, and kept');
    state(14, 'm1', 'Deleting');
    note('the machine is being given back');
    state(15, 'm1', 'Speculative');
    note('given back; a machine that is owned idles');
    expect(steps.filter(([, quiet]) => quiet)).toEqual([['given back; a machine that is owned idles', true]]);
    expect(seen.isQuiet(2)).toBe(false);
    pod(16, 'late', 'node-x');
    expect(seen.isQuiet(1)).toBe(false);
    gone(17, 'late');
    expect(seen.isQuiet(1)).toBe(true);
    node(18, 'c1', 'm2');
    expect(seen.isQuiet(1)).toBe(false);
  });
});

describe('podsEvictedWithoutDecision', () => {
  it('counts a Pod that was told to go for no reason', () => {
    serving();
    pod(8, 'p', 'node-m1', { deleting: true });
    gone(9, 'p');
    expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
  });

  it('counts a Pod that was lost with its Node for no reason', () => {
    serving();
    node(8, 'c1', 'm1', { live: false, createdAt: 3, stoppedAt: 8 });
    gone(9, 'p');
    seen.nodes.gone('c1', 'node-m1', at(9));
    expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
  });

  it.each(['Reclaim', 'Preempt', 'Delete'])('accepts a %s in the audit log, also when its line is read later', (kind) => {
    serving();
    pod(8, 'p', 'node-m1', { deleting: true });
    gone(9, 'p');
    audit(7, kind, 'm1');
    expect(violations()).toEqual(none);
  });

  it('accepts an unbind or a release in the Machine object, and an interruption in the provider log', () => {
    for (const excuse of [
      () => seen.decisions.takeMachine('m1', { unbind: { decidedAt: iso(7) } }, at(20)),
      () => seen.decisions.takeMachine('m1', { release: {} }, at(7)),
      () => state(7, 'm1', 'Failed', 'c1', 'interrupt'),
    ]) {
      seen = new Observation([seed('m1', 'OnDemand', 1)]);
      serving();
      gone(9, 'p');
      expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
      excuse();
      expect(violations()).toEqual(none);
    }
  });

  it.each([
    ['of another machine', () => audit(7, 'Reclaim', 'm2')],
    ['that came after the Pod had gone', () => audit(20, 'Reclaim', 'm1')],
    ['from before the machine joined', () => audit(0, 'Reclaim', 'm1')],
    ['that was only a dry run', () => audit(7, 'Reclaim', 'm1', 'dryrun')],
    ['that takes nothing away', () => audit(7, 'Bootstrap', 'm1')],
    ['that is a failure without interruption', () => state(7, 'm1', 'Failed', 'c1', 'fail')],
  ])('does not accept a decision %s', (_, excuse) => {
    serving();
    gone(9, 'p');
    excuse();
    expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
  });

  it('judges each life of a machine in a cluster by itself', () => {
    serving();
    audit(7, 'Reclaim', 'm1');
    gone(8, 'p');
    node(8, 'c1', 'm1', { live: false, createdAt: 3, stoppedAt: 8 });
    seen.nodes.gone('c1', 'node-m1', at(8));
    call(8.5, 'Configure', 'm1', 'c1'); // given back to the same cluster at once
    node(9.5, 'c1', 'm1', { createdAt: 9 });
    pod(31, 'q', 'node-m1');
    expect(violations()).toEqual(none);
    gone(40, 'q');
    expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
  });

  it('counts a Pod on a Node that is no machine', () => {
    pod(4, 'p', 'stranger');
    gone(9, 'p');
    expect(violations()).toEqual({ ...none, podsEvictedWithoutDecision: 1 });
  });

  it('has nothing to say about Pods that were never bound or that their workload ended', () => {
    pod(1, 'waiting', '');
    gone(2, 'waiting');
    serving();
    seen.takeDemand({ t: at(8), e: 'finish', i: 0, r: 0, cluster: 'c1', pod: 'p' });
    gone(9, 'p');
    expect(violations()).toEqual(none);
  });
});

describe('doubleBound', () => {
  it('counts a Pod uid that was bound to two Nodes', () => {
    pod(1, 'p', 'node-m1');
    pod(2, 'p', 'node-m2');
    expect(violations()).toMatchObject({ doubleBound: 1 });
  });

  it('counts a machine that is a live Node of two clusters, while it lasts and after', () => {
    call(1, 'Configure', 'm1', 'c1');
    call(1, 'Configure', 'm1', 'c2');
    node(1, 'c1', 'm1');
    node(5, 'c2', 'm1');
    expect(violations(6)).toEqual(none); // the news of c1 may still be on its way
    expect(violations(9)).toEqual({ ...none, doubleBound: 1 });
    node(20, 'c1', 'm1', { live: false, createdAt: 1, stoppedAt: 20 });
    expect(violations()).toEqual({ ...none, doubleBound: 1 });
  });

  it('accepts a move, also when the news of its first half is late', () => {
    node(1, 'c1', 'm1');
    node(30, 'c2', 'm1');
    node(45, 'c1', 'm1', { live: false, createdAt: 1, stoppedAt: 25 });
    seen.nodes.gone('c1', 'node-m1', at(46));
    expect(violations()).toMatchObject({ doubleBound: 0 });
  });

  it('accepts a dead Node that waits to be deleted', () => {
    node(1, 'c1', 'm1');
    node(10, 'c1', 'm1', { live: false, createdAt: 1, stoppedAt: 10 });
    node(12, 'c2', 'm1');
    seen.nodes.gone('c1', 'node-m1', at(60));
    expect(violations()).toMatchObject({ doubleBound: 0 });
  });

  it('accepts the same Node seen again after a break', () => {
    node(1, 'c1', 'm1');
    node(9, 'c1', 'm1', { createdAt: 1 });
    pod(1, 'p', 'node-m1');
    pod(9, 'p', 'node-m1');
    expect(violations()).toMatchObject({ doubleBound: 0 });
  });
});

describe('notInProviderList', () => {
  it('counts a Node of a machine that the provider never configured for that cluster', () => {
    call(1, 'Configure', 'm1', 'c1');
    node(2, 'c1', 'm1');
    expect(violations()).toEqual(none);
    node(5, 'c1', 'ghost');
    expect(violations()).toEqual({ ...none, notInProviderList: 1 });
    call(6, 'Configure', 'm2', 'c1', 'FAILED_PRECONDITION');
    node(6, 'c1', 'm2');
    expect(violations()).toEqual({ ...none, notInProviderList: 2 });
  });
});

describe('figures', () => {
  it('counts demand by planned Pod, and replacements once', () => {
    for (const e of ['start', 'submit', 'bound', 'gone', 'submit', 'submit', 'bound', 'finish']) {
      seen.takeDemand({ t: at(1), e, i: 0, r: e === 'submit' && seen.counts().bound > 0 ? 1 : 0, cluster: 'c1', pod: seen.counts().bound > 0 ? 'p-r1' : 'p', leftMs: 1 });
    }
    seen.takeDemand({ t: at(2), e: 'submit', i: 1, r: 0, cluster: 'c1', pod: 'q' });
    expect(seen.counts()).toEqual({ submitted: 2, bound: 1, finished: 1, recreated: 1 });
  });

  it('measures latencies from submission to binding and to the configured machine', () => {
    seen.takeDemand({ t: at(1) - 200, e: 'submit', i: 0, r: 0, cluster: 'c1', pod: 'p' });
    serving();
    pod(5, 'late', 'node-m1', { createdAt: 5 });
    expect(seen.latencies()).toEqual({
      podCreatedToMachineConfigured: { n: 1, p50: 2_200, p90: 2_200, p99: 2_200, max: 2_200 },
      podCreatedToBound: { n: 2, p50: 0, p90: 3_200, p99: 3_200, max: 3_200 },
    });
  });

  it('counts a life that was over before anybody here could look again', () => {
    seen.takeDemand({ t: at(1), e: 'submit', i: 0, r: 0, cluster: 'c1', pod: 'p' });
    serving(); // p is seen as well
    seen.takeDemand({ t: at(4), e: 'bound', i: 0, r: 0 });
    seen.takeDemand({ t: at(5), e: 'submit', i: 1, r: 0, cluster: 'c1', pod: 'q' });
    seen.takeDemand({ t: at(7), e: 'bound', i: 1, r: 0 });
    seen.takeDemand({ t: at(9), e: 'finish', i: 1, r: 0, cluster: 'c1', pod: 'q' });
    expect(seen.latencies().podCreatedToBound).toMatchObject({ n: 2, p50: 2_000, max: 3_000 });
  });

  it('leaves out latencies that were not measured', () => {
    expect(seen.latencies()).toEqual({});
  });

  it('counts the money of machines that are neither offers nor failed, from the start of the demand', () => {
    const { machines } = seen;
    state(0, 'm1', 'Creating'); // before the account is opened
    expect(machines.microUsdPerHour).toBe(4_600_000);
    seen.takeDemand({ t: at(0), e: 'start' });
    state(1_800, 'm1', 'Speculative');
    expect(machines.spentMicroUsd(at(3_600))).toBe(1_800_000 + 1_000_000);
    state(3_600, 'm3', 'Configured', 'c1');
    state(3_600, 'm3', 'Failed', 'c1', 'interrupt');
    expect([machines.microUsdPerHour, machines.peakMicroUsdPerHour]).toEqual([1_000_000, 4_600_000]);
  });

  it('counts bound machines by type, elastic ones that nobody uses, calls by outcome and actions', () => {
    state(1, 'm1', 'Creating');
    expect(seen.machines.elasticIdle).toBe(1);
    serving();
    state(5, 'm2', 'Configuring', 'c1');
    state(6, 'm2', 'Configured', 'c1');
    state(7, 'm1', 'Draining', 'c1');
    expect([seen.machines.boundNow, seen.machines.elasticIdle]).toEqual([2, 0]);
    state(8, 'm1', 'Idle');
    call(9, 'Drain', 'm1', undefined, 'FAILED_PRECONDITION');
    audit(9, 'Reclaim', 'm1');
    audit(9, 'Bootstrap', 'm2');
    audit(9, 'Bootstrap', 'm2', 'suppressed');
    expect(seen.machines.boundPeakByType()).toEqual({ 'type-BareMetal': { boundPeak: 1 }, 'type-OnDemand': { boundPeak: 1 } });
    expect([seen.machines.known, seen.machines.boundPeak, seen.machines.boundNow, seen.machines.elasticIdle]).toEqual([3, 2, 1, 1]);
    expect(seen.machines.providerCalls()).toEqual({ Create: { OK: 1 }, Configure: { OK: 1 }, Drain: { FAILED_PRECONDITION: 1 } });
    expect(seen.decisions.actions()).toEqual({ Bootstrap: 1, Reclaim: 1 });
  });
});
