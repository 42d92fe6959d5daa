import { credentials } from '@grpc/grpc-js';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Peer } from '../api/grpc.ts';
import { capacityRequestName } from '../api/names.ts';
import type { Pod } from '../api/types.ts';
import { createEngine } from '../engine/engine.ts';
import { explainNeed as sentenceOf } from '../engine/explain.ts';
import { amounts, machine, need, policy } from '../engine/testing/builders.ts';
import type { Need, NeedVerdict } from '../engine/types.ts';
import { systemClock } from '../lib/clock.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { contributionOf, isRejection } from '../operator/contribution.ts';
import { capacityRequestFor, type PodRequestOptions } from '../operator/pod-request.ts';
import { silentLog } from '../runtime/types.ts';
import type { KubeClient } from '../runtime/types.ts';
import { needExplanation } from '../server/explanation.ts';
import { needView } from '../server/shard-read.ts';
import { ShardView } from '../server/shard-view.ts';
import { SessionHub } from '../session/server/session-hub.ts';
import { createShardServer } from '../shard/grpc-server.ts';
import { Inventory } from '../shard/inventory.ts';
import type { RowTrouble } from '../shard/row-troubles.ts';
import { rowKey } from '../shard/source-rows.ts';
import { seen } from '../shard/testing/machines.ts';
import { verdict } from '../shard/testing/needs.ts';
import { explainMachine } from './explain/machine.ts';
import { explainNeeds } from './explain/need.ts';
import { chainOf } from './explain/pod.ts';
import { needText } from './explain/text.ts';
import { takeSnapshot } from './live-snapshot.ts';
import { readSnapshotFile } from './engine-file.ts';

const AT = Date.UTC(2026, 1, 2);
const pod = (fields: { nodeName?: string; kind?: string } = {}): Pod => ({
  metadata: { name: 'web-1', namespace: 'shop', uid: 'u-1', ...(fields.kind && { ownerReferences: [{ apiVersion: 'apps/v1', kind: fields.kind, name: 'x', uid: 'o', controller: true }] }) },
  spec: { priority: 7, containers: [{ name: 'c', resources: { requests: { cpu: '2' } } }], ...(fields.nodeName && { nodeName: fields.nodeName }) },
  status: { phase: fields.nodeName ? 'Running' : 'Pending' },
} as Pod);

/** The row that the Pod belongs to, as the shard knows it. */
function rowOf(cluster: string): Need {
  const demand = capacityRequestFor(pod());
  const row = demand.kind === 'request' ? contributionOf(demand.request) : undefined;
  if (row === undefined || isRejection(row)) throw new Error('the Pod is to have a row');
  return need({ cluster, priority: 7, requirements: row.row.profile.requirements, interruptionBucket: row.row.profile.interruptionBucket, reclamationBucket: row.row.profile.reclamationBucket, minUnit: amounts({ cpu: 2 }), aggregate: amounts({ cpu: 2 }) });
}

