import type { Promised } from '../promise.ts';
import { badInputIsNamed } from './bad-input.ts';
import { deploymentGetsMachines } from './deployment.ts';
import { kills } from './kills.ts';
import { kubectlAnswers } from './kubectl.ts';

/** Every promise, cheapest first: what fails should fail early. */
export const promises: readonly Promised[] = [badInputIsNamed, ...kills, kubectlAnswers, deploymentGetsMachines];
