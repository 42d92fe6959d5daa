import type { Promised } from '../promise.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { badInputIsNamed } from './bad-input.ts';
import { chartsRender } from './charts.ts';
import { definitionsAreUpgradedInPlace } from './crd-upgrade.ts';
import { deploymentGetsMachines } from './deployment.ts';
import { doNotDisruptIsHeeded } from './do-not-disrupt.ts';
import { everythingSaysTheSame } from './explain.ts';
import { fragmentationIsResolved } from './fragmentation.ts';
import { nothingIsBoughtAgain } from './foreign-nodes.ts';
import { gangOnOneRack } from './gang.ts';
import { shardGoesOnWithoutTheHub } from './hub-down.ts';
import { imageRuns } from './image.ts';
import { killAnything } from './kill-anything.ts';
import { helmInstalls, kustomizeInstalls } from './install.ts';
import { kills } from './kills.ts';
import { kubectlAnswers } from './kubectl.ts';
import { operatorComesBack } from './operator-restart.ts';
import { budgetIsRespected } from './pdb.ts';
import { quickstartWorks } from './quickstart.ts';
import { standbyTakesOver } from './shard-failover.ts';
import { soak } from './soak.ts';
import { podsSpreadOverZones } from './spread.ts';
import { interruptionIsReplaced } from './spot.ts';
import { clustersRunWithoutUs } from './static-stability.ts';
import { surgePreempts } from './surge.ts';
import { takeover } from './takeover.ts';
import { clustersOutliveUs } from './uninstall.ts';
import { releasesMayDiffer } from './version-skew.ts';

/** Each brings along what it needs. Cheapest first: what fails should fail early. */
export const promises: readonly Promised[] = [badInputIsNamed, chartsRender, imageRuns, everythingSaysTheSame, ...kills, killAnything, takeover, kubectlAnswers, quickstartWorks, kustomizeInstalls, helmInstalls];

/** These share a running fleet; the longest first, since several run at a time. */
export const rigPromises: readonly RigPromise[] = [
  interruptionIsReplaced, budgetIsRespected, doNotDisruptIsHeeded, surgePreempts, fragmentationIsResolved, deploymentGetsMachines, gangOnOneRack, podsSpreadOverZones,
  nothingIsBoughtAgain, operatorComesBack, standbyTakesOver, clustersRunWithoutUs, shardGoesOnWithoutTheHub, soak,
  definitionsAreUpgradedInPlace, releasesMayDiffer, clustersOutliveUs,
];
