import type { Promised } from '../promise.ts';
import { badInputIsNamed } from './bad-input.ts';
import { chartsRender } from './charts.ts';
import { deploymentGetsMachines } from './deployment.ts';
import { everythingSaysTheSame } from './explain.ts';
import { killAnything } from './kill-anything.ts';
import { helmInstalls, kustomizeInstalls } from './install.ts';
import { kills } from './kills.ts';
import { kubectlAnswers } from './kubectl.ts';
import { takeover } from './takeover.ts';

/** Every promise, cheapest first: what fails should fail early. */
export const promises: readonly Promised[] = [badInputIsNamed, chartsRender, everythingSaysTheSame, ...kills, killAnything, takeover, kubectlAnswers, deploymentGetsMachines, kustomizeInstalls, helmInstalls];
