export { startEmbeddedControlPlane } from './control-plane.ts';
export { StatusError } from './status-error.ts';
export * as builtin from './builtin-types.ts';
export type { EmbeddedControlPlane, EmbeddedControlPlaneOptions, EmbeddedStore, Tuning } from './api.ts';
export type { FaultMatch, FaultRule, Faults, StatusFault } from './faults.ts';
