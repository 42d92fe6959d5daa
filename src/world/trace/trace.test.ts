import { existsSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, it } from 'vitest';
import { temporaryFolder } from '../../lib/testing/temporary-folder.ts';
import { plannedPods } from '../demand/plan.ts';
import { readTraceMachines } from './machines.ts';
import { readTraceDemand } from './pods.ts';
import { readTrace } from './read-trace.ts';

const NODE_HEADER = 'sn,cpu_milli,memory_mib,gpu,model\n';
const POD_HEADER = 'name,cpu_milli,memory_mib,num_gpu,gpu_milli,gpu_spec,qos,pod_phase,creation_time,deletion_time,scheduled_time\n';
const options = { clusters: 3, durationMs: 60_000 };
const demandOf = (rows: string, more: Partial<typeof options> & { pods?: number } = {}): ReturnType<typeof readTraceDemand> =>
  readTraceDemand('pods.csv', POD_HEADER + rows, { ...options, ...more });

describe('machines of a trace', () => {
  it('names type, price and resources as the mapping says', () => {
    const [machine] = readTraceMachines('nodes.csv', `${NODE_HEADER}n-1,96000,393216,8,G2\n`);
    expect(machine).toMatchObject({
      instanceType: 'G2-8g-96c-384g',
      resources: { cpu: '96000m', memory: '393216Mi', 'bigfleet.example/gpu-milli': '8000' },
      labels: { 'topology.bigfleet/rack': 'rack-000', 'bigfleet.example/gpu-model': 'G2' },
    });
    // 96 cores x 30,000 + 384 GiB x 4,000 + 8 G2 x 1,000,000 micro-dollars on demand
    const percent = { BareMetal: 0.4, OnDemand: 1, Spot: 0.35 }[machine?.capacityType ?? 'OnDemand'];
    expect(machine?.pricePerHour).toBeCloseTo(12.416 * percent, 6);
  });

  it('makes BareMetal Idle with a host, and the others offers without', () => {
    const rows = Array.from({ length: 200 }, (_, i) => `n-${i},8000,16384,0,`).join('\n');
    const machines = readTraceMachines('nodes.csv', `${NODE_HEADER}${rows}\n`);
    for (const machine of machines) {
      const owned = machine.capacityType === 'BareMetal';
      expect([machine.state, machine.host !== undefined]).toEqual(owned ? ['Idle', true] : ['Speculative', false]);
      expect(machine.interruptionProbability).toBe(machine.capacityType === 'Spot' ? 0.02 : 0);
    }
    expect(new Set(machines.map((m) => m.capacityType))).toEqual(new Set(['BareMetal', 'OnDemand', 'Spot']));
  });

  it('puts 32 machines into a rack in file order, and racks into four zones in turn', () => {
    const rows = Array.from({ length: 130 }, (_, i) => `n-${i},8000,16384,0,`).join('\n');
    const machines = readTraceMachines('nodes.csv', `${NODE_HEADER}${rows}\n`);
    const place = (i: number): unknown[] => [machines[i]?.labels['topology.bigfleet/rack'], machines[i]?.zone];
    expect([place(0), place(31), place(32), place(129)]).toEqual([
      ['rack-000', 'zone-a'], ['rack-000', 'zone-a'], ['rack-001', 'zone-b'], ['rack-004', 'zone-a'],
    ]);
  });

  it.each([
    ['n-1,x,1,0,\n', 'nodes.csv: line 2, column cpu_milli: expected a whole number from 1 to', 'found "x"'],
    ['n-1,8,1,0,\nn-2,8,1,0\n', 'nodes.csv: line 3, column model: expected 5 columns, found 4', 'the first missing one'],
    ['n-1,8,1,0,,x,y\n', 'nodes.csv: line 2, column 6: expected 5 columns, found 7', 'the first surplus one'],
    ['n-1,8,1,1,Z9\n', 'nodes.csv: line 2, column model: expected one of T4', 'found "Z9"'],
    ['n-1,8,1,0,T4\n', 'nodes.csv: line 2, column model: expected nothing, as gpu is 0', ''],
    ['n-1,8,1,0,\nn-1,8,1,0,\n', 'nodes.csv: line 3, column sn: expected a unique value', 'as on line 2'],
    [',8,1,0,\n', 'nodes.csv: line 2, column sn: expected a name of 1 to 63 lowercase letters', 'found ""'],
    [`${'a'.repeat(64)},8,1,0,\n`, 'nodes.csv: line 2, column sn: expected a name of 1 to 63', ''],
    ['N-1,8,1,0,\n', 'nodes.csv: line 2, column sn: expected a name', 'found "N-1"'],
    ['n\0,8,1,0,\n', 'nodes.csv: line 2, column sn: expected UTF-8 text without NUL', 'found NUL'],
    ['n-1,8,1,0,\uFFFD\n', 'nodes.csv: line 2, column model: expected UTF-8', 'found U+FFFD'],
    ['', 'nodes.csv: line 2: expected at least one row after the header', ''],
    ['n-0,8,1,0,\nn-1,8,"1,0,\n\n', 'nodes.csv: line 3, column memory_mib: expected a quote that is closed', ''],
    ['n-0,8,1,0,\nn-1,"8"8,1,0,\n', 'nodes.csv: line 3, column cpu_milli: expected well-formed CSV', ''],
  ])('refuses %j', (rows, where, what) => {
    const read = (): unknown => readTraceMachines('nodes.csv', NODE_HEADER + rows);
    expect(read).toThrow(where);
    expect(read).toThrow(what);
    expect(read).toThrow(expect.objectContaining({ name: 'UsageError' }));
  });

  it('refuses a header with missing, unknown or no columns', () => {
    expect(() => readTraceMachines('n.csv', 'sn,cpu_milli\n')).toThrow('n.csv: line 1, column memory_mib: expected the columns sn, cpu_milli, memory_mib, gpu, model; missing: memory_mib, gpu, model');
    expect(() => readTraceMachines('n.csv', `${NODE_HEADER.trim()},extra\n`)).toThrow('n.csv: line 1, column 6: expected the columns sn, cpu_milli, memory_mib, gpu, model; unknown: "extra"');
    expect(() => readTraceMachines('n.csv', `${NODE_HEADER.trim()},sn\n`)).toThrow('n.csv: line 1, column 6: expected each column once, found sn again');
    expect(() => readTraceMachines('n.csv', '')).toThrow('the file is empty');
  });
});

