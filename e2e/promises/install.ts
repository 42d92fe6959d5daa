import { cpSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parse, stringify } from 'yaml';
import { makeBundle } from '../../hack/bundle.ts';
import { components } from '../../hack/generate-rbac.ts';
import { kstatusOf } from '../../src/api/testing/kstatus.ts';
import { testAuthority } from '../../src/lib/testing/certificates.ts';
import { bigfleet } from '../bigfleet.ts';
import { helm, kubectl } from '../control-plane/kubectl.ts';
import { startEtcd, startRealControlPlane } from '../control-plane/real-control-plane.ts';
import type { ControlPlane, RealControlPlaneOptions } from '../control-plane/real-control-plane.ts';
import { AUDIT_LOG, askedOf, auditLogOf, verbsOf, writeAuditPolicy } from '../install/audit.ts';
import { hastyAgent, hastyShard, Installed, NAMESPACE } from '../install/installed.ts';
import { find, manifestsOf } from '../install/manifests.ts';
import type { Manifest } from '../install/manifests.ts';
import { eventually, expect } from '../promise.ts';
import type { PromiseContext, Promised } from '../promise.ts';
import { webDeployment } from '../web-deployment.ts';

const root = join(import.meta.dirname, '..', '..');
const chart = (name: string): string => join(root, 'charts', name);
const REPLICAS = 14; // of 2 cores: four machines of 8, more than the two that exist

/** What the components say something about, change and take back. */
const oddities = `
apiVersion: v1
kind: Pod
metadata: { name: odd, namespace: default, annotations: { bigfleet.lucy.sh/interruption-penalty: dear } }
spec: { containers: [{ name: odd, image: example/odd, resources: { requests: { cpu: "1" } } }] }
---
apiVersion: batch/v1
kind: Job
metadata: { name: brief, namespace: default }
spec: { template: { spec: { restartPolicy: Never, containers: [{ name: brief, image: example/brief, resources: { requests: { cpu: "1" } } }] } } }
---
apiVersion: bigfleet.lucy.sh/v1alpha1
kind: CapacityRequest
metadata: { name: inexpressible, namespace: default }
spec: { priority: 5, resources: { cpu: "1" }, requirements: [{ key: cores, operator: Gt, values: ["4"] }] }
`;

const SHARD_SPEC = { mode: 'Active', cycleSeconds: 1, rails: { reclaimCapFraction: '1', maxConcurrentDrainsPerCluster: 50 }, holds: { onDemandSeconds: 5, spotSeconds: 2, occupiedExcessSeconds: 5 } };

const controlKinds = ['shards.control.bigfleet.lucy.sh', 'capacityproviders.control.bigfleet.lucy.sh', 'machines.control.bigfleet.lucy.sh'];
const publicKinds = ['capacityrequests.bigfleet.lucy.sh', 'upcomingnodes.bigfleet.lucy.sh', 'availablecapacities.bigfleet.lucy.sh'];

interface Item {
  metadata: { name: string; labels?: Record<string, string> };
  spec: { nodeName?: string; machineId?: string; interruptionPenalty?: string };
  status?: { phase?: string; clusterId?: string };
}

async function list(cluster: ControlPlane, what: string): Promise<Item[]> {
  return (JSON.parse(await kubectl(cluster, ['get', what, '-A', '-o', 'json'])) as { items: Item[] }).items;
}

