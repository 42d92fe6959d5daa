import { Metadata } from '@grpc/grpc-js';
import { ListMachinesRequest } from '../src/api/gen/bigfleet/v1alpha1/view.ts';
import type { MachineView } from '../src/api/gen/bigfleet/v1alpha1/view.ts';
import { MachineList, MachineState } from '../src/api/gen/bigfleet/v1alpha1/provider.ts';
import type { Machine } from '../src/api/gen/bigfleet/v1alpha1/provider.ts';
import { ShardResource } from '../src/api/resources.ts';
import type { Shard } from '../src/api/types.ts';
import { stateOfWire } from '../src/provider/kit/wire.ts';
import { NAMESPACE, SHARD } from './world/api-server.ts';
import type { SimulatedApiServer } from './world/api-server.ts';
import type { ProviderHost } from './world/provider-host.ts';
import type { Cluster } from './world/operator.ts';
import type { Serving } from './world/shard-host.ts';
import type { Substrate } from './world/substrate.ts';

const RESTS: readonly MachineState[] = [MachineState.MACHINE_STATE_SPECULATIVE, MachineState.MACHINE_STATE_IDLE, MachineState.MACHINE_STATE_CONFIGURED];

/** What is not yet as it must be once nothing goes wrong any more, in words; nothing = the world has come to rest. */
export async function unrest({ clusters, providers, substrate, serving, server }: { clusters: readonly Cluster[]; providers: readonly ProviderHost[]; substrate: Substrate; serving: readonly Serving[]; server: SimulatedApiServer }): Promise<string[]> {
  const leader = serving.at(-1);
  for (const { name, current } of providers) if (current?.isPaused !== false) return [`provider ${name} does not run`];
  if (!leader || serving.length !== 1 || leader.process.isPaused) return [`${serving.length} processes of the shard serve`];
  const listed = new Map<string, Machine>();
  for (const provider of providers) {
    const machines = await list(provider);
    if (!machines) return [`provider ${provider.name} does not answer`];
    for (const machine of machines) listed.set(machine.id, machine);
  }
  return [
    ...untrusted(server),
    ...unmet(clusters, substrate, leader),
    ...clusters.flatMap(({ name, closed }) => closed.map((id) => `${id} is cordoned in ${name}, and nobody takes it away`)),
    ...[...substrate.hosts].flatMap(([id, host]) => (listed.get(id)?.host?.ref === host.ref ? [] : [`${id}: ${host.ref} is there and the provider does not say so: leaked`])),
    ...[...listed.values()].flatMap((machine) => untrue(machine, substrate)),
    ...(await miscounted(leader, listed)),
  ];
}

/** Every provider is relied on, as the shard itself says. */
function untrusted({ store }: SimulatedApiServer): string[] {
  const shard = store.get<Shard>(ShardResource, { namespace: NAMESPACE, name: SHARD });
  const trusted = shard?.status?.conditions?.find(({ type }) => type === 'SupplyTrusted');
  return trusted?.status === 'True' ? [] : [`the shard says that not every provider can be relied on: ${trusted?.message ?? 'nothing'}`];
}

/** Every demand that supply can meet is met; where it cannot, the higher priority is. */
function unmet(clusters: readonly Cluster[], substrate: Substrate, { needViews }: Serving): string[] {
  let left = substrate.ids.length;
  return [...clusters].sort((a, b) => b.priority - a.priority).flatMap((cluster) => {
    const due = Math.min(cluster.demand, left);
    left -= due;
    const [verdict] = needViews().verdicts.filter(({ need }) => need.cluster === cluster.name);
    const said = verdict ? `; the shard says ${verdict.satisfied ? 'satisfied' : verdict.reason}, ${verdict.machines} machines, ${verdict.inFlight} of them in flight` : '';
    return cluster.serves >= due ? [] : [`cluster ${cluster.name} wants ${cluster.demand} machines, could have ${due} and has ${cluster.serves}${cluster.closed.length > 0 ? ` (cordoned: ${cluster.closed.join(', ')})` : ''}${said}`];
  });
}

function untrue(machine: Machine, substrate: Substrate): string[] {
  const host = substrate.hosts.get(machine.id);
  if (!RESTS.includes(machine.state)) return [`${machine.id} is ${stateOfWire(machine.state)}`];
  if ((machine.host?.ref ?? '') !== (host?.ref ?? '')) return [`${machine.id}: the provider says host ${machine.host?.ref ?? 'none'}, and it is ${host?.ref ?? 'none'}`];
  if (machine.cluster !== (host?.cluster ?? '')) return [`${machine.id}: the provider says cluster ${JSON.stringify(machine.cluster)}, and it is ${JSON.stringify(host?.cluster ?? '')}`];
  return [];
}

/** The shard counts the machines that are listed, as they are, and no others. */
async function miscounted({ view }: Serving, listed: ReadonlyMap<string, Machine>): Promise<string[]> {
  const known = new Map<string, MachineView>();
  for await (const { machines } of view.listMachines(ListMachinesRequest.create())) for (const machine of machines) known.set(machine.id, machine);
  return [
    ...[...known.values()].flatMap((machine) => {
      const said = listed.get(machine.id);
      if (!said) return [`${machine.id} is counted, and the provider does not list it`];
      return said.state === machine.state && said.cluster === machine.clusterId ? [] : [`${machine.id} counts as ${stateOfWire(machine.state)} of ${JSON.stringify(machine.clusterId)}, and is ${stateOfWire(said.state)} of ${JSON.stringify(said.cluster)}`];
    }),
    ...[...listed.keys()].flatMap((id) => (known.has(id) ? [] : [`${id} is listed, and the shard does not know it`])),
  ];
}

async function list(provider: ProviderHost): Promise<readonly Machine[] | undefined> {
  const bytes = await new Promise<Buffer | undefined>((resolve) => provider.call('list', { states: [], maxResults: 0, sinceRevision: new Uint8Array() }, new Metadata(), (answer) => resolve(answer.bytes)));
  return bytes && MachineList.decode(bytes).machines;
}
