import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { TestAuthority } from '../../src/lib/testing/certificates.ts';
import { bootstrapTemplate } from '../../src/world/bootstrap-blob.ts';
import { writeKubeconfig } from '../control-plane/credentials.ts';
import { freePort } from '../control-plane/free-port.ts';
import { GuardedProcess } from '../control-plane/guarded-process.ts';
import { kubectl } from '../control-plane/kubectl.ts';
import type { ControlPlane } from '../control-plane/real-control-plane.ts';
import { seedFile } from '../fleet.ts';
import { eventually, expect } from '../promise.ts';
import { argsOf, podOf } from './manifests.ts';
import type { Container, Manifest } from './manifests.ts';

export const NAMESPACE = 'bigfleet-system';

/** Quicker than anybody would want it in production. */
export const hastyShard = ['--poll=250ms', '--reclaim-grace=20s', '--lease-duration=6s', '--lease-renew=4s', '--lease-retry=1s'];
export const hastyAgent = ['--qps=200', '--burst=400', '--lease-duration=6s', '--lease-renew=4s', '--lease-retry=1s'];

export interface InstalledOptions {
  readonly dir: string;
  /** `node <main> shard …` runs the program. */
  readonly main: string;
  readonly log: (line: string) => void;
}

/** A component that runs with the token of its ServiceAccount, as its Pod would. */
export interface Component {
  readonly name: string;
  readonly probes: string;
}

/**
 * Stands in for the kubelets: starts what the rendered workloads describe as processes, with exactly the arguments and the
 * identity that their Pods would have. Only addresses and paths are others.
 */
export class Installed {
  readonly components: Component[] = [];
  readonly operationLog: string;
  private readonly options: InstalledOptions;
  private readonly processes: GuardedProcess[] = [];

  constructor(options: InstalledOptions) {
    this.options = options;
    this.operationLog = join(options.dir, 'operations.jsonl');
  }

  /** A simulated provider, whose machines join `cluster`, and its address; with files of `certificates` it serves TLS. */
  async provider(clusterId: string, cluster: ControlPlane, files: Readonly<Record<string, string>> = {}): Promise<string> {
    const { dir } = this.options;
    const [port, admin, agent] = await Promise.all([freePort(), freePort(), freePort()]);
    const seeds = join(dir, 'seeds.jsonl');
    writeFileSync(seeds, seedFile());
    this.launch('node-agent', ['node-agent', '--listen', `127.0.0.1:${agent}`, '--cluster', `${clusterId}=${cluster.kubeconfigPath}`]);
    this.launch('provider', [
      'provider', 'sim', '--i-know-this-is-simulated', '--listen', `127.0.0.1:${port}`, '--admin-listen', `127.0.0.1:${admin}`,
      '--seed-file', seeds, '--data-dir', join(dir, 'provider'), '--operation-log', this.operationLog, '--node-agent', `http://127.0.0.1:${agent}`, ...Object.entries(files).flat(),
    ]);
    return `127.0.0.1:${port}`;
  }

  /** The first Pod of the StatefulSet, as it was rendered; returns where it serves operators. */
  async shard(plane: ControlPlane, manifests: readonly Manifest[], more: readonly string[] = [], files: Readonly<Record<string, string>> = {}): Promise<string> {
    const [port, probes] = await Promise.all([freePort(), freePort()]);
    const flags = { ...files, '--listen': `127.0.0.1:${port}`, '--metrics-addr': `127.0.0.1:${probes}`, '--data-dir': join(this.options.dir, 'shard') };
    await this.component('bigfleet-shard', plane, manifests, { POD_NAME: 'bigfleet-shard-0' }, flags, probes, more);
    return `127.0.0.1:${port}`;
  }