describe('demand of a trace', () => {
  it('ranks by creation time and then name, and spreads arrivals evenly', () => {
    const plan = demandOf('b,1,1,0,0,,BE,Running,10,20,\na,1,1,0,0,,BE,Running,10,20,\nc,1,1,0,0,,BE,Pending,5,6,\nd,1,1,0,0,,BE,Failed,900,1000,\n');
    expect(plannedPods(plan).map((pod) => [pod.name, pod.atMs])).toEqual([['c', 0], ['a', 15_000], ['b', 30_000], ['d', 45_000]]);
    expect(plan.traceSeconds).toBe(995);
  });

  it.each([
    ['0', '6000', 40_000], // 100 s of trace after the division, above the longest life
    ['0', '60', 4_000], // 1 s, below the shortest
    ['0', '600', 10_000],
    ['100', '50', 4_000],
  ])('a life from %s to %s s is %i ms', (creation, deletion, lifeMs) => {
    expect(plannedPods(demandOf(`a,1,1,0,0,,BE,Running,${creation},${deletion},\n`))[0]?.lifeMs).toBe(lifeMs);
  });

  it('takes requests, priorities and models over', () => {
    const pods = plannedPods(demandOf('a,1500,2048,2,1000,,Guaranteed,Running,0,1,\nb,500,64,1,460,T4|A10,LS,Running,1,2,\nc,1,1,0,0,,Burstable,Running,2,3,\nd,1,1,0,0,,BE,Running,3,4,\n'));
    expect(pods.map((pod) => pod.priority)).toEqual([10_000, 1_000, 100, 0]);
    expect(pods[0]?.requests).toEqual({ cpu: '1500m', memory: '2048Mi', 'bigfleet.example/gpu-milli': '2000' });
    expect(pods[1]?.requests['bigfleet.example/gpu-milli']).toBe('460');
    expect(pods[2]?.requests).toEqual({ cpu: '1m', memory: '1Mi' });
    expect(JSON.stringify(pods[1]?.placement)).toContain('{"key":"bigfleet.example/gpu-model","operator":"In","values":["T4","A10"]}');
    expect(pods[0]?.placement).toBeUndefined();
  });

  it('takes the first Pods by rank when told to, over the same time', () => {
    const plan = demandOf('b,1,1,0,0,,BE,Running,9,10,\na,1,1,0,0,,BE,Running,1,2,\nc,1,1,0,0,,BE,Running,3,4,\n', { pods: 2 });
    expect(plannedPods(plan).map((pod) => [pod.name, pod.atMs])).toEqual([['a', 0], ['c', 30_000]]);
  });

  it.each([
    ['a,1,1,0,0,,Gold,Running,0,1,\n', 'line 2, column qos: expected one of Guaranteed, LS, Burstable, BE, found "Gold"'],
    ['a,1,1,1,1001,,BE,Running,0,1,\n', 'line 2, column gpu_milli: expected a whole number from 0 to 1000, found "1001"'],
    ['a,1,1,0,0,,BE,Running,0,,\n', 'line 2, column deletion_time: expected a whole number'],
    ['', 'line 2: expected at least one row after the header'],
    ['A,1,1,0,0,,BE,Running,0,1,\n', 'line 2, column name: expected a name of 1 to 240 lowercase letters'],
    ['a_b,1,1,0,0,,BE,Running,0,1,\n', 'line 2, column name: expected a name'],
    ['a..b,1,1,0,0,,BE,Running,0,1,\n', 'line 2, column name: expected a name'],
    ['a-,1,1,0,0,,BE,Running,0,1,\n', 'line 2, column name: expected a name'],
    [`${'a'.repeat(241)},1,1,0,0,,BE,Running,0,1,\n`, 'line 2, column name: expected a name'],
    ['a,1,1,1,1,Z9,BE,Running,0,1,\n', 'line 2, column gpu_spec: expected nothing, or some of T4'],
    ['a,1,1,1,1,T4||A10,BE,Running,0,1,\n', 'line 2, column gpu_spec: expected nothing, or some of T4'],
    ['a,1,1,0,0,,BE,Dancing,0,1,\n', 'line 2, column pod_phase: expected nothing or one of Running, Succeeded, Failed, Pending, found "Dancing"'],
    ['a,1,1,0,0,,BE,Running,0,1,soon\n', 'line 2, column scheduled_time: expected nothing or a whole number'],
    ['a,1,1,0,0,,BE,Running,0,1,\na-r2,1,1,0,0,,BE,Running,0,1,\n', 'line 3, column name: expected a name other than those that replacements of Pod "a" (line 2) get, found "a-r2"'],
    ['b-r1,1,1,0,0,,BE,Running,0,1,\nb,1,1,0,0,,BE,Running,0,1,\n', 'line 2, column name: expected a name other than those that replacements of Pod "b" (line 3) get'],
    ['a,1,1,0,0,\0,BE,Running,0,1,\n', 'line 2, column gpu_spec: expected UTF-8 text without NUL'],
    ['a,1,1,0,0,,BE,Running,-3,1,\n', 'line 2, column creation_time: expected a whole number'],
  ])('refuses %j', (rows, message) => {
    expect(() => demandOf(rows)).toThrow(`pods.csv: ${message}`);
  });
});

