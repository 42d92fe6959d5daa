import { PodResource } from '../../src/api/resources.ts';
import type { Pod } from '../../src/api/types.ts';
import { isAlreadyExists } from '../../src/runtime/index.ts';
import type { KubeObject, ResourceType } from '../../src/runtime/index.ts';
import { eventually, expect } from '../promise.ts';
import { POOL_LABEL } from './machines.ts';
import type { Site } from './sites.ts';

const DeploymentResource: ResourceType = { group: 'apps', version: 'v1', plural: 'deployments', kind: 'Deployment', namespaced: true };
const LOOK_MS = 300;

/** What a promise's Pods look like; the rest is the same of all. */
export interface PodShape {
  readonly cpu: string;
  readonly memory?: string;
  readonly annotations?: Readonly<Record<string, string>>;
  /** Added to the spec. */
  readonly spec?: Partial<Pod['spec']>;
}

export interface WorkloadSpec extends PodShape {
  readonly name: string;
  readonly namespace: string;
  readonly pool: string;
  readonly replicas: number;
}

/** So many Pods of one kind, replaced when they are lost: a Deployment, or where no controllers are, the like of it. */
export interface Workload {
  readonly name: string;
  readonly site: Site;
  pods(): Promise<Pod[]>;
  /** Wants so many more from now on. */
  grow(by: number): Promise<void>;
  /** Ends just these, and wants so many fewer from now on. */
  dismiss(pods: readonly Pod[]): Promise<void>;
  /** Wants none, and resolves when there is none; again does nothing. */
  end(): Promise<void>;
}

export function isLive(pod: Pod): boolean {
  return pod.metadata.deletionTimestamp === undefined && pod.status?.phase !== 'Failed' && pod.status?.phase !== 'Succeeded';
}

export async function collect<T extends KubeObject>(items: AsyncIterable<T>): Promise<T[]> {
  const all: T[] = [];
  for await (const item of items) all.push(item);
  return all;
}

function template({ name, pool, cpu, memory = '1Gi', annotations, spec }: WorkloadSpec): { metadata: object; spec: Pod['spec'] } {
  return {
    metadata: { labels: { app: name }, ...(annotations && { annotations }) },
    spec: {
      nodeSelector: { [POOL_LABEL]: pool }, terminationGracePeriodSeconds: 1,
      containers: [{ name: 'work', image: 'example/work', resources: { requests: { cpu, memory } } }], ...spec,
    },
  };
}

async function podsOf(site: Site, { name, namespace }: WorkloadSpec): Promise<Pod[]> {
  return collect(site.client.list<Pod>(PodResource, { namespace, labelSelector: `app=${name}` }));
}

async function gone(site: Site, spec: WorkloadSpec, uids?: ReadonlySet<string>): Promise<void> {
  await eventually(`Pods of ${spec.name} have ended`, 60, async () => {
    const left = (await podsOf(site, spec)).filter((pod) => uids === undefined || uids.has(pod.metadata.uid ?? ''));
    expect(left.length === 0, `${left.map((pod) => pod.metadata.name).join()} are still there`);
  });
}

/** A Deployment, on an API server whose controllers replace what is lost. */
export class Deployed implements Workload {
  readonly site: Site;
  private readonly spec: WorkloadSpec;
  private replicas: number;
  private ended = false;

  private constructor(site: Site, spec: WorkloadSpec) {
    this.site = site;
    this.spec = spec;
    this.replicas = spec.replicas;
  }

  static async create(site: Site, spec: WorkloadSpec): Promise<Deployed> {
    const { name, namespace, replicas } = spec;
    const selector = { matchLabels: { app: name } };
    const object = { apiVersion: 'apps/v1', kind: 'Deployment', metadata: { name, namespace }, spec: { replicas, selector, template: template(spec) } };
    await site.client.create(DeploymentResource, object);
    return new Deployed(site, spec);
  }

  get name(): string {
    return this.spec.name;
  }

  pods(): Promise<Pod[]> {
    return podsOf(this.site, this.spec);
  }

  async grow(by: number): Promise<void> {
    this.replicas += by;
    await this.scale();
  }

  async dismiss(pods: readonly Pod[]): Promise<void> {
    const { namespace } = this.spec;
    // The controller ends the cheapest first.
    const annotations = { 'controller.kubernetes.io/pod-deletion-cost': '-1000' };
    await Promise.all(pods.map(({ metadata: { name } }) => this.site.client.patch(PodResource, { namespace, name }, { metadata: { annotations } })));
    this.replicas -= pods.length;
    await this.scale();
    await gone(this.site, this.spec, new Set(pods.map((pod) => pod.metadata.uid ?? '')));
  }

  async end(): Promise<void> {
    if (this.ended) return;
    this.ended = true;
    this.replicas = 0;
    await this.scale();
    await gone(this.site, this.spec);
    await this.site.client.delete(DeploymentResource, { namespace: this.spec.namespace, name: this.name });
  }

  private async scale(): Promise<void> {
    await this.site.client.patch(DeploymentResource, { namespace: this.spec.namespace, name: this.name }, { spec: { replicas: this.replicas } });
  }
}

/** The same on the embedded control plane, which has no controllers: this process replaces what is lost. */
export class Kept implements Workload {
  readonly site: Site;
  private readonly spec: WorkloadSpec;
  private replicas: number;
  private made = 0;
  private timer: NodeJS.Timeout | undefined;
  /** One step at a time. */
  private steps = Promise.resolve();

  constructor(site: Site, spec: WorkloadSpec) {
    this.site = site;
    this.spec = spec;
    this.replicas = spec.replicas;
    this.timer = setInterval(() => void this.next(() => this.replace()).catch(() => undefined), LOOK_MS);
    this.timer.unref();
  }

  get name(): string {
    return this.spec.name;
  }

  pods(): Promise<Pod[]> {
    return podsOf(this.site, this.spec);
  }

  grow(by: number): Promise<void> {
    this.replicas += by;
    return Promise.resolve();
  }

  async dismiss(pods: readonly Pod[]): Promise<void> {
    await this.next(async () => {
      this.replicas -= pods.length;
      for (const pod of pods) await this.delete(pod);
    });
    await gone(this.site, this.spec, new Set(pods.map((pod) => pod.metadata.uid ?? '')));
  }

  async end(): Promise<void> {
    clearInterval(this.timer);
    await this.next(async () => {
      this.replicas = 0;
      for (const pod of await this.pods()) await this.delete(pod);
    });
    await gone(this.site, this.spec);
  }

  private next(step: () => Promise<void>): Promise<void> {
    const done = this.steps.then(step);
    this.steps = done.catch(() => undefined);
    return done;
  }

  private async replace(): Promise<void> {
    const live = (await this.pods()).filter(isLive).length;
    for (let i = live; i < this.replicas; i++) await this.create();
  }

  private async create(): Promise<void> {
    const { name, namespace } = this.spec;
    const { metadata, spec } = template(this.spec);
    try {
      await this.site.client.create<Pod>(PodResource, { apiVersion: 'v1', kind: 'Pod', metadata: { ...metadata, namespace, name: `${name}-${this.made++}` }, spec });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  }

  private async delete({ metadata: { name } }: Pod): Promise<void> {
    await this.site.client.delete(PodResource, { namespace: this.spec.namespace, name });
  }
}
