import { mkdir } from 'node:fs/promises';
import { join } from 'node:path';

import { ensureBinaries, ensureKwokStages } from '../../hack/control-plane/build.ts';
import { apiServerArgs, controllerManagerArgs, kwokArgs, schedulerArgs } from './component-args.ts';
import { createCredentials, readServingCertificate, writeKubeconfig } from './credentials.ts';
import type { Audit } from './component-args.ts';
import type { Credentials } from './credentials.ts';
import { freePort } from './free-port.ts';
import { GuardedProcess } from './guarded-process.ts';
import { untilReady } from './until-ready.ts';

export { startEtcd } from './etcd.ts';
export type { Etcd } from './etcd.ts';
export { applyManifests, kubectl } from './kubectl.ts';

const START_ATTEMPTS = 3;
const GRACE_MS = 5_000;

/** A running Kubernetes control plane made of plain processes. */
export interface ControlPlane {
  readonly name: string;
  /** Address of the API server on loopback, https. */
  readonly url: string;
  /** Kubeconfig of an administrator, with the certificate to trust. */
  readonly kubeconfigPath: string;
  /** Process id of each program, by its name. */
  readonly pids: Readonly<Record<string, number>>;
  /** Ends the API server alone; whoever calls it is refused. */
  stopApiServer(): Promise<void>;
  /** Starts it again at the same address, with what it had stored, and waits until it is ready. */
  startApiServer(): Promise<void>;
  /** SIGSTOP makes it stand still with its connections open; SIGCONT lets it go on. Nothing happens to one that has ended. */
  signalApiServer(signal: 'SIGSTOP' | 'SIGCONT'): void;
  /** Ends every process. Resolves when they are gone; may be called again. */
  stop(): Promise<void>;
}

export interface RealControlPlaneOptions {
  /** A DNS label, unique on its etcd. */
  readonly name: string;
  /** The control plane keeps its logs, keys and kubeconfig in the folder of its name in here. */
  readonly dir: string;
  readonly etcd: { readonly url: string };
  /** With a scheduler and kwok: Pods run. Without: a hub, with the API server and the controller manager only. */
  readonly workload: boolean;
  /** kwok is the kubelet of Nodes with this annotation (`key=value`) only; default: of all Nodes. */
  readonly kubelets?: string;
  readonly audit?: Audit;
  readonly apiServerFlags?: readonly string[];
  readonly log: (line: string) => void;
}

/**
 * Starts a control plane and waits until Pods can be created in namespace default. Throws, leaving no process
 * behind, when one of its programs ends meanwhile or readiness takes minutes.
 */
export async function startRealControlPlane(options: RealControlPlaneOptions): Promise<ControlPlane> {
  const { name, log, workload } = options;
  if (!/^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$/.test(name)) throw new Error(`name: "${name}" is no DNS label`);
  const binaries = await ensureBinaries({ log });
  const stages = workload ? await ensureKwokStages() : [];

  const dir = join(options.dir, name);
  await mkdir(dir, { recursive: true });
  const credentials = createCredentials(dir);
  const launch = (program: keyof typeof binaries, args: readonly string[]): GuardedProcess =>
    GuardedProcess.start({
      name: `${name}: ${program}`,
      command: binaries[program],
      args,
      env: { HOME: dir, KWOK_WORKDIR: join(dir, 'kwok') }, // no settings from the home folder of the caller
      logPath: join(dir, `${program}.log`),
      graceMs: GRACE_MS,
      onUnexpectedExit: log,
    });

  const prefix = `/registry-${name}`;
  const launchServer = (port: number): GuardedProcess =>
    launch('kube-apiserver', [...apiServerArgs({ etcdUrl: options.etcd.url, prefix, port, credentials, ...(options.audit && { audit: options.audit }) }), ...(options.apiServerFlags ?? [])]);
  const { server, url, ca } = await startApiServer(name, credentials, log, launchServer);
  const processes = new Map<string, GuardedProcess>([['kube-apiserver', server]]);
  const stop = async (): Promise<void> => {
    await Promise.all([...processes.values()].map((process) => process.stop()));
  };

  try {
    const kubeconfigPath = join(dir, 'kubeconfig');
    writeKubeconfig(kubeconfigPath, { name, url, ca, token: credentials.token });
    processes.set('kube-controller-manager', launch('kube-controller-manager', controllerManagerArgs({ kubeconfigPath, credentials })));
    if (workload) {
      processes.set('kube-scheduler', launch('kube-scheduler', schedulerArgs({ kubeconfigPath })));
      processes.set('kwok', launch('kwok', kwokArgs({ kubeconfigPath, stages, ...(options.kubelets !== undefined && { kubelets: options.kubelets }) })));
    }
    // The controller manager creates this account; before that, the API server refuses every Pod.
    const account = { url: `${url}/api/v1/namespaces/default/serviceaccounts/default`, ca: () => ca, token: credentials.token };
    await untilReady(`${name}: the default service account`, account, [...processes.values()]);
    const pids = Object.fromEntries([...processes].map(([program, { pid }]) => [program, pid]));
    const stopApiServer = async (): Promise<void> => processes.get('kube-apiserver')?.stop();
    const restartApiServer = async (): Promise<void> => {
      const again = launchServer(Number(new URL(url).port));
      processes.set('kube-apiserver', again);
      await untilReady(`${name}: the API server`, { url: `${url}/readyz`, ca: () => readServingCertificate(credentials), token: credentials.token }, [again]);
    };
    const signalApiServer = (signal: NodeJS.Signals): void => processes.get('kube-apiserver')?.signal(signal);
    return { name, url, kubeconfigPath, pids, signalApiServer, stopApiServer, startApiServer: restartApiServer, stop };
  } catch (error) {
    await stop();
    throw error;
  }
}

/** Starts the API server and waits until it is ready; tries another port when somebody took the first one. */
async function startApiServer(
  name: string,
  credentials: Credentials,
  log: (line: string) => void,
  launch: (port: number) => GuardedProcess,
): Promise<{ server: GuardedProcess; url: string; ca: string }> {
  for (let attempt = 1; ; attempt += 1) {
    const port = await freePort();
    const url = `https://127.0.0.1:${port}`;
    const server = launch(port);
    try {
      const probe = { url: `${url}/readyz`, ca: () => readServingCertificate(credentials), token: credentials.token };
      await untilReady(`${name}: the API server`, probe, [server]);
      const ca = readServingCertificate(credentials);
      if (ca === undefined) throw new Error(`${name}: ${credentials.servingCertificate} is gone`);
      return { server, url, ca };
    } catch (error) {
      await server.stop();
      if (attempt === START_ATTEMPTS) throw error;
      log(`${name}: the API server did not start, trying another port: ${String(error)}`);
    }
  }
}
