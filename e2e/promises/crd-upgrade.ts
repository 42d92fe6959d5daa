import { readFileSync, writeFileSync } from 'node:fs';
import { basename, join } from 'node:path';
import { parse, stringify } from 'yaml';
import { SYSTEM_NAMESPACE } from '../../src/api/constants.ts';
import { CapacityProviderResource, CapacityRequestResource, MachineResource, ShardResource, UpcomingNodeResource } from '../../src/api/resources.ts';
import type { KubeObject } from '../../src/runtime/index.ts';
import { applyManifests, kubectl } from '../control-plane/kubectl.ts';
import { controlCrds, publicCrds } from '../fleet.ts';
import { expect } from '../promise.ts';
import type { Ground } from '../rig/ground.ts';
import { machinesOf } from '../rig/machines.ts';
import type { RigPromise } from '../rig/rig-promise.ts';
import { SHARD } from '../rig/rig.ts';
import { collect } from '../rig/workload.ts';

const pool = 'crd-upgrade';
/** A field that programs of today do not know. */
const COMING = 'comingWithTheNextRelease';

interface Definition {
  spec: { versions: { additionalPrinterColumns?: object[]; schema: { openAPIV3Schema: { properties: Record<'spec' | 'status', { properties?: Record<string, object> } | undefined> } } }[] };
}

/** As an earlier release might have had it: without columns, and without what came later. */
function older({ spec }: Definition): void {
  for (const version of spec.versions) {
    delete version.additionalPrinterColumns;
    const { properties } = version.schema.openAPIV3Schema;
    delete properties.spec?.properties?.['limits'];
    delete properties.status?.properties?.['dollarsPerHour'];
  }
}

/** As a later release might have it: a field more. */
function newer({ spec }: Definition): void {
  for (const { schema, additionalPrinterColumns } of spec.versions) {
    const { properties } = schema.openAPIV3Schema;
    properties.spec!.properties = { ...properties.spec!.properties, [COMING]: { type: 'string' } };
    additionalPrinterColumns?.push({ name: 'Coming', type: 'string', jsonPath: `.spec.${COMING}` });
  }
}

async function apply({ rig, east, west }: Ground, name: string, change: (definition: Definition) => void): Promise<void> {
  const changed = (files: readonly string[]): string[] => files.map((file) => {
    const definition = parse(readFileSync(file, 'utf8')) as Definition;
    change(definition);
    const path = join(rig.dir, `${name}-${basename(file)}`);
    writeFileSync(path, stringify(definition, { aliasDuplicateObjects: false }));
    return path;
  });
  await Promise.all([applyManifests(rig.sites.hub, changed(controlCrds)), applyManifests(east, changed(publicCrds)), applyManifests(west, changed(publicCrds))]);
}

/** What has to live on, by kind and uid. */
async function objects({ rig, east }: Ground): Promise<Map<string, KubeObject & { spec?: object }>> {
  const { client } = rig.sites.hub;
  const all = await Promise.all([
    ...[ShardResource, CapacityProviderResource, MachineResource].map((type) => collect<KubeObject>(client.list(type))),
    ...[UpcomingNodeResource, CapacityRequestResource].map((type) => collect<KubeObject>(east.client.list(type))),
  ]);
  return new Map(all.flat().filter(({ metadata }) => metadata.namespace !== SYSTEM_NAMESPACE || metadata.name.startsWith(pool) || metadata.name === SHARD || metadata.name === 'sim')
    .map((object) => [`${object.kind ?? ''} ${metadata(object)}`, object]));
}

function metadata({ metadata: { name, uid } }: KubeObject): string {
  return `${name} ${uid ?? ''}`;
}

export const definitionsAreUpgradedInPlace: RigPromise = {
  id: pool,
  promise: 'definitions replaced under a running fleet, by older and by newer ones: every object lives on, a field that programs do not know survives them, and Pods get machines throughout',
  on: ['processes', 'embedded'],
  alone: true,
  machines: machinesOf(pool, 5),
  async run(ground) {
    const { east, rig, log } = ground;
    const hub = rig.sites.hub.client;
    const shard = { namespace: SYSTEM_NAMESPACE, name: SHARD };
    const columns = () => kubectl(rig.sites.hub, ['get', 'shards', '-n', SYSTEM_NAMESPACE, SHARD]);
    const steady = await ground.submit(east, 'steady', 2, { cpu: '8' });
    const before = await ground.running(steady, 2);
    const known = await objects(ground);
    expect(known.size >= 8, `only ${known.size} objects are there to live on: ${[...known.keys()].join()}`);
    const same = async (when: string): Promise<void> => {
      const now = await objects(ground);
      const lost = [...known.keys()].filter((key) => !now.has(key));
      expect(lost.length === 0, `${when} these are lost: ${lost.join('; ')}`);
      await ground.expectUnmoved(steady, before);
    };
    const served = async (name: string): Promise<void> => void (await ground.running(await ground.submit(east, name, 1, { cpu: '8' }), 1));
    try {
      await apply(ground, 'older', older);
      expect(!(await columns()).includes('MODE'), 'the older definition was to have no columns');
      await same('under older definitions');
      await served('under-older');
      log('older definitions: all objects live, a Pod got a machine');

      await apply(ground, 'newer', newer);
      expect((await columns()).includes('COMING'), 'the newer definition was to have its column');
      await hub.patch(ShardResource, shard, { spec: { [COMING]: 'kept' } });
      await same('under newer definitions');
      await served('under-newer');
      const stored = await hub.get<KubeObject & { spec: Record<string, unknown> }>(ShardResource, shard);
      expect(stored?.spec[COMING] === 'kept', `the unknown field did not survive: ${JSON.stringify(stored?.spec)}`);
      log('newer definitions: all objects live, a Pod got a machine, a field that nobody knows was kept');
    } finally {
      await apply(ground, 'present', () => undefined);
    }
    await same('under the present definitions again');
    expect((await columns()).includes('MODE') && !(await columns()).includes('COMING'), 'the present definition was to be back');
    return `6 definitions replaced three times; ${known.size} objects and ${before.length} Pods lived on, 2 more Pods were served`;
  },
};
