/** All object types in one import: our kinds, generated from the CRDs, and the parts of Kubernetes' own that we use. */
export type * from './core.ts';
export type * from './types.gen.ts';
