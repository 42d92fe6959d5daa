import { describe, expect, it } from 'vitest';
import { MachineRequests } from './machine-requests.ts';
import { PodTimes } from './pod-times.ts';

const call = (machineId: string, t: number, outcome = 'OK'): object => ({ event: 'call', rpc: 'Create', outcome, machineId, t });
const state = (machineId: string, to: string, t: number): object => ({ event: 'state', machineId, to, t });

describe('the figures of a burst', () => {
  it('know when machines were requested, when they sufficed by their sums, and when the last came back', () => {
    const requests = new MachineRequests(['a', 'b', 'c'].map((id) => ({ id, allocatable: { cpu: '8', memory: '32Gi' } })));
    for (const line of [call('x', 1, 'FENCED'), call('a', 10), call('b', 20), call('c', 30), call('c', 40), state('a', 'Configured', 45)]) requests.take(line);
    expect([requests.count, requests.lastAt, requests.at('b'), requests.at('x')]).toEqual([3, 30, 20, undefined]);
    expect(requests.coveredAt([{ cpu: '5' }, { cpu: '11', memory: '1Gi' }])).toEqual({ at: 20, machines: 2 });
    expect(requests.coveredAt([{ memory: '97Gi' }])).toBeUndefined();
    for (const [i, id] of ['a', 'b'].entries()) requests.take(state(id, 'Speculative', 50 + i));
    expect([requests.allReturned, requests.returned]).toEqual([false, 2]);
    requests.take(state('c', 'Speculative', 60));
    expect([requests.allReturned, requests.returned, requests.lastReturnedAt]).toEqual([true, 3, 60]);
  });

  it('count from the answer to the creation, and not below zero', () => {
    const times = new PodTimes();
    const pod = (uid: string, nodeName?: string, phase = 'Pending') => ({ metadata: { name: uid, uid }, spec: { containers: [], ...(nodeName && { nodeName }) }, status: { phase } });
    const seen = (now: number, ...args: Parameters<typeof pod>): void => times.seen({ type: 'updated', key: args[0], object: pod(...args), old: pod(args[0]) }, now);
    times.createdOne('p', 100);
    seen(150, 'p', 'n');
    seen(170, 'p', 'n', 'Running');
    seen(190, 'q', 'n'); // the watch is faster than the answer
    times.createdOne('q', 200);
    times.createdOne('r', 900, true);
    expect([times.created, times.bound, times.running, times.lastCreatedAt]).toEqual([3, 2, 1, 200]);
    expect([times.toBound(), times.toRunning(), times.toRequested((node) => (node === 'n' ? 130 : undefined))]).toEqual([[50, 0], [70], [30, 0]]);
    expect(times.surprises).toEqual([]);
    seen(210, 'p', 'other');
    times.seen({ type: 'deleted', key: 'q', old: pod('q', 'n') }, 220);
    expect(times.surprises).toEqual(['Pod p is on other after n']);
    expect([times.bound, times.gone, times.lastGoneAt, times.evicted]).toEqual([2, 1, 220, 1]);
    times.mayGo = true;
    times.seen({ type: 'deleted', key: 'p', old: pod('p', 'n') }, 230);
    expect([times.gone, times.evicted, times.running, times.runningNow]).toEqual([2, 1, 1, 0]);
  });
});
