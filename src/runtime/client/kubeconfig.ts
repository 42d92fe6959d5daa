import { existsSync, readFileSync } from 'node:fs';
import { homedir } from 'node:os';
import { delimiter, dirname, join, resolve } from 'node:path';
import { parse } from 'yaml';

const SERVICE_ACCOUNT_DIR = '/var/run/secrets/kubernetes.io/serviceaccount';

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
  /** The server's address is one that only Pods of its cluster reach. */
  readonly isInCluster?: true;
}

export interface LoadKubeConfigOptions {
  /** The --kubeconfig flag. Then $KUBECONFIG, then in-cluster, then ~/.kube/config. */
  readonly path?: string;
  /** Default: the file's current-context. */
  readonly context?: string;
  readonly env?: Readonly<Record<string, string | undefined>>;
  /** Where a Pod's token and CA lie; for tests. */
  readonly serviceAccountDir?: string;
}

type Entry = Readonly<Record<string, unknown>>;

/** An entry, and the directory that relative paths in it start from. */
interface Located {
  readonly entry: Entry;
  readonly file: string;
}

/** Finds and reads the connection settings; throws an error that names the file, the entry and the fix. */
export function loadKubeConfig(options: LoadKubeConfigOptions = {}): ClusterConfig {
  const env = options.env ?? process.env;
  if (options.path) return fromFiles([options.path], options.context);
  const listed = (env['KUBECONFIG'] ?? '').split(delimiter).filter((path) => path !== '');
  if (listed.length > 0) {
    const present = listed.filter((path) => existsSync(path));
    // In a list, absent files are skipped; if none is there, let the error name the first.
    return fromFiles(present.length > 0 ? present : listed.slice(0, 1), options.context);
  }
  const host = env['KUBERNETES_SERVICE_HOST'];
  if (host) return inCluster(host, env['KUBERNETES_SERVICE_PORT'] ?? '443', options.serviceAccountDir ?? SERVICE_ACCOUNT_DIR);
  const home = join(env['HOME'] ?? homedir(), '.kube', 'config');
  if (existsSync(home)) return fromFiles([home], options.context);
  throw new Error(`no Kubernetes configuration: pass --kubeconfig, set KUBECONFIG, run inside a cluster, or create ${home}`);
}

function inCluster(host: string, port: string, dir: string): ClusterConfig {
  const tokenFile = join(dir, 'token');
  if (!existsSync(tokenFile)) {
    throw new Error(`KUBERNETES_SERVICE_HOST is set but ${tokenFile} is missing: set automountServiceAccountToken on the Pod, or pass --kubeconfig`);
  }
  const namespaceFile = join(dir, 'namespace');
  return {
    server: `https://${host.includes(':') ? `[${host}]` : host}:${port}`,
    ca: readFileSync(join(dir, 'ca.crt'), 'utf8'),
    tokenFile,
    isInCluster: true,
    ...(existsSync(namespaceFile) && { namespace: readFileSync(namespaceFile, 'utf8').trim() }),
  };
}

/** Several files merge as kubectl merges them: the first that names an entry, or the current context, wins. */
function fromFiles(paths: readonly string[], wantedContext: string | undefined): ClusterConfig {
  const files = paths.map((path) => ({ file: resolve(path), root: readConfig(path) }));
  const contextName = wantedContext ?? files.map(({ root }) => text(root, 'current-context')).find((name) => name);
  if (!contextName) throw new Error(`${paths.join(', ')}: current-context is empty; set it or pass a context name`);

  const find = (list: string, field: string, name: string): Located => {
    for (const { file, root } of files) {
      const found = asArray(root[list]).find((item) => item['name'] === name);
      if (found) return { entry: asEntry(found[field]), file };
    }
    throw new Error(`${paths.join(', ')}: no entry "${name}" under ${list}; add it or fix the name that refers to it`);
  };

  const context = find('contexts', 'context', contextName).entry;
  const clusterName = text(context, 'cluster');
  if (!clusterName) throw new Error(`${paths.join(', ')}: context "${contextName}" names no cluster`);
  const userName = text(context, 'user');
  const namespace = text(context, 'namespace');
  return {
    ...readCluster(clusterName, find('clusters', 'cluster', clusterName)),
    ...(userName && readUser(userName, find('users', 'user', userName))),
    ...(namespace && { namespace }),
  };
}

function readCluster(name: string, { entry, file }: Located): ClusterConfig {
  const server = text(entry, 'server');
  if (!server || !/^https?:\/\//.test(server)) {
    throw new Error(`${file}: cluster "${name}": server is "${server ?? ''}"; it must start with https:// or http://`);
  }
  if (entry['proxy-url']) throw new Error(`${file}: cluster "${name}": proxy-url is not supported; remove it`);
  const ca = pem(entry, 'certificate-authority', file, `cluster "${name}"`);
  const serverName = text(entry, 'tls-server-name');
  return {
    server: server.replace(/\/+$/, ''),
    ...(ca !== undefined && { ca }),
    ...(serverName && { tlsServerName: serverName }),
    ...(entry['insecure-skip-tls-verify'] === true && { insecureSkipTlsVerify: true }),
  };
}

function readUser(name: string, { entry, file }: Located): Partial<ClusterConfig> {
  for (const field of ['exec', 'auth-provider', 'username', 'password', 'as']) {
    if (entry[field] === undefined) continue;
    const supported = 'client-certificate(-data) with client-key(-data), token, or tokenFile';
    throw new Error(`${file}: user "${name}": ${field} is not supported; use ${supported}`);
  }
  const clientCert = pem(entry, 'client-certificate', file, `user "${name}"`);
  const clientKey = pem(entry, 'client-key', file, `user "${name}"`);
  if ((clientCert === undefined) !== (clientKey === undefined)) {
    throw new Error(`${file}: user "${name}": client-certificate and client-key go together; one of them is missing`);
  }
  const token = text(entry, 'token');
  const tokenFile = text(entry, 'tokenFile');
  return {
    ...(clientCert !== undefined && clientKey !== undefined && { clientCert, clientKey }),
    ...(token && { token }),
    ...(tokenFile && { tokenFile: resolve(dirname(file), tokenFile) }),
  };
}

/** PEM text from `<field>-data` (base64), else from the file named by `<field>`. */
function pem(entry: Entry, field: string, file: string, owner: string): string | undefined {
  const data = text(entry, `${field}-data`);
  if (data) return Buffer.from(data, 'base64').toString('utf8');
  const path = text(entry, field);
  if (!path) return undefined;
  try {
    return readFileSync(resolve(dirname(file), path), 'utf8');
  } catch (cause) {
    throw new Error(`${file}: ${owner}: cannot read ${field} "${path}": ${(cause as Error).message}`, { cause });
  }
}

function readConfig(path: string): Entry {
  try {
    return asEntry(parse(readFileSync(path, 'utf8')));
  } catch (cause) {
    throw new Error(`cannot read the kubeconfig ${path}: ${(cause as Error).message}`, { cause });
  }
}

function text(entry: Entry, field: string): string | undefined {
  const value = entry[field];
  return typeof value === 'string' ? value : undefined;
}

function asEntry(value: unknown): Entry {
  return typeof value === 'object' && value !== null ? (value as Entry) : {};
}

function asArray(value: unknown): readonly Entry[] {
  return Array.isArray(value) ? value.map(asEntry) : [];
}
