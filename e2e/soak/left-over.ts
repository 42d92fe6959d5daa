import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { ALLOWANCES_CONFIG_MAP, MACHINE_ID_LABEL, SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import {
  AvailableCapacityResource, CapacityRequestResource, ConfigMapResource, LeaseResource, MachineResource, NodeResource, PodResource, SecretResource, UpcomingNodeResource,
} from '../../src/api/resources.ts';
import { upcomingNodeName } from '../../src/api/names.ts';
import type { Node, UpcomingNode } from '../../src/api/types.ts';
import type { KubeObject, ResourceType } from '../../src/runtime/index.ts';
import type { Ground } from '../rig/ground.ts';
import type { Rig } from '../rig/rig.ts';
import { collect } from '../rig/workload.ts';

const inClusters: readonly ResourceType[] = [NodeResource, PodResource, CapacityRequestResource, UpcomingNodeResource, LeaseResource, ConfigMapResource, SecretResource];
const inHub: readonly ResourceType[] = [MachineResource, LeaseResource, ConfigMapResource, SecretResource];
/** Offers outlive the demand that they were made for by ten minutes; each profile of the churn has one. */
export const OFFERS = 8;

/** Kubelets keep their Leases there. The one that is played here (kwok) leaves some behind. */
const LEASES_OF_KUBELETS = 'kube-node-lease';
/** Made when it is first needed, and kept for ever; what is in it is looked at by itself. */
const KEPT: ReadonlySet<string> = new Set([ALLOWANCES_CONFIG_MAP]);

/** Every object of a kind that BigFleet writes or causes, by kind, site and name. */
export async function objectsOf(rig: Rig): Promise<Set<string>> {
  const found = new Set<string>();
  for (const site of [rig.sites.hub, ...rig.sites.clusters]) {
    for (const type of site === rig.sites.hub ? inHub : inClusters) {
      for (const { metadata: { namespace, name } } of await collect(site.client.list<KubeObject>(type))) {
        if (namespace !== LEASES_OF_KUBELETS && !KEPT.has(name)) found.add(`${type.kind} ${namespace === undefined ? '' : `${namespace}/`}${name} in ${site.id}`);
      }
    }
  }
  return found;
}

/** What is kept of the demand of a pool that there is no more: allowances, and more offers than it had profiles. */
export async function memoriesOf(ground: Ground): Promise<string[]> {
  const found: string[] = [];
  for (const { id, client } of [ground.east, ground.west]) {
    const kept = await client.get<KubeObject & { data?: Readonly<Record<string, string>> }>(ConfigMapResource, { namespace: SYSTEM_NAMESPACE, name: ALLOWANCES_CONFIG_MAP });
    for (const [key, text] of Object.entries(kept?.data ?? {})) if (text.includes(ground.pool)) found.push(`allowance ${key} in ${id}`);
    const offers = (await collect(client.list<KubeObject>(AvailableCapacityResource))).filter((offer) => JSON.stringify(offer).includes(`"${ground.pool}"`));
    if (offers.length > OFFERS) found.push(`${offers.length} AvailableCapacities in ${id}`);
  }
  return found;
}

/** Machines that a cluster is given and has no Node of, Nodes and UpcomingNodes of machines that it does not have: each is a passing thing, or a leak. */
export async function strays(ground: Ground): Promise<string[]> {
  const states = ground.states();
  const found: string[] = [];
  for (const site of [ground.east, ground.west]) {
    const own = (id: string): boolean => states.get(id)?.clusterId === site.id;
    const nodes = new Set((await ground.nodes(site)).map(machineOf));
    const upcoming = new Set((await collect(site.client.list<UpcomingNode>(UpcomingNodeResource))).map(({ metadata }) => metadata.name));
    for (const [id, { to }] of states) {
      if (own(id) && to === 'Configured' && !nodes.has(id)) found.push(`${id} is bound to ${site.id} and has no Node there`);
      if (!own(id) && nodes.has(id)) found.push(`${id} is ${to} and has a Node in ${site.id}`);
      if (!own(id) && to === 'Speculative' && upcoming.has(upcomingNodeName(id))) found.push(`${id} is ${to} and has an UpcomingNode in ${site.id}`);
    }
  }
  return found;
}

function machineOf({ metadata }: Node): string {
  return metadata.labels?.[MACHINE_ID_LABEL] ?? '';
}

/** Objects of a set that were not in another. */
export function added(before: ReadonlySet<string>, now: ReadonlySet<string>): string[] {
  return [...now].filter((name) => !before.has(name)).sort();
}

/** Files that nobody reads again: whatever lies in the processes' folder for temporary things, and half-written files in their own folders. */
export function forgottenFiles(rig: Rig, parts: readonly { readonly name: string }[]): string[] {
  const temporary = filesIn(rig.temporary);
  const half = parts.flatMap(({ name }) => filesIn(join(rig.dir, name)).filter((file) => /\.(tmp|partial|new)\b|~$/.test(file)));
  return [...temporary, ...half];
}

function filesIn(dir: string): string[] {
  if (!existsSync(dir)) return [];
  return readdirSync(dir, { recursive: true, encoding: 'utf8' }).map((name) => join(dir, name));
}

