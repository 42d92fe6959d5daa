import { createHash, X509Certificate } from 'node:crypto';
import type { ClusterConfig } from '../runtime/index.ts';
import type { ClusterInfo } from './bootstrap-template.ts';

/**
 * What a joining machine is told of the cluster: the address that was given, else the operator's own unless only Pods reach
 * that; and the hash of the CA that the operator itself trusts, as `kubeadm token create --print-join-command` prints it.
 * Absent is what is not known. Throws if the CA is no certificate.
 */
export function clusterInfo({ server, ca, isInCluster }: ClusterConfig, apiServer?: string): Partial<ClusterInfo> {
  const APIServer = apiServer ?? (isInCluster === true ? undefined : addressOf(server));
  return { ...(APIServer !== undefined && { APIServer }), ...(ca !== undefined && { CACertHash: pinOf(ca) }) };
}

function addressOf(server: string): string {
  const { hostname, port, protocol } = new URL(server);
  return `${hostname}:${port || (protocol === 'https:' ? '443' : '80')}`;
}

/** Of the first certificate: kubeadm is content when one of a bundle is pinned. */
function pinOf(ca: string): string {
  const key = new X509Certificate(ca).publicKey.export({ type: 'spki', format: 'der' });
  return `sha256:${createHash('sha256').update(key).digest('hex')}`;
}
