/** The machines that a provider lists in the shape `list`, and what must be known of them once they are taken in. */
import { CapacityType, Machine, MachineState } from '../../src/api/gen/bigfleet/v1alpha1/provider.ts';
import { textHash } from '../../src/lib/text-hash.ts';
import type { ProviderMachine } from '../../src/provider/provider-machine.ts';

const TYPES = 5;
const ZONES = 3;
/** One in so many has changed in the other List. */
export const CHANGED_EVERY = 100;

interface Facts {
  readonly id: string;
  readonly host: string;
  readonly instanceType: string;
  readonly zone: string;
  readonly microUsdPerHour: number;
}

/** Idle machines of five types in three zones. In the changed List one in a hundred has another price. */
function factsOf(nth: number, isChanged: boolean): Facts {
  const type = nth % TYPES;
  const id = `m-${String(nth).padStart(7, '0')}`;
  const raise = isChanged && nth % CHANGED_EVERY === 0 ? 1_000 : 0;
  return { id, host: `sim-host-${id}`, instanceType: `type-${type}`, zone: `zone-${nth % ZONES}`, microUsdPerHour: 100_000 + type + raise };
}

export function wireMachine(nth: number, isChanged: boolean): Machine {
  const { id, host, instanceType, zone, microUsdPerHour } = factsOf(nth, isChanged);
  return Machine.fromPartial({
    id, instanceType, zone, state: MachineState.MACHINE_STATE_IDLE, host: { provider: 'sim', ref: host }, capacityType: CapacityType.CAPACITY_TYPE_BARE_METAL,
    pricePerHour: microUsdPerHour / 1e6, resources: { resources: new Map([['cpu', '8'], ['memory', '32Gi']]) }, labels: new Map([['topology.kubernetes.io/zone', zone]]),
  });
}

/** A sum over what is to be known of so many machines; another machine or another fact gives another one. */
export function expectedSum(machines: number, isChanged: boolean): number {
  let sum = 0;
  for (let nth = 0; nth < machines; nth++) {
    const { id, host, instanceType, zone, microUsdPerHour } = factsOf(nth, isChanged);
    sum = add(sum, [id, 'Idle', 'sim', host, instanceType, zone, 'BareMetal', microUsdPerHour, 0, '', '', JSON.stringify({ 'topology.kubernetes.io/zone': zone }), JSON.stringify([['cpu', 8_000], ['memory', 32 * 2 ** 30]]), 0]);
  }
  return sum;
}

/** The same over what is known. */
export function sumOf(machines: Iterable<ProviderMachine>): number {
  let sum = 0;
  for (const m of machines) {
    sum = add(sum, [m.id, m.state, m.host?.provider, m.host?.ref, m.instanceType, m.zone, m.capacityType, m.priceMicroUsdPerHour, m.interruptionProbability, m.lastError, m.cluster, JSON.stringify(m.labels), JSON.stringify(m.allocatable), m.shardMetadata.size]);
  }
  return sum;
}

function add(sum: number, facts: readonly unknown[]): number {
  return (sum + (textHash(facts.join('\n')) >>> 0)) % 2 ** 52;
}