/** What a fleet is for, whoever installed it: a Deployment gets machines, one is released under it, and all goes back. */
async function serves(installed: Installed, hub: ControlPlane, east: ControlPlane, { dir, log }: PromiseContext): Promise<string> {
  writeFileSync(join(dir, 'web.yaml'), webDeployment(REPLICAS));
  writeFileSync(join(dir, 'odd.yaml'), oddities);
  await kubectl(east, ['apply', '-f', join(dir, 'web.yaml'), '-f', join(dir, 'odd.yaml')]);
  const running = () => eventually('all Pods run', 120, async () => {
    const pods = (await list(east, 'pods')).filter((pod) => pod.metadata.labels?.['app'] === 'web' && pod.status?.phase === 'Running');
    expect(pods.length === REPLICAS, `${pods.length} of ${REPLICAS} Pods run`);
  });
  await running();
  const nodes = await list(east, 'nodes');
  log(`${REPLICAS} Pods run on ${nodes.length} Nodes`);
  for (const { name, probes } of installed.components) expect((await fetch(`${probes}/readyz`)).status === 200, `${name} is ready`);

  // A machine goes although Pods stand on it: they are evicted, and find another.
  const bound = (await list(hub, 'machines.control.bigfleet.lucy.sh')).filter(({ status }) => status?.phase === 'Configured').map(({ spec }) => spec.machineId ?? '');
  // Not the one with the Pod that nobody would create again.
  const pods = await list(east, 'pods');
  const alone = pods.find(({ metadata }) => metadata.name === 'odd')?.spec.nodeName;
  const occupied = new Set(pods.filter(({ metadata, status }) => metadata.labels?.['app'] === 'web' && status?.phase === 'Running').map(({ spec }) => spec.nodeName));
  const willing = (await list(east, 'nodes')).filter(({ metadata: { name } }) => name !== alone && occupied.has(name)).map(({ metadata }) => metadata.labels?.['bigfleet.lucy.sh/machine-id']);
  const released = bound.find((id) => id.startsWith('cloud-') && willing.includes(id)) ?? '';
  const said = await bigfleet(['release', 'machine', released, '--kubeconfig', hub.kubeconfigPath], 20);
  expect(said.code === 0, said.stderr);
  await eventually(`${released} is given back`, 90, async () => {
    const left = (await list(east, 'nodes')).map((node) => node.metadata.labels?.['bigfleet.lucy.sh/machine-id']);
    expect(!left.includes(released) || bound.length === 0, `Nodes of ${left.join()}`);
  });
  await running();
  log(`${released} was emptied and released`);

  await kubectl(east, ['annotate', '--overwrite', 'pod', 'odd', 'bigfleet.lucy.sh/interruption-penalty=8']);
  await eventually('a changed Pod changes its request, a finished one has none, and people are told what is wrong', 60, async () => {
    const requests = await list(east, 'capacityrequests.bigfleet.lucy.sh');
    expect(requests.some(({ spec }) => spec.interruptionPenalty !== undefined), 'no request has the penalty');
    expect(requests.length === REPLICAS + 2, `${requests.length} requests`);
    const reasons = JSON.stringify(await list(east, 'events'));
    expect(reasons.includes('InvalidPenalty') && reasons.includes('NotAccepted'), 'there is an event of each');
  });
  await kubectl(east, ['delete', '-f', join(dir, 'odd.yaml'), '--grace-period=1']);

  await eventually('by the rules that tools wait by, every object of every kind is ready', 60, async () => {
    for (const [plane, kinds] of [[hub, controlKinds], [east, publicKinds]] as const) {
      for (const kind of kinds) {
        const objects = (await list(plane, kind)) as unknown as (Parameters<typeof kstatusOf>[0] & { status?: { conditions?: { type: string }[] } })[];
        const ready = objects.filter((object) => kstatusOf(object) === 'Current' && object.status?.conditions?.some(({ type }) => type === 'Ready'));
        expect(objects.length > 0 && ready.length === objects.length, `${ready.length} of ${objects.length} ${kind} are`);
      }
    }
  });

  // The shard is allowed one Secret.
  const [provider = ''] = (await list(hub, 'capacityproviders.control.bigfleet.lucy.sh')).map(({ metadata }) => metadata.name);
  const tls = (value: object | null) => kubectl(hub, ['patch', 'capacityprovider', provider, '-n', NAMESPACE, '--type=merge', '-p', JSON.stringify({ spec: { tls: value } })]);
  await tls({ secretName: 'bigfleet-provider-tls' });
  await eventually('the Secret is looked for', 30, () => {
    expect(askedOf(auditLogOf(hub), NAMESPACE).used.has('bigfleet-shard: get secrets'), 'not yet');
    return Promise.resolve();
  });
  await tls(null);

  await kubectl(east, ['scale', 'deployment/web', '--replicas=0']);
  await eventually('everything is given back', 120, async () => {
    const [requests, upcoming, left] = await Promise.all(['capacityrequests.bigfleet.lucy.sh', 'upcomingnodes.bigfleet.lucy.sh', 'nodes'].map((what) => list(east, what)));
    expect(requests?.length === 0 && upcoming?.length === 0 && left?.length === 0, `${requests?.length} CapacityRequests, ${upcoming?.length} UpcomingNodes, ${left?.length} Nodes left`);
  });
  for (const { name, probes } of installed.components) {
    const metrics = await (await fetch(`${probes}/metrics`)).text();
    expect(metrics.includes('rest_client_requests_total'), `${name} has metrics`);
  }
  return `${REPLICAS} Pods on ${nodes.length} Nodes and back`;
}

