import type { Machine } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import { parseQuantity } from '../../api/quantity.ts';
import type { MachineState } from '../kit/machine.ts';
import { capacityTypeOfWire } from '../kit/wire.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import { check, Violation } from './expectation.ts';
import { stateOf, type Trial } from './trial.ts';
import { machineText, quoted } from './wire-text.ts';

/** Facts that have a field of their own: as a label they would sooner or later contradict it. */
const SHADOWS = [
  'instance-type', 'instance_type', 'instanceType', 'zone', 'availability-zone', 'availability_zone', 'capacity-type', 'capacity_type', 'capacityType',
];
const HOSTED: readonly MachineState[] = ['Idle', 'Configuring', 'Configured', 'Draining'];
const BOUND: readonly MachineState[] = ['Configuring', 'Configured', 'Draining'];

/** B8xx: what every record must look like (spec: provider 1.4). They sweep the whole inventory, with a bound machine in it. */
export const fieldShape: readonly Behaviour[] = inArea('fieldshape', 'core', [
  {
    id: 'B801',
    promise: 'every machine has a state and an instance type, and no label repeats what has a field of its own',
    run: (t) => sweep(t, (machine) => {
      must(machine.id !== '', machine, 'an id');
      stateOf(machine);
      noShadow(machine);
    }),
  },
  {
    id: 'B802',
    alsoIn: ['spot'],
    promise: 'prices are finite and not negative, interruption probabilities lie in [0, 1], above 0 for spot capacity',
    async run(t) {
      let spots = 0;
      await sweep(t, (machine) => {
        saneCost(machine);
        if (capacityTypeOfWire(machine.capacityType) !== 'Spot') return;
        spots += 1;
        must(machine.interruptionProbability > 0, machine, `an interruption_probability above 0 for SPOT, not ${machine.interruptionProbability}`);
      });
      if (spots === 0 && t.claims.has('spot')) t.notTestable('the profile spot is claimed, and no machine is SPOT');
    },
  },
  {
    id: 'B803',
    promise: 'host and cluster are there exactly in the states that have them',
    run: (t) => sweep(t, (machine) => {
      const state = stateOf(machine);
      if (state === 'Speculative') must(machine.host === undefined, machine, 'no host while SPECULATIVE');
      if (HOSTED.includes(state)) must(machine.host !== undefined, machine, 'a host');
      if (BOUND.includes(state)) must(machine.cluster !== '', machine, 'a cluster');
      else if (state !== 'Failed') must(machine.cluster === '', machine, 'no cluster');
    }),
  },
  {
    id: 'B804',
    promise: 'resources are quantities above zero, and allocatable is never more than resources',
    async run(t) {
      let compared = 0;
      await sweep(t, (machine) => {
        const resources = amounts(machine, 'resources', machine.resources?.resources);
        const allocatable = amounts(machine, 'allocatable', machine.allocatable?.resources);
        must(resources.size > 0 || allocatable.size > 0, machine, 'resources');
        for (const [name, nanos] of resources) must(nanos > 0n, machine, `resources ${quoted(name)} above zero`);
        if (resources.size === 0 || allocatable.size === 0) return;
        compared += 1;
        for (const [name, nanos] of allocatable) {
          must(nanos <= (resources.get(name) ?? nanos), machine, `allocatable ${quoted(name)} at most what resources has`);
        }
      });
      if (compared === 0) t.notTestable('no machine has both resources and allocatable, so that nothing can be compared; fill both');
    },
  },
  {
    id: 'B805',
    promise: 'host.provider is set and a machine keeps its host as long as it has one',
    async run(t) {
      const id = await t.idle();
      const first = (await t.look(id)).host;
      if (!first || first.provider === '') throw new Violation('a host with a provider', machineText(await t.look(id)));
      await t.toConfigured(id);
      const bound = await t.look(id);
      await t.toDrained(id);
      for (const machine of [bound, await t.look(id), await t.look(id)]) {
        const isSame = machine.host?.provider === first.provider && machine.host.ref === first.ref;
        check(isSame, `the host ${first.provider}:${first.ref} as before`, machineText(machine));
      }
    },
  },
  {
    id: 'B806',
    promise: 'a machine with a host has a zone and a capacity type',
    run: (t) => sweep(t, (machine) => {
      if (!machine.host) return;
      must(machine.zone !== '', machine, 'a zone, since it has a host');
      const type = capacityTypeOfWire(machine.capacityType);
      must(type !== undefined && type !== 'Unspecified', machine, 'a capacity_type, since it has a host');
    }),
  },
  {
    id: 'B807',
    alsoIn: ['cloud'],
    needs: ['delete'],
    promise: 'Delete leaves no host, no cluster and no shard_metadata',
    async run(t) {
      const id = await t.configured({ metadata: new Map([['k', 'v']]) });
      await t.toDrained(id);
      check((await t.delete(id)).code === 'OK', 'Delete of an IDLE machine to be OK', 'an error');
      const machine = await t.reach(id, 'Speculative');
      const isClean = machine.host === undefined && machine.cluster === '' && machine.shardMetadata.size === 0;
      check(isClean, `${id} without host, cluster and shard_metadata`, machineText(machine));
    },
  },
]);

/** An instance type of its own, and no label that repeats a field. */
export function noShadow(machine: Machine): void {
  must(machine.instanceType !== '', machine, 'an instance_type');
  const shadow = SHADOWS.find((name) => machine.labels.has(name));
  must(shadow === undefined, machine, `no label ${quoted(shadow ?? '')}: there is a field for it`);
}

export function saneCost(machine: Machine): void {
  const { pricePerHour, interruptionProbability } = machine;
  must(Number.isFinite(pricePerHour) && pricePerHour >= 0, machine, `a price_per_hour of 0 or more, not ${pricePerHour}`);
  must(interruptionProbability >= 0 && interruptionProbability <= 1, machine, `an interruption_probability in [0, 1], not ${interruptionProbability}`);
}

/** Looks at every machine, of which one is bound and one idle. */
async function sweep(t: Trial, look: (machine: Machine) => void): Promise<void> {
  await t.configured({ cluster: 'conf-shape' });
  await t.idle();
  for (const machine of await t.inventory()) look(machine);
}

function must(holds: boolean, machine: Machine, what: string): void {
  check(holds, `${machine.id} to have ${what}`, machineText(machine));
}

function amounts(machine: Machine, field: string, resources: ReadonlyMap<string, string> = new Map()): ReadonlyMap<string, bigint> {
  const parsed = new Map<string, bigint>();
  for (const [name, text] of resources) {
    try {
      parsed.set(name, parseQuantity(text).nanos);
    } catch {
      throw new Violation(`${machine.id}: ${field} ${quoted(name)} to be a quantity such as "4", "500m" or "16Gi"`, quoted(text));
    }
  }
  return parsed;
}
