import { beforeEach, describe, expect, it } from 'vitest';
import { NodeResource, PodResource, UpcomingNodeResource } from '../api/resources.ts';
import type { Node, Pod, UpcomingNode } from '../api/types.ts';
import { FleetNodes, nodeIndexes, upcomingNodeIndexes } from './fleet-nodes.ts';
import { DemandBook } from './rollup.ts';
import { RoomForecast } from './room-forecast.ts';
import { FakeCluster } from './testing/fake-cluster.ts';
import { node } from './testing/machines.ts';

describe('what will find no room', () => {
  let cluster: FakeCluster;
  let book: DemandBook;
  let forecast: RoomForecast;
  let answered: bigint;
  let counted: number;
  let timestamp: bigint;

  beforeEach(() => {
    cluster = new FakeCluster();
    book = new DemandBook();
    [answered, counted, timestamp] = [-1n, 0, 0n];
    const nodes = cluster.store<Node>(NodeResource, nodeIndexes);
    const upcoming = cluster.store<UpcomingNode>(UpcomingNodeResource, upcomingNodeIndexes);
    cluster.store<Pod>(PodResource);
    forecast = new RoomForecast({
      book, nodes, fleet: new FleetNodes(nodes, upcoming), requestOf: (of) => (of.metadata.name.startsWith('other') ? undefined : of.metadata.name),
      podsOn: (name) => cluster.all<Pod>(PodResource).filter((of) => of.spec.nodeName === name),
      ledger: { get judgedTo() { return answered; }, machinesInDemand: () => (answered < 0n ? undefined : counted) },
    });
    cluster.subscribe<Pod>(PodResource, (event) => forecast.observe(event));
  });

  function pod(name: string, cpu: string, nodeName?: string): void {
    if (!book.rowOf(name)) {
      book.set(name, { metadata: { name, namespace: 'ns' }, spec: { resources: { cpu }, priority: 0, requirements: [{ key: 'pool', operator: 'In', values: ['p'] }] } });
    }
    cluster.put<Pod>(PodResource, { metadata: { name, namespace: 'ns', uid: `uid-${name}` }, spec: { containers: [{ name: 'c' }], ...(nodeName !== undefined && { nodeName }) }, status: { phase: 'Pending' } });
  }
  function announce(id: string, cpu = '8', pool = 'p'): void {
    cluster.put<UpcomingNode>(UpcomingNodeResource, { metadata: { name: `un-${id}` }, spec: { resources: { cpu }, labels: { pool } } });
  }
  function joined(id: string, cpu = '8'): void {
    cluster.put<Node>(NodeResource, node(`node-${id}`, { machine: id, metadata: { name: `node-${id}`, labels: { 'bigfleet.lucy.sh/machine-id': id, pool: 'p' } }, status: { conditions: [{ type: 'Ready', status: 'True' }], allocatable: { cpu } } }));
  }
  /** A roll-up, after which the shard answers for it and counts all machines that are announced. */
  function rollup(): void {
    forecast.step(++timestamp, []);
    answered = timestamp;
    counted = cluster.all(UpcomingNodeResource).length;
  }
  /** Cores that rows lack, and says so if `take` is given. */
  function lacking(take = false): number {
    const rests = [...forecast.step(++timestamp, cluster.all<UpcomingNode>(UpcomingNodeResource)).values()];
    if (take) for (const rest of rests) rest.taken();
    return rests.reduce((sum, { amounts }) => sum + Number(new Map(amounts).get('cpu') ?? 0n) / 1e9, 0);
  }

  it('is what machines of the right sum have no place for, before they are there', () => {
    for (const name of ['a', 'b', 'c']) pod(name, '5');
    expect(lacking()).toBe(0); // the shard has not answered
    announce('m-1');
    announce('m-2');
    rollup();
    expect(lacking()).toBe(5);
  });

  it('is unknown while machines that the shard counts are not announced yet', () => {
    for (const name of ['a', 'b', 'c']) pod(name, '5');
    announce('m-1');
    rollup();
    counted = 2;
    expect(lacking()).toBe(0);
    announce('m-2');
    expect(lacking()).toBe(5);
  });

  it('leaves out Pods that the shard has not answered for, and what they have taken from others', () => {
    pod('a', '5');
    announce('m-1');
    joined('m-1');
    rollup();
    pod('b', '5'); // its machine will be asked for by the sum
    expect(lacking()).toBe(0);
    pod('b', '5', 'node-m-1'); // and others may have that
    expect(lacking()).toBe(0);
    answered = timestamp;
    expect(lacking()).toBe(5);
  });

  it('counts what runs on a Node, demand or none that it knows nothing of', () => {
    announce('m-1');
    joined('m-1');
    pod('a', '5', 'node-m-1');
    pod('other', '8', 'node-m-1');
    pod('b', '3');
    pod('c', '1');
    rollup();
    expect(lacking()).toBe(1);
    cluster.remove(PodResource, { namespace: 'ns', name: 'a' });
    expect(lacking()).toBe(0);
  });

  it('heeds who may use a machine', () => {
    pod('a', '5');
    announce('m-1', '8', 'q');
    rollup();
    expect(lacking()).toBe(5);
    announce('m-2');
    expect(lacking()).toBe(0);
  });

  it('asks for a Pod thrice and no more', () => {
    pod('a', '5');
    announce('m-1', '4');
    rollup();
    expect([lacking(true), lacking(true), lacking(true), lacking(true)]).toEqual([5, 5, 5, 0]);
    cluster.remove(PodResource, { namespace: 'ns', name: 'a' });
    pod('a', '5');
    rollup();
    expect(lacking(true)).toBe(5);
  });

  it('says nothing where Nodes of others may have room', () => {
    pod('a', '5');
    announce('m-1', '4');
    rollup();
    cluster.put<Node>(NodeResource, { metadata: { name: 'theirs', labels: { pool: 'p' } }, spec: {} });
    expect(lacking()).toBe(0);
    cluster.put<Node>(NodeResource, { metadata: { name: 'theirs', labels: { pool: 'p' } }, spec: { unschedulable: true } });
    expect(lacking()).toBe(5);
  });

  it('knows of rows whose Pods have not waited for long', () => {
    pod('a', '5');
    lacking();
    const row = book.rowOf('a')!;
    expect(forecast.isAwaited(row)).toBe(true);
    timestamp += 301_000_000_000n;
    lacking();
    expect(forecast.isAwaited(row)).toBe(false);
    pod('b', '5');
    lacking();
    expect(forecast.isAwaited(row)).toBe(true);
    pod('b', '5', 'node-m-1');
    lacking();
    expect(forecast.isAwaited(row)).toBe(false);
  });
});