/** Verbs that need what cannot be waited for here; src/shard/rbac.test.ts and src/operator/rbac.test.ts bring it about. */
const rare = [
  'bigfleet-shard: patch capacityproviders', // a person has confirmed the loss of machines
  'bigfleet-shard: get machines', // somebody else makes the same object at the same time
  'bigfleet-operator: create configmaps', // Pods did not fit although there is enough for them (D3)
  'bigfleet-operator: patch configmaps',
  'bigfleet-operator: delete availablecapacities', // an offer was not repeated for ten minutes
];
const lists = verbsOf(components.map(({ name }) => name)).filter((verb) => verb.includes(': list ') && !verb.includes('availablecapacities'));

/** The audit logs hold no refusal, and every verb of the tables but the excused ones; returns how many that are. */
async function withinRoles(planes: readonly (readonly [plane: ControlPlane, accounts: readonly string[]])[], excused: readonly string[]): Promise<string> {
  let verbs = 0;
  for (const [plane, accounts] of planes) {
    await eventually(`everything that the roles allow in ${plane.name} is needed, and nothing else`, 30, () => {
      const { refused, used } = askedOf(auditLogOf(plane), NAMESPACE);
      expect(refused.length === 0, `RBAC refused ${refused.join('; ')}`);
      const unused = verbsOf(accounts).filter((verb) => !used.has(verb) && !excused.includes(verb));
      expect(unused.length === 0, `not asked for: ${unused.join('; ')}`);
      const foreign = [...used].filter((verb) => accounts.some((account) => verb.startsWith(`${account}:`)) && !verbsOf(accounts).includes(verb));
      expect(foreign.length === 0, `allowed, though in no table: ${foreign.join('; ')}`);
      verbs += used.size;
      return Promise.resolve();
    });
  }
  return `none of their requests was refused, and ${verbs} verbs of their roles were used`;
}

/** The real admission lets the Pods in, also in a namespace that enforces the strictest profile; nothing here runs images. */
async function admitted(plane: ControlPlane, counts: Readonly<Record<string, number>>): Promise<void> {
  await eventually('the Pods of the components are admitted', 60, async () => {
    const pods = (await list(plane, 'pods')).map(({ metadata }) => metadata.labels?.['app.kubernetes.io/component']);
    for (const [component, count] of Object.entries(counts)) {
      const found = pods.filter((name) => name === component).length;
      expect(found === count, `${found} Pods of ${component}, not ${count}`);
    }
  });
  const kinds = ['statefulset', 'deployment'];
  for (const kind of kinds) await kubectl(plane, ['scale', kind, '-n', NAMESPACE, '--all', '--replicas=0']).catch(() => undefined); // perhaps none of this kind
}

/** The chart as if its definition of Machines were older: without columns. */
function olderChart(dir: string): string {
  const older = join(dir, 'older', 'bigfleet');
  cpSync(chart('bigfleet'), older, { recursive: true });
  const path = join(older, 'crds', 'control.bigfleet.lucy.sh_machines.yaml');
  const definition = parse(readFileSync(path, 'utf8')) as { spec: { versions: { additionalPrinterColumns?: unknown }[] } };
  for (const version of definition.spec.versions) delete version.additionalPrinterColumns;
  writeFileSync(path, stringify(definition));
  return older;
}

async function versionOf(plane: ControlPlane): Promise<string> {
  return (JSON.parse(await kubectl(plane, ['version', '-o', 'json'])) as { serverVersion: { gitVersion: string } }).serverVersion.gitVersion;
}

async function withEtcd<T>({ dir, log }: PromiseContext, run: (stops: (() => Promise<void>)[], start: (name: string, more: Pick<RealControlPlaneOptions, 'workload' | 'apiServerFlags'>) => Promise<ControlPlane>) => Promise<T>): Promise<T> {
  const stops: (() => Promise<void>)[] = [];
  try {
    const etcd = await startEtcd(dir, log);
    stops.push(() => etcd.stop());
    const policyFile = writeAuditPolicy(dir, NAMESPACE);
    return await run(stops, async (name, more) => {
      const plane = await startRealControlPlane({ name, dir, etcd, audit: { policyFile, logFile: join(dir, name, AUDIT_LOG) }, log, ...more });
      stops.push(() => plane.stop());
      return plane;
    });
  } finally {
    for (const stop of stops.reverse()) await stop();
  }
}

