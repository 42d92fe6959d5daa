/**
 * Checks the real control planes by hand: `node e2e/control-plane/smoke.ts [--keep]`. Starts a hub and a managed
 * plane, runs a Deployment of three Pods on a kwok Node, stops everything and looks for survivors.
 */
import { execFileSync } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';

import { applyManifests, kubectl, startEtcd, startRealControlPlane } from './real-control-plane.ts';

const node = {
  apiVersion: 'v1',
  kind: 'Node',
  metadata: { name: 'smoke-node', labels: { 'kubernetes.io/hostname': 'smoke-node' } },
  status: { capacity: { cpu: '4', memory: '16Gi', pods: '110' }, allocatable: { cpu: '4', memory: '16Gi', pods: '110' } },
};
const labels = { app: 'smoke' };
const deployment = {
  apiVersion: 'apps/v1',
  kind: 'Deployment',
  metadata: { name: 'smoke', namespace: 'default' },
  spec: {
    replicas: 3,
    selector: { matchLabels: labels },
    template: {
      metadata: { labels },
      spec: { containers: [{ name: 'main', image: 'example/none', resources: { requests: { cpu: '500m' } } }] },
    },
  },
};

const started = performance.now();
const log = (line: string): void => console.log(`${((performance.now() - started) / 1_000).toFixed(1).padStart(6)} s  ${line}`);

/** Lines of the process table that name the folder: every program and every guard of ours has it in its arguments. */
function processesNaming(dir: string): string[] {
  const table = execFileSync('ps', ['-eo', 'pid=,rss=,args='], { encoding: 'utf8', maxBuffer: 64 * 1_024 * 1_024 });
  return table.split('\n').filter((line) => line.includes(dir));
}

const dir = await mkdtemp(join(tmpdir(), 'bigfleet-smoke-'));
const keep = process.argv.includes('--keep');
let failed = false;
const stops: (() => Promise<void>)[] = [];
try {
  const etcd = await startEtcd(join(dir, 'etcd'), log);
  stops.unshift(etcd.stop);
  log(`etcd ready at ${etcd.url}`);

  const hub = await startRealControlPlane({ name: 'hub', dir, etcd, workload: false, log });
  stops.unshift(hub.stop);
  log(`hub ready at ${hub.url}`);

  const managed = await startRealControlPlane({ name: 'managed', dir, etcd, workload: true, log });
  stops.unshift(managed.stop);
  log(`managed plane ready at ${managed.url}`);
  log((await kubectl(managed, ['version'])).trim().replaceAll('\n', ', '));

  const manifests = join(dir, 'workload.json');
  await writeFile(manifests, JSON.stringify({ apiVersion: 'v1', kind: 'List', items: [node, deployment] }));
  await applyManifests(managed, [manifests]);
  log('Node and Deployment applied');
  await kubectl(managed, ['wait', '--for=condition=Ready', '--timeout=60s', 'node/smoke-node']);
  log('Node Ready');
  await kubectl(managed, ['wait', '--for=condition=Available', '--timeout=60s', 'deployment/smoke']);
  const phases = await kubectl(managed, ['get', 'pods', '-o', 'jsonpath={range .items[*]}{.status.phase}@{.spec.nodeName} {end}']);
  log(`Pods: ${phases.trim()}`);
  if (phases.trim() !== Array.from({ length: 3 }, () => 'Running@smoke-node').join(' ')) throw new Error('the Pods do not run on smoke-node');
  const lease = await kubectl(managed, ['-n', 'kube-node-lease', 'get', 'lease', 'smoke-node', '-o', 'jsonpath={.spec.leaseDurationSeconds}']);
  if (lease !== '40') throw new Error(`the Lease of smoke-node lasts ${lease} s instead of 40`);
  log('Node has a Lease of 40 s');

  // Garbage collection on the hub: the dependents of a deleted owner go too.
  const owner = await kubectl(hub, ['create', 'configmap', 'owner', '-o', 'jsonpath={.metadata.uid}']);
  const ownerReferences = [{ apiVersion: 'v1', kind: 'ConfigMap', name: 'owner', uid: owner }];
  const dependent = join(dir, 'dependent.json');
  await writeFile(dependent, JSON.stringify({ apiVersion: 'v1', kind: 'ConfigMap', metadata: { name: 'dependent', namespace: 'default', ownerReferences } }));
  await applyManifests(hub, [dependent]);
  await kubectl(hub, ['delete', 'configmap', 'owner']);
  await kubectl(hub, ['wait', '--for=delete', '--timeout=60s', 'configmap/dependent']);
  log('hub collected the dependent of a deleted owner');

  for (const line of processesNaming(dir)) {
    const [pid, rss, command] = line.trim().split(/\s+/);
    log(`  ${pid ?? ''} ${Math.round(Number(rss) / 1_024)} MB ${command ?? ''}`);
  }
} catch (error) {
  failed = true;
  log(`FAILED: ${error instanceof Error ? error.message : String(error)}`);
} finally {
  for (const stop of stops) await stop();
  log('stopped');
}

// A killed guard is not waited for by us: it may need a moment to leave the process table.
if (processesNaming(dir).length > 0) await delay(1_000);
const survivors = processesNaming(dir);
for (const line of survivors) log(`FAILED: survived: ${line}`);
if (keep || failed) log(`files kept in ${dir}`);
else await rm(dir, { recursive: true, force: true });
if (failed || survivors.length > 0) process.exitCode = 1;
else log('OK: everything ran, nothing survived');