describe('names and phases that are right', () => {
  it('takes a name that looks like that of a replacement of a Pod which is not there, or cannot be one', () => {
    const rows = ['a-r1', 'b', 'b-r0', 'b-r01', 'b-rx', 'b-r1-c'].map((name) => `${name},1,1,0,0,,BE,Running,0,1,\n`);
    expect(plannedPods(demandOf(rows.join('')))).toHaveLength(6);
  });

  it('leaves room for the ending of a replacement, and takes an empty phase', () => {
    const name = `${'a'.repeat(230)}.b-c.0`;
    expect(plannedPods(demandOf(`${name},1,1,0,0,,BE,,0,1,7\n`))[0]?.name).toBe(name);
  });
});

describe('a trace folder', () => {
  it('needs exactly one file of each kind', () => {
    const folder = temporaryFolder('trace');
    expect(() => readTrace(join(folder, 'none'), options)).toThrow('--trace: expected a folder, found none');
    expect(() => readTrace(folder, options)).toThrow('expected exactly one CSV file with "node" in its name, found none');
    writeFileSync(join(folder, 'node_list.csv'), NODE_HEADER);
    writeFileSync(join(folder, 'pod_a.csv'), POD_HEADER);
    writeFileSync(join(folder, 'pod_b.csv'), POD_HEADER);
    expect(() => readTrace(folder, options)).toThrow('found pod_a.csv, pod_b.csv');
  });

  it('names the path of a folder that stands where a file is expected', () => {
    const folder = temporaryFolder('trace');
    mkdirSync(join(folder, 'node.csv'));
    writeFileSync(join(folder, 'pod.csv'), POD_HEADER);
    expect(() => readTrace(folder, options)).toThrow(expect.objectContaining({ name: 'UsageError', message: `--trace: expected a CSV file at ${join(folder, 'node.csv')}, found a folder` }));
  });
});

