import type { Promised } from '../promise.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { badInputIsNamed } from './bad-input.ts';
import { chartsRender } from './charts.ts';
import { deploymentGetsMachines } from './deployment.ts';
import { doNotDisruptIsHeeded } from './do-not-disrupt.ts';
import { everythingSaysTheSame } from './explain.ts';
import { fragmentationIsResolved } from './fragmentation.ts';
import { gangOnOneRack } from './gang.ts';
import { killAnything } from './kill-anything.ts';
import { helmInstalls, kustomizeInstalls } from './install.ts';
import { kills } from './kills.ts';
import { kubectlAnswers } from './kubectl.ts';
import { budgetIsRespected } from './pdb.ts';
import { podsSpreadOverZones } from './spread.ts';
import { interruptionIsReplaced } from './spot.ts';
import { surgePreempts } from './surge.ts';
import { takeover } from './takeover.ts';

/** Each brings along what it needs. Cheapest first: what fails should fail early. */
export const promises: readonly Promised[] = [badInputIsNamed, chartsRender, everythingSaysTheSame, ...kills, killAnything, takeover, kubectlAnswers, kustomizeInstalls, helmInstalls];

/** These share a running fleet; the longest first, since several run at a time. */
export const rigPromises: readonly RigPromise[] = [interruptionIsReplaced, budgetIsRespected, doNotDisruptIsHeeded, surgePreempts, fragmentationIsResolved, deploymentGetsMachines, gangOnOneRack, podsSpreadOverZones];