export const kustomizeInstalls: Promised = {
  id: 'install-kustomize',
  promise: '`kubectl apply -k config/default` installs everything on one cluster, and it serves with exactly its roles',
  controlPlane: 'processes',
  run: (context) => withEtcd(context, async (stops, start) => {
    const { dir, log } = context;
    const { main, bytes } = makeBundle(join(dir, 'bundle'));
    const one = await start('one', { workload: true });
    const config = (name: string): string => join(root, 'config', name);
    await kubectl(one, ['apply', '-k', config('default')]);
    await kubectl(one, ['wait', '--for=condition=Established', '--timeout=60s', 'crd', '--all']);
    await kubectl(one, ['apply', '-k', config('default')]); // again, as anybody does
    await kubectl(one, ['apply', '-k', config('samples')]);
    for (const half of ['hub', 'cluster']) await kubectl(one, ['apply', '-k', config(half), '--dry-run=server']);
    await admitted(one, { shard: 1, operator: 2, 'pod-controller': 2 });
    log('config/default and config/samples are applied');

    const manifests = manifestsOf(await kubectl(one, ['kustomize', config('default')]));
    const installed = new Installed({ dir, main, log });
    stops.push(() => installed.stop());
    const address = await installed.provider('local', one);
    await kubectl(one, ['patch', 'capacityprovider', 'provider', '-n', NAMESPACE, '--type=merge', '-p', JSON.stringify({ spec: { address } })]);
    await kubectl(one, ['patch', 'shard', 'bigfleet-shard-0', '-n', NAMESPACE, '--type=merge', '-p', JSON.stringify({ spec: SHARD_SPEC })]);
    const shard = await installed.shard(one, manifests, hastyShard);
    const template = installed.file('bootstrap.tmpl', installed.bootstrapTemplate('local'));
    await installed.operator(one, manifests, { '--shard-addr': shard }, [`--bootstrap-template-file=${template}`, '--rollup-interval=1s', ...hastyAgent]);
    await installed.podController(one, manifests, ['--pending-after=0', ...hastyAgent]);
    const served = await serves(installed, one, one, context);
    const roles = await withinRoles([[one, ['bigfleet-shard', 'bigfleet-operator', 'bigfleet-pod-controller']]], [...rare, ...lists]); // such servers are not asked for lists
    return `Kubernetes ${await versionOf(one)}, from a bundle of ${(bytes / 2 ** 20).toFixed(0)} MiB: ${served}; ${roles}`;
  }),
};