describe('the verbs that ask a shard', () => {
  const inventory = new Inventory(new VirtualClock(AT));
  let verdicts: NeedVerdict[] = [];
  let troubles: Map<string, RowTrouble>;
  let address: string;
  let halt: AbortController;
  let running: Promise<void>;
  let dir: string;
  const flags = () => ({ shard: address, timeout: '5s', output: 'text' });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'bigfleet-explain-'));
    troubles = new Map();
    verdicts = [
      verdict(need({ cluster: 'west', priority: 9, group: 'gang' }), { machines: 1 }),
      verdict(rowOf('east'), { satisfied: false, reason: 'NO_MATCHING_SUPPLY', deficit: amounts({ cpu: 2 }), machines: 0, matchingSupply: { idle: 0, speculative: 3, configured: 256, capped: true } }),
    ];
    inventory.observe(seen('m-1', 'Configured', { cluster: 'west' }), inventory.mark());
    inventory.explain('m-1', { code: 'Serving', cluster: 'west', fingerprint: verdicts[0]!.need.fingerprint, group: 'gang', unitClass: verdicts[0]!.need.unitClass, priority: 9 });
    const engine = createEngine(policy());
    engine.apply({ kind: 'machines', upserted: [machine('m-1', 'Idle')], removed: [] });
    const needViews = () => ({ cycle: 7, computedAt: AT, verdicts, ageOf: () => 3, troubles });
    const view = new ShardView({
      needViews, machine: (id) => inventory.get(id), machines: () => inventory.all(), machinesOf: (cluster) => inventory.ofCluster(cluster), hintOf: () => undefined,
      nodeNameOf: () => 'node-1', clusterFacts: () => ({ connected: true, lastRollupUnixNanos: 5n, held: false }), plannedState: () => Promise.resolve({ plan: engine.plan(AT), facts: engine.capture() }), withheld: () => [],
    });
    const hub = new SessionHub({
      shardId: 's', epoch: () => 1n, clock: new VirtualClock(), log: silentLog, ids: () => 'id', onRollup: () => true,
      replay: () => ({ updates: [], complete: false }), onConnected: () => undefined, onDisconnected: () => undefined,
    });
    const listening = Promise.withResolvers<number>();
    halt = new AbortController();
    running = createShardServer({ listen: '127.0.0.1:0', clock: systemClock, hub, view, needViews, log: { ...silentLog, info: (fields) => listening.resolve((fields as { port: number }).port) } }).run(halt.signal);
    address = `127.0.0.1:${await listening.promise}`;
  });
  afterEach(async () => {
    halt.abort();
    await running;
    rmSync(dir, { recursive: true });
  });

  it('say why a machine is where it is and whom it serves', async () => {
    const { text, json } = await explainMachine('m-1', flags());
    const sentence = `Serves demand ${verdicts[0]!.need.fingerprint} of cluster west (priority 9, group gang).`;
    expect(text.split('\n').slice(0, 2)).toEqual(['Machine m-1: Configured', `  why      ${sentence}`]);
    expect(text).toContain('c8, zone-a, OnDemand, $0.4000 per hour');
    expect(text).toMatch(/serves {3}\S+ of cluster west \(priority 9, group gang\), units of cpu 1$/m);
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({ kind: 'MachineExplanation', cycle: 7, sentence, machine: { id: 'm-1', state: 'Configured', capacityType: 'OnDemand', priceMicroUsdPerHour: 400_000, why: { code: 'Serving', kind: 'Kept' } } });
    await expect(explainMachine('ghost', flags())).rejects.toThrow('knows no machine "ghost"');
  });

  it('name a row that something keeps from its machines by what the shard calls that', () => {
    const hindered = new Map([[rowKey(verdicts[0]!.need), { words: 'no blob', isPresent: true, wasRefused: false, onTheWay: 0 }]]);
    const view = needView(verdicts[0]!, 3, hindered);
    const titleOf = (code: string): string | undefined => needText(view, 'w', { need: view, why: { ...needExplanation(verdicts[0]!, hindered), code }, machines: [], machinesTruncated: false, ahead: [] }).split('\n')[0];
    expect(needExplanation(verdicts[0]!, hindered).code).toBe('MachineDoesNotCome');
    expect([titleOf('MachineDoesNotCome'), titleOf('Withheld'), needText(view, 'w').split('\n')[0]].map((title) => title?.split(': ').at(-1))).toEqual(['MachineDoesNotCome', 'Withheld', 'unmet']);
  });

  it('say what became of demand, all of it or what the flags choose', async () => {
    const all = await explainNeeds({ ...flags(), limit: '20' });
    expect(all.text).toContain(': satisfied\n  why       Satisfied with 1 machine.');
    expect(all.text).toContain('machines  m-1 (Configured)');
    const { text, json } = await explainNeeds({ ...flags(), limit: '20', unmet: true, cluster: 'east' });
    const sentence = sentenceOf(verdicts[1]!);
    expect(text).toContain(`: NO_MATCHING_SUPPLY\n  why     ${sentence}\n`);
    expect(text).toContain('unmet for 3 cycles');
    expect(text).toContain('0 idle, 3 to be bought, 256 or more in use would fit');
    expect(JSON.parse(JSON.stringify(json))).toMatchObject({ total: 1, needs: [{ sentence, need: { clusterId: 'east', satisfied: false, unmetReason: 'NO_MATCHING_SUPPLY', residualDeficit: { resources: { cpu: '2' } } } }] });
    expect((await explainNeeds({ ...flags(), limit: '1' })).text).toContain('… and 1 more (--limit)');
    expect((await explainNeeds({ ...flags(), limit: '20', group: 'gang' })).json).toMatchObject({ total: 1 });
    await expect(explainNeeds({ ...flags(), limit: '20', fingerprint: 'zzz' })).rejects.toThrow('no demand with fingerprint zzz');
    const nothingUnmet = await explainNeeds({ ...flags(), limit: '20', unmet: true, cluster: 'west' });
    expect(nothingUnmet).toMatchObject({ text: 'the shard has no unmet demand of cluster west', json: { kind: 'NeedExplanations', total: 0, needs: [] } });
    await expect(explainNeeds({ ...flags(), limit: '20', cluster: 'nowhere' })).rejects.toThrow('no demand of cluster nowhere');
  });

  it('say of a shard out of reach where it was looked for', async () => {
    await expect(explainMachine('m-1', { shard: '127.0.0.1:1', timeout: '2s' })).rejects.toThrow(/no shard answers at 127\.0\.0\.1:1[^]*--listen/);
    await expect(explainMachine('m-1', { shard: 'nowhere', timeout: '2s' })).rejects.toThrow('--shard: "nowhere" is not an address');
  });

  it('take a snapshot that can be planned again, compressed or readable', async () => {
    for (const name of ['now.snap', 'now.json']) {
      const output = join(dir, name);
      expect(await takeSnapshot({ ...flags(), output })).toBe(readFileSync(output).length);
      expect((await readSnapshotFile(output)).snapshot.machines.map((m) => m.id)).toEqual(['m-1']);
    }
  });

  describe('follow a Pod', () => {
    const follow = async (of: Pod, objects: Record<string, object>, cluster?: string, options: PodRequestOptions = {}) => {
      const client = { server: 'http://test', get: (type: { kind: string }, ref: { name: string }) => Promise.resolve(objects[`${type.kind}/${ref.name}`]) } as unknown as KubeClient;
      const peer = new Peer(address, { credentials: credentials.createInsecure() });
      try {
        const { text, json } = await chainOf(of, client, peer, cluster, 5_000, options);
        const { links } = json as { links: { link: string; found: boolean; text: string }[] };
        return { text, missing: links.filter((l) => !l.found).map((l) => l.link), of: Object.fromEntries(links.map((l) => [l.link, l.text])) };
      } finally {
        peer.close();
      }
    };
    const request = () => {
      const demand = capacityRequestFor(pod());
      return demand.kind === 'request' ? { [`CapacityRequest/${capacityRequestName('u-1')}`]: { ...demand.request, status: { phase: 'Acknowledged' } } } : {};
    };

    it('that is pending to the verdict on its row', async () => {
      const { text, missing, of } = await follow(pod(), request());
      expect(missing).toEqual(['node']);
      expect(of).toMatchObject({ request: `CapacityRequest ${capacityRequestName('u-1')}: Acknowledged`, verdict: `cluster east: ${sentenceOf(verdicts[1]!)}` });
      expect(text).toContain('MISSING: the scheduler has not bound the Pod to a Node');
    });

    it('to a row that something keeps from its machines, by what the shard calls that', async () => {
      troubles.set(rowKey(verdicts[1]!.need), { words: 'no blob', isPresent: false, wasRefused: true, onTheWay: 0 });
      const { text, of } = await follow(pod(), request());
      expect(of['verdict']).toBe('cluster east: A machine chosen for it does not come: no blob. Lacks cpu 2.');
      expect(text).toMatch(/^Demand .*: MachineDoesNotCome$/m);
    });

    it('that runs to its machine', async () => {
      const node = { 'Node/node-1': { metadata: { name: 'node-1', labels: { 'bigfleet.lucy.sh/machine-id': 'm-1' } } } };
      const { missing, of } = await follow(pod({ nodeName: 'node-1' }), { ...request(), ...node }, 'east');
      expect([missing, of['machine']]).toEqual([[], `m-1: Serves demand ${verdicts[0]!.need.fingerprint} of cluster west (priority 9, group gang).`]);
    });

    it('whose penalties the operator gets from a file that we have, too (D33)', async () => {
      const batch = { ...pod(), spec: { ...pod().spec, priorityClassName: 'batch' } };
      const priorityClassDefaults = new Map([['batch', { interruptionPenalty: '16' }]]);
      expect((await follow(batch, {}, undefined, { priorityClassDefaults })).of['row']).not.toBe((await follow(batch, {})).of['row']);
    });

    it('and say which link is missing', async () => {
      const noRequest = await follow(pod(), {});
      expect(noRequest.missing).toEqual(['request', 'node']);
      expect(noRequest.of['verdict']).toContain(sentenceOf(verdicts[1]!));
      expect((await follow(pod(), request(), 'south')).of['verdict']).toContain('no such demand of cluster south');
      expect((await follow(pod({ kind: 'DaemonSet' }), {})).of['request']).toContain('Pods of DaemonSets');
      expect((await follow(pod({ nodeName: 'node-1' }), request())).of['node']).toContain('is gone');
      const foreign = { 'Node/node-1': { metadata: { name: 'node-1', labels: {} } } };
      expect((await follow(pod({ nodeName: 'node-1' }), { ...request(), ...foreign })).of['machine']).toContain('no machine of this fleet');
      const unknown = { 'Node/node-1': { metadata: { name: 'node-1', labels: { 'bigfleet.lucy.sh/machine-id': 'm-9' } } } };
      expect((await follow(pod({ nodeName: 'node-1' }), { ...request(), ...unknown })).of['machine']).toContain('knows no machine m-9');
    });
  });
});
