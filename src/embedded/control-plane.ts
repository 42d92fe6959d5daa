import type { EmbeddedControlPlane, EmbeddedControlPlaneOptions } from './api.ts';

/** Starts an API server on loopback. Not yet working: the signature is settled. */
export function startEmbeddedControlPlane(options: EmbeddedControlPlaneOptions): Promise<EmbeddedControlPlane> {
  return Promise.reject(new Error(`embedded control plane ${options.name}: not built yet`));
}