  async operator(plane: ControlPlane, manifests: readonly Manifest[], flags: Readonly<Record<string, string>>, more: readonly string[] = []): Promise<void> {
    const probes = await freePort();
    await this.component('bigfleet-operator', plane, manifests, {}, { '--metrics-addr': `127.0.0.1:${probes}`, ...flags }, probes, more);
  }

  async podController(plane: ControlPlane, manifests: readonly Manifest[], more: readonly string[] = []): Promise<void> {
    const probes = await freePort();
    await this.component('bigfleet-pod-controller', plane, manifests, {}, { '--metrics-addr': `127.0.0.1:${probes}` }, probes, more);
  }

  /** The file that a ConfigMap of this text would be in a Pod. */
  file(name: string, text: string): string {
    const path = join(this.options.dir, name);
    writeFileSync(path, text);
    return path;
  }

  /** The files that a Secret for mTLS would be in a Pod, by the flags that name them. */
  certificates(name: string, authority: TestAuthority, ...identities: readonly string[]): Record<string, string> {
    const { cert, key } = authority.issue(...identities);
    return { '--tls-cert': this.file(`${name}.crt`, cert), '--tls-key': this.file(`${name}.key`, key), '--tls-ca': this.file(`${name}-ca.crt`, authority.cert) };
  }

  /** A template with which simulated machines join. */
  bootstrapTemplate(clusterId: string): string {
    return bootstrapTemplate(clusterId);
  }

  async stop(): Promise<void> {
    for (const process of this.processes.reverse()) await process.stop();
  }

  private async component(
    name: string, plane: ControlPlane, manifests: readonly Manifest[], variables: Readonly<Record<string, string>>, flags: Readonly<Record<string, string>>, probes: number, more: readonly string[],
  ): Promise<void> {
    const pod = podOf(manifests, name);
    const container = pod.containers[0]!;
    expect(pod.containers.length === 1, `${name} has one container`);
    checkHardened(name, pod.securityContext, container);
    const args = argsOf(container, { POD_NAMESPACE: NAMESPACE, ...variables }, flags);
    const kubeconfig = join(this.options.dir, `${name}.kubeconfig`);
    const token = (await kubectl(plane, ['create', 'token', pod.serviceAccountName, '-n', NAMESPACE, '--duration=2h'])).trim();
    writeKubeconfig(kubeconfig, { name, url: plane.url, ca: caOf(plane), token });
    this.launch(name, [...args, ...more], { KUBECONFIG: kubeconfig });
    this.components.push({ name, probes: `http://127.0.0.1:${probes}` });
    await eventually(`${name} lives`, 30, async () => expect((await fetch(`http://127.0.0.1:${probes}${container.livenessProbe!.httpGet.path}`)).status === 200, 'not 200'));
  }

  private launch(name: string, args: readonly string[], env: Readonly<Record<string, string>> = {}): void {
    const { dir, main, log } = this.options;
    mkdirSync(join(dir, name), { recursive: true });
    this.processes.push(GuardedProcess.start({
      name, command: process.execPath, args: [main, ...args], env, logPath: join(dir, `${name}.log`), graceMs: 10_000, onUnexpectedExit: log,
    }));
  }
}

function caOf(plane: ControlPlane): string {
  const config = JSON.parse(readFileSync(plane.kubeconfigPath, 'utf8')) as { clusters: { cluster: { 'certificate-authority-data': string } }[] };
  return Buffer.from(config.clusters[0]!.cluster['certificate-authority-data'], 'base64').toString();
}

function checkHardened(name: string, pod: Readonly<Record<string, unknown>>, { securityContext, readinessProbe, livenessProbe }: Container): void {
  expect(pod['runAsNonRoot'] === true, `${name} does not run as root`);
  expect(securityContext['readOnlyRootFilesystem'] === true && securityContext['allowPrivilegeEscalation'] === false, `${name} cannot change its image nor gain privileges`);
  expect(readinessProbe?.httpGet.path === '/readyz' && livenessProbe?.httpGet.path === '/healthz', `${name} is probed`);
}
