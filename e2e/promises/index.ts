import type { Promised } from '../promise.ts';
import { deploymentGetsMachines } from './deployment.ts';

/** Every promise, cheapest first: what fails should fail early. */
export const promises: readonly Promised[] = [deploymentGetsMachines];