export const helmInstalls: Promised = {
  id: 'install-helm',
  promise: '`helm install` of three charts makes a hub and a managed cluster that serve with exactly their roles, and an upgrade upgrades the definitions',
  controlPlane: 'processes',
  run: (context) => withEtcd(context, async (stops, start) => {
    const { dir, log } = context;
    const { main } = makeBundle(join(dir, 'bundle'));
    // Like servers of older versions: a watch that begins with the whole collection is refused, so there have to be lists.
    const apiServerFlags = ['--feature-gates=WatchList=false'];
    const [hub, east] = await Promise.all([start('hub', { workload: false, apiServerFlags }), start('east', { workload: true, apiServerFlags })]);
    writeFileSync(join(dir, 'namespace.yaml'), readFileSync(join(root, 'config/namespace/namespace.yaml')));
    await Promise.all([hub, east].map((plane) => kubectl(plane, ['apply', '-f', join(dir, 'namespace.yaml')])));
    const release = async (plane: ControlPlane, verb: 'install' | 'upgrade', name: string, args: readonly string[], from = chart(name)): Promise<readonly Manifest[]> => {
      const on = { kubeconfigPath: plane.kubeconfigPath, home: dir };
      await helm([verb, name, from, '-n', NAMESPACE, ...args], on);
      return manifestsOf(await helm(['get', 'manifest', name, '-n', NAMESPACE], on));
    };

    const installed = new Installed({ dir, main, log });
    stops.push(() => installed.stop());
    const authority = testAuthority();
    const address = await installed.provider('east', east, installed.certificates('provider', authority));
    const settings = `shard.settings=${JSON.stringify({ ...SHARD_SPEC, mode: undefined })}`;
    const values = ['--set', 'shard.tls.secretName=shard-tls', '--set', `shard.provider.addr=${address}`, '--set-json', settings, '--set-json', `shard.extraArgs=${JSON.stringify(hastyShard)}`];
    const hubManifests = await release(hub, 'install', 'bigfleet', values, olderChart(dir));
    await admitted(hub, { shard: 1 });
    const shard = await installed.shard(hub, hubManifests, [], installed.certificates('shard', authority, 'bigfleet://shard/bigfleet-shard-0'));
    const operatorManifests = await release(east, 'install', 'bigfleet-operator', [
      '--set', 'clusterID=east', '--set', 'tls.secretName=east-tls', '--set', `shardAddress=${shard}`, '--set', 'rollupInterval=1s', '--set-json', `extraArgs=${JSON.stringify(hastyAgent)}`,
      '--set-file', `bootstrapTemplate=${installed.file('template', installed.bootstrapTemplate('east'))}`,
    ]);
    const podManifests = await release(east, 'install', 'bigfleet-pod-controller', ['--set-json', `extraArgs=${JSON.stringify(['--pending-after=0', ...hastyAgent])}`, '--set', 'priorityClassDefaults.high.interruptionPenalty=8']);
    await admitted(east, { operator: 2, 'pod-controller': 2 });
    log('three charts are installed');
    const configured = (manifests: readonly Manifest[], name: string, key: string): string => installed.file(key, find(manifests, 'ConfigMap', name).data?.[key] ?? '');
    await installed.operator(east, operatorManifests, { ...installed.certificates('east', authority, 'bigfleet://cluster/east'), '--bootstrap-template-file': configured(operatorManifests, 'bigfleet-operator-bootstrap-template', 'bootstrap.tmpl') });
    await installed.podController(east, podManifests, [`--priority-class-defaults=${configured(podManifests, 'bigfleet-priority-class-defaults', 'priority-class-defaults.yaml')}`]);
    const served = await serves(installed, hub, east, context);
    const roles = await withinRoles([[hub, ['bigfleet-shard']], [east, ['bigfleet-operator', 'bigfleet-pod-controller']]], rare);

    const columns = () => kubectl(hub, ['get', 'crd', 'machines.control.bigfleet.lucy.sh', '-o', 'jsonpath={.spec.versions[0].additionalPrinterColumns[*].name}']);
    expect(!(await columns()).includes('State'), 'the older definition has no column for the state');
    const mode = () => kubectl(hub, ['get', 'shard', 'bigfleet-shard-0', '-n', NAMESPACE, '-o', 'jsonpath={.spec.mode}']);
    await release(hub, 'upgrade', 'bigfleet', [...values, '--set', 'shard.dryRun=true']);
    expect((await mode()) === 'DryRun', 'shard.dryRun makes it one');
    await release(hub, 'upgrade', 'bigfleet', values);
    expect((await mode()) === 'Active', 'without it the shard is Active');
    await kubectl(hub, ['patch', 'shard', 'bigfleet-shard-0', '-n', NAMESPACE, '--type=merge', '-p', '{"spec":{"mode":"Paused"}}']);
    await release(hub, 'upgrade', 'bigfleet', [...values, '--set', 'crds.templated=true', '--take-ownership']);
    expect((await columns()).includes('State'), 'the definition has been upgraded');
    expect((await mode()) === 'Paused', 'an upgrade does not undo a pause');
    await helm(['rollback', 'bigfleet', '1', '-n', NAMESPACE], { kubeconfigPath: hub.kubeconfigPath, home: dir });
    expect((await mode()) === 'Paused' && (await columns()).includes('State'), 'nor does a rollback, which leaves the definitions as they are');
    await helm(['uninstall', 'bigfleet', '-n', NAMESPACE], { kubeconfigPath: hub.kubeconfigPath, home: dir });
    const kept = await kubectl(hub, ['get', 'crd,shards,capacityproviders', '-A', '-o', 'name']);
    expect(['customresourcedefinition', 'shard.', 'capacityprovider.'].every((kind) => kept.includes(kind)), `after an uninstall there is still ${kept}`);
    return `Kubernetes ${await versionOf(hub)}, ${(await helm(['version', '--short'], { home: dir })).trim()}: ${served}; ${roles}; definitions upgraded, a pause and the objects kept, also in a rollback`;
  }),
};