const realTrace = fileURLToPath(new URL('../../../../shared/data/gpu-trace-2023', import.meta.url));

describe.skipIf(!existsSync(realTrace))(`the production trace${existsSync(realTrace) ? '' : ` (skipped: there is no ${realTrace})`}`, () => {
  it('maps to the expected machines and Pods', () => {
    const { machines, demand } = readTrace(realTrace, options);
    const pods = plannedPods(demand);
    expect([machines.length, pods.length, demand.traceSeconds]).toEqual([1523, 8152, 12_902_960]);
    expect(machines[0]).toEqual({
      id: 'openb-node-0000', instanceType: 'cpu-0g-32c-256g', zone: 'zone-a', capacityType: 'OnDemand', pricePerHour: 1.984,
      interruptionProbability: 0, resources: { cpu: '32000m', memory: '262144Mi' }, allocatable: { cpu: '32000m', memory: '262144Mi' },
      labels: { 'topology.bigfleet/rack': 'rack-000' }, state: 'Speculative',
    });
    expect(Object.fromEntries(Object.entries(Object.groupBy(machines, (m) => m.capacityType)).map(([type, list]) => [type, list?.length]))).toEqual({ BareMetal: 441, OnDemand: 771, Spot: 311 });
    expect(pods.slice(0, 2)).toEqual([
      { kind: 'pod', atMs: 0, cluster: 'cluster-1', name: 'openb-pod-0000', lifeMs: 40_000, priority: 1000, requests: { cpu: '12000m', memory: '16384Mi', 'bigfleet.example/gpu-milli': '1000' } },
      { kind: 'pod', atMs: 7, cluster: 'cluster-3', name: 'openb-pod-0001', lifeMs: 40_000, priority: 1000, requests: { cpu: '6000m', memory: '12288Mi', 'bigfleet.example/gpu-milli': '460' } },
    ]);
    expect(pods.filter((pod) => 'bigfleet.example/gpu-milli' in pod.requests).length / pods.length).toBeCloseTo(0.867, 3);
  });
});
