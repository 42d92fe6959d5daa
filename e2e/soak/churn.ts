import { PodResource } from '../../src/api/resources.ts';
import type { Random } from '../../src/lib/random.ts';
import type { Ground } from '../rig/ground.ts';
import type { Site } from '../rig/sites.ts';
import { isLive } from '../rig/workload.ts';
import type { PodShape, Workload } from '../rig/workload.ts';

/** Every so often something about the demand changes. */
const SPACING_MS = [1_500, 4_000] as const;
/** Of changes: a Pod is deleted instead of a Deployment scaled. */
const DELETED = 0.35;

interface Scaled {
  readonly workload: Workload;
  /** What it has before and after the churn. */
  readonly rest: number;
  readonly most: number;
  replicas: number;
}

interface Kind {
  readonly name: string;
  readonly rest: number;
  readonly most: number;
  readonly shape: PodShape;
}

export const URGENT = 'soak-urgent';
const kinds: readonly Kind[] = [
  { name: 'web', rest: 3, most: 8, shape: { cpu: '2' } },
  { name: 'batch', rest: 2, most: 4, shape: { cpu: '3' } },
  { name: 'urgent', rest: 1, most: 2, shape: { cpu: '4', spec: { priorityClassName: URGENT } } },
];

/** Deployments in both clusters that are scaled up and down, and Pods of them that are deleted, without pause. */
export class Churn {
  scaled = 0;
  deleted = 0;
  /** Changes that the API server did not take, being paused. */
  refused = 0;
  private readonly ground: Ground;
  private readonly random: Random;
  private readonly all: readonly Scaled[];
  private stopped = false;
  private going: Promise<void> = Promise.resolve();

  private constructor(ground: Ground, random: Random, all: readonly Scaled[]) {
    this.ground = ground;
    this.random = random;
    this.all = all;
  }

  /** Makes the Deployments and waits until their Pods run. */
  static async start(ground: Ground, random: Random): Promise<Churn> {
    const all: Scaled[] = [];
    for (const site of [ground.east, ground.west]) {
      await ground.priorityClass(site, URGENT, 1_000);
      for (const { name, rest, most, shape } of kinds) all.push({ workload: await ground.submit(site, `${name}-${site.id}`, rest, shape), rest, most, replicas: rest });
    }
    const churn = new Churn(ground, random, all);
    await churn.settled(120);
    return churn;
  }

  go(): void {
    this.going = this.loop();
  }

  /** Resolves when the last change has been made; then everything is wanted that was wanted at the beginning. */
  async rest(): Promise<void> {
    this.stopped = true;
    await this.going;
    for (const each of this.all) await this.scale(each, each.rest);
  }

  /** Waits until the Pods that are wanted run, and no others are there. */
  async settled(seconds: number): Promise<void> {
    await Promise.all(this.all.map(({ workload, replicas }) => this.ground.running(workload, replicas, seconds)));
  }

  pods(): number {
    return this.all.reduce((sum, { replicas }) => sum + replicas, 0);
  }

  private async loop(): Promise<void> {
    while (!this.stopped) {
      const [from, to] = SPACING_MS;
      await new Promise((resolve) => setTimeout(resolve, from + (to - from) * this.random()));
      // Drawn whatever becomes of it: the same seed asks for the same.
      const each = this.all[Math.floor(this.random() * this.all.length)]!;
      const [deletes, which, replicas] = [this.random() < DELETED, this.random(), Math.floor(this.random() * (each.most + 1))];
      try {
        if (deletes) await this.deleteOne(each.workload, which);
        else await this.scale(each, replicas);
      } catch {
        this.refused++;
      }
    }
  }

  private async scale(each: Scaled, replicas: number): Promise<void> {
    const by = replicas - each.replicas;
    each.replicas = replicas; // the workload remembers it, too, whether or not this call gets through
    await each.workload.grow(by);
    this.scaled++;
  }

  private async deleteOne(workload: Workload, which: number): Promise<void> {
    const pods = (await workload.pods()).filter(isLive);
    const pod = pods[Math.floor(which * pods.length)];
    if (!pod) return;
    await deletePod(workload.site, pod.metadata);
    this.deleted++;
  }
}

async function deletePod({ client }: Site, { namespace, name }: { readonly namespace?: string; readonly name: string }): Promise<void> {
  await client.delete(PodResource, { name, ...(namespace !== undefined && { namespace }) });
}
