import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import { writeKubeconfig } from '../control-plane/credentials.ts';
import { kubectl } from '../control-plane/kubectl.ts';
import type { Site } from './sites.ts';

const config = join(import.meta.dirname, '..', '..', 'config');
const LIFE = '6h'; // longer than any run

/**
 * Installs the roles of config/rbac, and returns the path of a kubeconfig of the first account, which may do what the roles of all of
 * these let it do (one process may be two components), and nothing else.
 */
export async function underRoles(site: Site, dir: string, accounts: readonly string[]): Promise<string> {
  const [account = ''] = accounts;
  await kubectl(site, ['apply', '-k', join(config, 'namespace')]);
  for (const each of accounts) await kubectl(site, ['apply', '-k', join(config, 'rbac', each.replace('bigfleet-', ''))]);
  const subject = `--serviceaccount=${SYSTEM_NAMESPACE}:${account}`;
  for (const each of accounts.slice(1)) {
    await kubectl(site, ['create', 'clusterrolebinding', `${account}-${each}`, `--clusterrole=${each}`, subject]);
    await kubectl(site, ['create', 'rolebinding', `${account}-${each}`, '-n', SYSTEM_NAMESPACE, `--role=${each}`, subject]);
  }
  const token = (await kubectl(site, ['create', 'token', account, '-n', SYSTEM_NAMESPACE, `--duration=${LIFE}`])).trim();
  const { clusters } = JSON.parse(await kubectl(site, ['config', 'view', '--raw', '-o', 'json'])) as { clusters: { cluster: { server: string; 'certificate-authority-data': string } }[] };
  const { server, 'certificate-authority-data': ca } = clusters[0]!.cluster;
  const path = join(dir, `${site.id}-${account}.kubeconfig`);
  writeKubeconfig(path, { name: account, url: server, ca: Buffer.from(ca, 'base64').toString(), token });
  return path;
}

/** What RBAC refused, by a log, in its words: once for each time. */
export function refusalsIn(logPath: string): string[] {
  return existsSync(logPath) ? [...readFileSync(logPath, 'utf8').matchAll(/^.*?(cannot \w+ resource.*?(?:at the cluster scope|in the namespace)).*$/gm)].map(([, words]) => words!.replaceAll('\\"', '"')) : [];
}
