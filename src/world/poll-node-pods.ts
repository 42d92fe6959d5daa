import type { Pod } from '../api/core.ts';
import { PodResource } from '../api/resources.ts';
import { sleep } from '../lib/clock.ts';
import type { Clock } from '../lib/clock.ts';
import type { KubeClient } from '../runtime/types.ts';
import type { NodePods } from './node-agent.ts';
import { isDaemonSetPod, isFinished } from './objects.ts';

const POLL_MS = 250;

/** Watches a Node empty itself by asking again and again: for a few Nodes of a test, where nothing watches Pods anyway. */
export function pollNodePods(client: KubeClient, clock: Clock): NodePods {
  return {
    async whenEmpty(node, signal) {
      while (await isOccupied(client, node, signal)) await sleep(clock, POLL_MS, signal);
    },
  };
}

async function isOccupied(client: KubeClient, node: string, signal: AbortSignal): Promise<boolean> {
  for await (const pod of client.list<Pod>(PodResource, { fieldSelector: `spec.nodeName=${node}`, signal })) {
    if (!isDaemonSetPod(pod) && !isFinished(pod)) return true;
  }
  return false;
}
