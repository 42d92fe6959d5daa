import type { Credentials } from './credentials.ts';

/** Where the API server writes down each request that its policy names. */
export interface Audit {
  readonly policyFile: string;
  readonly logFile: string;
}

/** Arguments of the API server. Everything is on loopback; `prefix` keeps control planes on one etcd apart. */
export function apiServerArgs(plane: { etcdUrl: string; prefix: string; port: number; credentials: Credentials; audit?: Audit }): string[] {
  const { audit, credentials, etcdUrl, port, prefix } = plane;
  return [
    `--etcd-servers=${etcdUrl}`,
    `--etcd-prefix=${prefix}`,
    '--bind-address=127.0.0.1',
    `--secure-port=${port}`,
    `--cert-dir=${credentials.certDir}`,
    `--token-auth-file=${credentials.tokenFile}`,
    '--authorization-mode=RBAC',
    '--service-account-issuer=https://kubernetes.default.svc',
    `--service-account-key-file=${credentials.serviceAccountKey}`,
    `--service-account-signing-key-file=${credentials.serviceAccountKey}`,
    '--service-cluster-ip-range=10.96.0.0/16',
    // No Pod could reach the server at its address, and a loopback address is no valid endpoint.
    '--advertise-address=127.0.0.1',
    '--endpoint-reconciler-type=none',
    '--allow-privileged=true',
    ...(audit ? [`--audit-policy-file=${audit.policyFile}`, `--audit-log-path=${audit.logFile}`] : []),
  ];
}

/** Arguments of the controller manager: every controller, as in a real cluster, and no port. */
export function controllerManagerArgs({ kubeconfigPath, credentials }: { kubeconfigPath: string; credentials: Credentials }): string[] {
  return [
    `--kubeconfig=${kubeconfigPath}`,
    `--service-account-private-key-file=${credentials.serviceAccountKey}`,
    `--root-ca-file=${credentials.servingCertificate}`,
    ...withoutElectionOrPort,
    ...busyClient,
  ];
}

export function schedulerArgs({ kubeconfigPath }: { kubeconfigPath: string }): string[] {
  return [`--kubeconfig=${kubeconfigPath}`, ...withoutElectionOrPort, ...busyClient];
}

/** kwok makes every Node live (or those with the annotation `kubelets`), its Lease included, and every Pod bound to one run at once. */
export function kwokArgs({ kubeconfigPath, stages, kubelets }: { kubeconfigPath: string; stages: readonly string[]; kubelets?: string }): string[] {
  return [
    `--kubeconfig=${kubeconfigPath}`,
    ...stages.map((path) => `--config=${path}`),
    kubelets === undefined ? '--manage-all-nodes' : `--manage-nodes-with-annotation-selector=${kubelets}`,
    '--node-lease-duration-seconds=40',
    '--node-port=0', // otherwise it listens on one fixed port of every address
  ];
}

/** Nobody to hand over to, and nobody asks for metrics. */
const withoutElectionOrPort = ['--leader-elect=false', '--secure-port=0'];

/** The default of 20 requests a second would make the suite wait for the client's own throttle. */
const busyClient = ['--kube-api-qps=300', '--kube-api-burst=600'];
