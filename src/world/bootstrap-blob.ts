import { createHash } from 'node:crypto';

/**
 * The token that lets a machine join a simulated cluster. Derived from the cluster's id so that the supervisor, which
 * writes the operators' template, and the node agent, which checks it, need not exchange it. No secret of anything real.
 */
export function joinToken(clusterId: string): string {
  return createHash('sha256').update(`bigfleet simulated join token\n${clusterId}`).digest('hex').slice(0, 32);
}

/** The template that the cluster's operator renders into the bootstrap blob of a machine. */
export function bootstrapTemplate(clusterId: string): string {
  return `#cloud-config\n# What a simulated machine needs to join.\ncluster: {{ .ClusterID }}\njoin-token: ${joinToken(clusterId)}\n`;
}

/** What is wrong with the blob for this cluster; undefined if a machine can join with it. */
export function blobProblem(clusterId: string, blob: string): string | undefined {
  const lines = new Set(blob.split('\n').map((line) => line.trim()));
  if (!lines.has(`cluster: ${clusterId}`)) return `the bootstrap blob has no line "cluster: ${clusterId}"`;
  if (!lines.has(`join-token: ${joinToken(clusterId)}`)) return `the bootstrap blob has no join token of ${clusterId}`;
  return undefined;
}
