/** How to reach and talk to one API server. Certificates and keys are PEM text. */
export interface ClusterConfig {
  readonly server: string;
  readonly ca?: string;
  readonly insecureSkipTlsVerify?: boolean;
  readonly tlsServerName?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly token?: string;
  /** Wins over `token`; read again at most every 60 s, because projected tokens rotate. */
  readonly tokenFile?: string;
  /** Namespace of the context or of the Pod's service account. */
  readonly namespace?: string;
}

export interface LoadKubeConfigOptions {
  /** The --kubeconfig flag. Then $KUBECONFIG, then in-cluster, then ~/.kube/config. */
  readonly path?: string;
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
}

/** Finds and reads the connection settings; throws an error that names the file, the entry and the fix. */
export function loadKubeConfig(_options: LoadKubeConfigOptions = {}): ClusterConfig {
  throw new Error('not implemented yet');
}
