import { credentials } from '@grpc/grpc-js';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { Peer } from '../api/grpc.ts';
import { capacityRequestName, labelValue } from '../api/names.ts';
import type { Pod } from '../api/types.ts';
import { createEngine } from '../engine/engine.ts';
import { explainNeed as sentenceOf } from '../engine/explain.ts';
import { amounts, machine, need, policy } from '../engine/testing/builders.ts';
import type { Need, NeedVerdict } from '../engine/types.ts';
import { systemClock } from '../lib/clock.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { contributionOf, isRejection } from '../operator/contribution.ts';
import { formatNote, type OperatorNote } from '../operator/operator-note.ts';
import { capacityRequestFor } from '../operator/pod-request.ts';
import { ApiError } from '../runtime/client/api-error.ts';
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
import { chainOf, type PodQuestion } from './explain/pod.ts';
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

const servedBy = ({ cluster, fingerprint, group, unitClass, profile: { priority } }: Need) => ({ cluster, fingerprint, group, unitClass, priority });

describe('the verbs that ask a shard', () => {
  let inventory: Inventory;
  let verdicts: NeedVerdict[] = [];
  let troubles: Map<string, RowTrouble>;
  let nodeName: string;
  let address: string;
  let halt: AbortController;
  let running: Promise<void>;
  let dir: string;
  const flags = () => ({ shard: address, timeout: '5s', output: 'text' });

  beforeEach(async () => {
    dir = mkdtempSync(join(tmpdir(), 'bigfleet-explain-'));
    inventory = new Inventory(new VirtualClock(AT));
    troubles = new Map();
    nodeName = 'node-1';
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
      nodeNameOf: () => nodeName, clusterFacts: () => ({ connected: true, lastRollupUnixNanos: 5n, held: false }), plannedState: () => Promise.resolve({ plan: engine.plan(AT), facts: engine.capture() }), withheld: () => [],
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

  it('say of machines that a row is to get from others that they are chosen, for they may all be left where they are', () => {
    const view = needView(verdict(rowOf('east'), { satisfied: false, reason: 'PREEMPTION_IN_PROGRESS', preemption: { victims: 1, freed: amounts({ cpu: 16 }) } }), 3);
    expect(needText(view, 'w')).toContain('to preempt  1 machine chosen, to free cpu 16');
  });

  it('say that a machine is on hold, also while it serves', async () => {
    inventory.update('m-1', { hold: true });
    const { text, json } = await explainMachine('m-1', flags());
    expect([text, (json as { sentence: string }).sentence]).toEqual([expect.stringMatching(/why {6}Serves demand .*\. It is on hold by a person\.$/m), expect.stringMatching(/ It is on hold by a person\.$/)]);
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
    const forbidden = (call: string) => new ApiError(call, 403, { reason: 'Forbidden' });
    /** Objects of the Pod's cluster by kind and name; 403 = one that may not be read, or a kind that may not be listed. */
    const clientOf = (objects: Record<string, object | 403>) => ({
      server: 'http://test',
      get: (type: { kind: string }, { namespace, name }: { namespace?: string; name: string }) => {
        const found = type.kind === 'Lease' && namespace !== 'bigfleet-system' ? undefined : objects[`${type.kind}/${name}`];
        return found === 403 ? Promise.reject(forbidden(`get ${type.kind}`)) : Promise.resolve(found);
      },
      async *list(type: { kind: string }) {
        await Promise.resolve();
        if (objects[type.kind] === 403) throw forbidden(`list ${type.kind}`);
        yield* Object.entries(objects).flatMap(([key, object]) => (key.startsWith(`${type.kind}/`) ? [object] : []));
      },
    }) as unknown as KubeClient;
    const follow = async (of: Pod, objects: Record<string, object | 403>, cluster?: string, more: Partial<PodQuestion> = {}) => {
      const peer = new Peer(address, { credentials: credentials.createInsecure() });
      try {
        const { text, json } = await chainOf(of, { client: clientOf(objects), peer, timeoutMs: 5_000, operatorNamespace: 'bigfleet-system', ...(cluster !== undefined && { cluster }), ...more });
        const { links, ...told } = JSON.parse(JSON.stringify(json)) as { links: { link: string; state: string; found: boolean; text: string }[]; cluster?: object; verdicts: { need: { clusterId: string } }[] };
        const are = (state: string) => links.filter((l) => l.state === state && l.found === (state === 'found')).map((l) => l.link);
        return { text, missing: are('missing'), none: are('none'), found: are('found'), of: Object.fromEntries(links.map((l) => [l.link, l.text])), json: told };
      } finally {
        peer.close();
      }
    };
    const request = () => {
      const demand = capacityRequestFor(pod());
      return demand.kind === 'request' ? { [`CapacityRequest/${capacityRequestName('u-1')}`]: { ...demand.request, status: { phase: 'Acknowledged' } } } : {};
    };

    const operator = (note: OperatorNote) => ({ 'Lease/bigfleet-operator': { metadata: { name: 'bigfleet-operator', annotations: { 'bigfleet.lucy.sh/operator': formatNote(note) } } } });
    const east = () => ({ ...request(), ...operator({ clusterId: 'east' }) });
    const direct = (more: Partial<OperatorNote['directPods']> = {}) => operator({ clusterId: 'east', directPods: { includeDaemonSetPods: false, foreignNodes: 'ignore', ...more } });
    const node = (labels: object, more: object = {}) => ({ 'Node/node-1': { metadata: { name: 'node-1', labels }, ...more } });
    const onMachine = (id: string) => node({ 'bigfleet.lucy.sh/machine-id': id });
    const onNode = pod({ nodeName: 'node-1' });

    it('that is pending to the verdict on its row', async () => {
      const { text, missing, of, json } = await follow(pod(), east());
      expect(json).toMatchObject({ cluster: { id: 'east', saidBy: 'operator' }, verdicts: [{ sentence: sentenceOf(verdicts[1]!), need: { clusterId: 'east' } }] });
      expect(missing).toEqual(['node']);
      expect(of).toMatchObject({ request: `CapacityRequest ${capacityRequestName('u-1')}: Acknowledged`, verdict: `cluster east: ${sentenceOf(verdicts[1]!)}` });
      expect(text).toContain('MISSING: the scheduler has not bound the Pod to a Node');
    });

    it('to a row that something keeps from its machines, by what the shard calls that', async () => {
      troubles.set(rowKey(verdicts[1]!.need), { words: 'no blob', isPresent: false, wasRefused: true, onTheWay: 0 });
      const { text, of } = await follow(pod(), east());
      expect(of['verdict']).toBe('cluster east: A machine chosen for it does not come: no blob. Lacks cpu 2.');
      expect(text).toMatch(/^Demand .*: MachineDoesNotCome$/m);
    });

    it('that runs to its machine', async () => {
      const { missing, of } = await follow(onNode, { ...east(), ...onMachine('m-1') });
      expect([missing, of['machine']]).toEqual([[], `m-1: Serves demand ${verdicts[0]!.need.fingerprint} of cluster west (priority 9, group gang).`]);
    });

    it('to the machines that are there for its row, and to who is ahead of it, as explain need does', async () => {
      const ahead = rowOf('west');
      verdicts = [verdict(ahead, { machines: 1 }), verdict(rowOf('east'), { satisfied: false, reason: 'PRIORITY_STARVED', deficit: amounts({ cpu: 2 }), machines: 1 })];
      inventory.explain('m-1', { code: 'Serving', ...servedBy(ahead) });
      inventory.observe(seen('m-2', 'Configured', { cluster: 'east' }), inventory.mark());
      inventory.explain('m-2', { code: 'Serving', ...servedBy(rowOf('east')) });
      const { text, json } = await follow(pod(), east());
      const asNeed = await explainNeeds({ ...flags(), limit: '20', cluster: 'east' });
      expect(text.split('\n\n').at(-1)).toBe(asNeed.text);
      expect(text).toMatch(/machines {2}m-2 \(Configured\)\n {2}ahead {5}\S+ of cluster west \(priority 7\), units of cpu 2: holds 1 machine$/);
      expect(json.verdicts).toEqual((JSON.parse(JSON.stringify(asNeed.json)) as { needs: object[] }).needs);
    });

    it('never to the verdict of another cluster that asks for just the same', async () => {
      const unknown = await follow(pod(), {});
      expect([unknown.missing, unknown.json.verdicts, unknown.json.cluster]).toEqual([['request', 'verdict', 'node'], [], undefined]);
      expect(unknown.of['verdict']).toBe('which cluster this is is not known: pass --cluster NAME; clusters that ask for just this: east');
      expect(unknown.text).not.toContain('Demand ');
      verdicts = ['south', 'east'].map((cluster, arrival) => verdict(rowOf(cluster), { machines: 1, arrival }));
      expect((await follow(pod(), request())).of['verdict']).toMatch(/just this: east, south$/);
      const said = await follow(pod(), { ...request(), ...operator({ clusterId: 'north' }) });
      expect([said.missing, said.of['verdict']]).toEqual([['verdict', 'node'], expect.stringMatching(/no such demand of cluster north: not reported yet/)]);
      const elsewhere = await follow(pod(), east(), undefined, { operatorNamespace: 'fleet' });
      expect(elsewhere.of['verdict']).toContain('which cluster this is is not known');
      const flagged = await follow(pod(), { ...request(), ...operator({ clusterId: 'north' }) }, 'south');
      expect([flagged.of['verdict'], flagged.json.cluster]).toEqual(['cluster south: Satisfied with 1 machine.', { id: 'south', saidBy: '--cluster' }]);
      verdicts = [];
      expect((await follow(pod(), request())).of['verdict']).toContain('no such demand of any cluster: not reported yet');
    });

    it('by the machine under it where no operator says which cluster this is, if the machine is there for a cluster', async () => {
      verdicts = ['south', 'west'].map((cluster) => verdict(rowOf(cluster), { machines: 1 }));
      const objects = { ...request(), ...onMachine('m-1'), 'Lease/bigfleet-operator': 403 } as const;
      const { of, json } = await follow(onNode, objects);
      expect([of['verdict'], json.cluster]).toEqual(['cluster west: Satisfied with 1 machine.', { id: 'west', saidBy: 'machine' }]);
      const notThere = async () => {
        const { of, json } = await follow(onNode, objects);
        expect([of['verdict'], json.cluster]).toEqual([expect.stringContaining('which cluster this is is not known'), undefined]);
      };
      inventory.observe(seen('m-1', 'Idle'), inventory.mark());
      await notThere();
      inventory.setIntent('m-1', { kind: 'bind', to: { cluster: 'south', fingerprint: 'f', group: '', priority: 0, interruptionBucket: 0, reclamationBucket: 0 }, requirements: [], configureSent: false, reason: '', decidedAt: AT });
      await notThere();
      inventory.setIntent('m-1', undefined);
      inventory.observe(seen('m-1', 'Configured', { cluster: 'west' }), inventory.mark());
      nodeName = 'another';
      await notThere();
    });

    it('of direct demand, which has no request by design (D33)', async () => {
      // Left from the time before: the operator does not look at it.
      const { none, missing, of, text } = await follow(pod(), { ...direct(), ...request() });
      expect([none, missing]).toEqual([['request'], ['node']]);
      expect(of).toMatchObject({ request: 'demand is direct: the operator reads the Pod itself (--pod-demand=direct)', verdict: `cluster east: ${sentenceOf(verdicts[1]!)}` });
      expect(text).toContain('  request  none: demand is direct');
      expect((await follow(pod({ kind: 'DaemonSet' }), direct({ includeDaemonSetPods: true }))).of['request']).toContain('demand is direct');
      expect((await follow(pod({ kind: 'DaemonSet' }), direct())).of['request']).toContain('it asks for nothing, because Pods of DaemonSets');
      expect((await follow(onNode, { ...direct({ foreignNodes: 'count' }), ...node({}) })).of['request']).toContain('demand is direct');
      expect((await follow(onNode, { ...direct(), ...node({}) })).none).toEqual(['request', 'machine']);
      expect((await follow(onNode, direct())).of['request']).toBe('it depends on Node node-1 whether the Pod asks for anything, and that is gone');
    });

    it('whose penalties the operator gets from a file: as its Lease says, or from a file that we have, too (D33)', async () => {
      const batch = { ...pod(), spec: { ...pod().spec, priorityClassName: 'batch' } };
      const rowBy = async (objects: Record<string, object>, penalty?: string) => (await follow(batch, objects, undefined, penalty === undefined ? {} : { priorityClassDefaults: new Map([['batch', { interruptionPenalty: penalty }]]) })).of['row'];
      const [without, at16, at4096] = [await rowBy({}), await rowBy({}, '16'), await rowBy({}, '4096')];
      expect(new Set([without, at16, at4096]).size).toBe(3);
      const noted = direct({ priorityClassDefaults: new Map([['batch', { interruptionPenalty: '16' }]]) });
      expect([await rowBy(noted), await rowBy(noted, '4096')]).toEqual([at16, at4096]);
    });

    it('to the answer that it asks for nothing, and to no row of others', async () => {
      const daemon = await follow(pod({ kind: 'DaemonSet' }), {});
      expect([daemon.none, daemon.missing, daemon.json.verdicts]).toEqual([['request'], ['node'], []]);
      expect(daemon.text).toContain('  request  none: it asks for nothing, because Pods of DaemonSets');
      const foreign = await follow(onNode, { ...node({}), ...operator({ clusterId: 'east' }) });
      expect([foreign.found, foreign.none, foreign.missing, foreign.json.verdicts]).toEqual([['pod', 'node'], ['request', 'machine'], [], []]);
      expect(foreign.of).toMatchObject({ request: expect.stringContaining('it is on a Node that is no machine of this fleet'), machine: expect.stringContaining('Node node-1 is no machine of this fleet') });
      // A controller that counts such Pods has made a request.
      expect((await follow(onNode, { ...east(), ...node({}) })).found).toEqual(['pod', 'request', 'row', 'verdict', 'node']);
    });

    it('to a machine whose id is too long for a label, or that has none but a provider id (D1)', async () => {
      const announced = { 'UpcomingNode/un-x': { metadata: { name: 'un-x', annotations: { 'bigfleet.lucy.sh/machine-id': 'm/1' } }, status: { providerID: 'sim://m/1' } } };
      inventory.observe(seen('m/1', 'Configured', { cluster: 'east' }), inventory.mark());
      for (const on of [onMachine(labelValue('m/1')), node({}, { spec: { providerID: 'sim://m/1' } })]) expect((await follow(onNode, { ...east(), ...announced, ...on })).of['machine']).toMatch(/^m\/1: /);
      expect((await follow(onNode, { ...east(), ...onMachine('m-1'), UpcomingNode: 403 })).of['machine']).toMatch(/^m-1: /);
    });

    it('and say which link is missing', async () => {
      const noRequest = await follow(pod(), {}, 'east');
      expect(noRequest.missing).toEqual(['request', 'node']);
      expect(noRequest.of['request']).toMatch(/pod controller running\? With --pod-demand=direct there is none by design; only then is what follows this Pod's$/);
      expect(noRequest.of['verdict']).toContain(sentenceOf(verdicts[1]!));
      const notAskedFor = await follow(pod(), operator({ clusterId: 'east' }));
      expect([notAskedFor.found, notAskedFor.missing, notAskedFor.of['request']]).toEqual([['pod'], ['request', 'node'], expect.stringContaining('nothing is asked for this Pod (pod controller running?)')]);
      expect((await follow(pod(), request(), 'south')).of['verdict']).toContain('no such demand of cluster south');
      expect((await follow(onNode, request())).of['node']).toContain('is gone');
      expect((await follow(onNode, { ...request(), ...onMachine('m-9') })).of['machine']).toContain('knows no machine m-9');
    });
  });
});
