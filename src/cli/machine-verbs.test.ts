import { describe, expect, it } from 'vitest';
import { Inventory } from '../shard/inventory.ts';
import { isReleaseRequest } from '../shard/release-requests.ts';
import { desiredMachine } from '../shard/machine-object.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { FakeKube } from '../shard/testing/fake-kube.ts';
import { seen } from '../shard/testing/machines.ts';
import { say } from './machine-verbs.ts';

/** A hub with one machine whose id is no name of an object. */
async function hub() {
  const kube = new FakeKube();
  const inventory = new Inventory(new VirtualClock());
  inventory.observe(seen('provider:///Zone/1', 'Idle'), inventory.mark());
  const object = desiredMachine(inventory.get('provider:///Zone/1')!, { namespace: 'fleet', shard: 's' });
  await kube.create({} as never, object);
  return { kube, name: object.metadata.name, now: () => kube.objects.get(object.metadata.name) };
}

describe('what a person says of a machine', () => {
  it('is a hold until it is ended, by id or by the name of the object', async () => {
    const { kube, name, now } = await hub();
    expect(await say('hold', 'provider:///Zone/1', 'fleet', kube)).toContain('on hold');
    expect(now()?.spec.hold).toBe(true);
    expect(await say('unhold', name, 'fleet', kube)).toContain('no longer');
    expect(now()?.spec.hold).toBe(false);
  });

  it('is a release that the shard understands', async () => {
    const { kube, name, now } = await hub();
    await say('release', name, 'fleet', kube);
    expect(isReleaseRequest(now())).toBe(true);
  });

  it.each(['hold', 'unhold', 'release'] as const)('is not %s of a machine without an object, and why that may be', async (verb) => {
    const { kube } = await hub();
    await expect(say(verb, 'ghost', 'fleet', kube)).rejects.toThrow(/no Machine ghost in namespace fleet[^]*spec\.machineId/);
  });
});
