/** `npm run clusters`: Kubernetes clusters made of plain processes, for trying things by hand (docs/quickstart.md). */
import { mkdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import { parseArgs } from 'node:util';

import { ensureBinaries, ensureHelm } from '../../hack/control-plane/build.ts';
import { startEtcd, startRealControlPlane } from './real-control-plane.ts';
import type { ControlPlane } from './real-control-plane.ts';

const help = `npm run clusters -- [flags] NAME…

Starts a Kubernetes cluster of each name, out of etcd, kube-apiserver, kube-controller-manager, kube-scheduler and kwok, all
real but kwok, which plays the kubelets: Pods "run" and do nothing. Ends with Ctrl-C, and the clusters with it.

  --dir DIR   keeps everything here: kubeconfig (a context for each cluster), NAME/kubeconfig, logs, and in bin/ the
              kubectl, helm and bigfleet that go with it; ./quickstart by default
  --hub NAME  one more, without scheduler and kubelets: for objects only (repeatable)

The programs are built from source on first use, which takes minutes and needs Go; KUBEBUILDER_ASSETS is honoured.
Exit codes: 0 stopped by SIGTERM or SIGINT · 1 could not start · 2 wrong flags`;

const root = join(import.meta.dirname, '..', '..');

function usage(message: string): never {
  process.stderr.write(`${message}\n\n${help}\n`);
  process.exit(2);
}

function parse() {
  try {
    return parseArgs({ options: { dir: { type: 'string', default: 'quickstart' }, hub: { type: 'string', multiple: true, default: [] }, help: { type: 'boolean', short: 'h' } }, allowPositionals: true });
  } catch (error) {
    return usage(error instanceof Error ? error.message : String(error));
  }
}

/** One file with a context, a cluster and a user for each, all of the name of the cluster. */
function mergedKubeconfig(planes: readonly ControlPlane[]): object {
  const each = planes.map(({ name, kubeconfigPath }) => {
    const { clusters, users } = JSON.parse(readFileSync(kubeconfigPath, 'utf8')) as { clusters: { cluster: object }[]; users: { user: object }[] };
    return { name, cluster: clusters[0]!.cluster, user: users[0]!.user };
  });
  return {
    apiVersion: 'v1', kind: 'Config', 'current-context': each[0]?.name,
    clusters: each.map(({ name, cluster }) => ({ name, cluster })),
    users: each.map(({ name, user }) => ({ name, user })),
    contexts: each.map(({ name }) => ({ name, context: { cluster: name, user: name } })),
  };
}

function linkTools(dir: string, tools: Readonly<Record<string, string>>): void {
  mkdirSync(dir, { recursive: true });
  for (const [name, target] of Object.entries(tools)) {
    rmSync(join(dir, name), { force: true });
    symlinkSync(target, join(dir, name));
  }
}

const { values: flags, positionals: names } = parse();
if (flags.help) {
  process.stdout.write(`${help}\n`);
  process.exit(0);
}
if (names.length + flags.hub.length === 0) usage('name at least one cluster');
const dir = resolve(flags.dir);
const log = (line: string): void => void process.stderr.write(`${line}\n`);
const stops: (() => Promise<void>)[] = [];
const stopAll = async (): Promise<void> => {
  for (const stop of stops.splice(0).reverse()) await stop();
};
const ended = new Promise<void>((end) => {
  process.once('SIGTERM', end);
  process.once('SIGINT', end);
});
try {
  mkdirSync(dir, { recursive: true });
  const { kubectl } = await ensureBinaries({ log });
  linkTools(join(dir, 'bin'), { kubectl, helm: await ensureHelm({ log }), bigfleet: join(root, 'hack', 'bigfleet.mjs') });
  const etcd = await startEtcd(dir, log);
  stops.push(() => etcd.stop());
  const planes = await Promise.all([...flags.hub, ...names].map(async (name) => {
    const plane = await startRealControlPlane({ name, dir, etcd, workload: !flags.hub.includes(name), log });
    stops.push(() => plane.stop());
    return plane;
  }));
  const kubeconfig = join(dir, 'kubeconfig');
  writeFileSync(kubeconfig, `${JSON.stringify(mergedKubeconfig(planes), undefined, 2)}\n`, { mode: 0o600 });
  log(`${planes.map(({ name, url }) => `${name} ${url}`).join(', ')}\nexport KUBECONFIG=${kubeconfig} PATH=${join(dirname(kubeconfig), 'bin')}:$PATH`);
  // What it waits for does not keep the event loop alive.
  const alive = setInterval(() => undefined, 60_000);
  await ended;
  clearInterval(alive);
} catch (error) {
  log(error instanceof Error ? error.message : String(error));
  process.exitCode = 1;
} finally {
  await stopAll();
}
