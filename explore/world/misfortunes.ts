import { LeaseResource, ShardResource } from '../../src/api/resources.ts';
import type { Lease, Shard } from '../../src/api/types.ts';
import type { Faults } from '../faults/faults.ts';
import type { ApiCondition } from './api-link.ts';
import { NAMESPACE, SHARD } from './api-server.ts';
import type { SimulatedApiServer } from './api-server.ts';
import type { Cluster } from './operator.ts';
import type { Ground } from './ground.ts';
import type { Manner, ProviderHost } from './provider-host.ts';
import type { ShardHost } from './shard-host.ts';
import type { Substrate } from './substrate.ts';
import type { Timeline } from './timeline.ts';

const LEASE = { namespace: NAMESPACE, name: `bigfleet-shard-${SHARD}` };

export interface Victims {
  readonly timeline: Timeline;
  readonly faults: Faults;
  readonly server: SimulatedApiServer;
  readonly api: ApiCondition;
  readonly providers: readonly ProviderHost[];
  readonly substrate: Substrate;
  readonly ground: Ground;
  readonly shards: readonly ShardHost[];
  readonly clusters: readonly Cluster[];
}

/** What befalls the world by itself, without a call or a write at which it would happen. */
export function misfortunes({ timeline, faults, server, api, providers, substrate, ground, shards, clusters }: Victims): void {
  const often = faults.every.bind(faults, timeline);
  const lease = (): Lease | undefined => server.store.get<Lease>(LeaseResource, LEASE);

  often('api away', () => {
    if (api.isAway) return undefined;
    const ms = faults.between(2_000, 60_000);
    api.isAway = true;
    api.cutStreams();
    timeline.after(ms, () => (api.isAway = false));
    return `for ${(ms / 1000).toFixed(1)} s`;
  });
  often('watch cut', () => {
    api.cutStreams();
    return 'all watches';
  });
  often('watch expired', () => {
    server.forgetHistory();
    api.cutStreams();
    return 'all watches';
  });
  often('lease taken', () => {
    if (!lease()) return undefined;
    server.store.mutate<Lease>(LeaseResource, LEASE, (draft) => ({
      ...draft, spec: { ...draft.spec, holderIdentity: 'a stranger', leaseDurationSeconds: 3, leaseTransitions: (draft.spec?.leaseTransitions ?? 0) + 1 },
    }));
    ground.leaseBrokenAt = timeline.now;
    return 'by a stranger, who does not renew it';
  });
  often('lease deleted', () => {
    if (!server.store.delete(LeaseResource, LEASE)) return undefined;
    ground.leaseBrokenAt = timeline.now;
    return 'by a person';
  });

  often('shard paused', () => faults.pick(shards).pause(faults.between(500, 45_000)));
  often('shard suspended', () => faults.pick(shards).suspend(faults.between(500, 45_000), faults.chance(0.5) ? 0 : faults.between(0, 5_000)));
  often('provider paused', () => faults.pick(providers).pause(faults.between(500, 40_000)));
  often('shard killed', () => faults.pick(shards).kill());
  often('provider killed', () => {
    const process = faults.pick(providers).current;
    process?.kill();
    return process?.name;
  });
  const behaves = (manner: Manner, ms: number): string | undefined => {
    const provider = faults.pick(providers);
    if (provider.manner !== 'well') return undefined;
    provider.manner = manner;
    timeline.after(ms, () => faults.active && (provider.manner = 'well'));
    return `${provider.name} for ${(ms / 1000).toFixed(1)} s`;
  };
  often('provider unreachable', () => behaves('unreachable', faults.between(3_000, 60_000)));
  often('provider mute', () => behaves('mute', faults.between(3_000, 60_000)));
  often('shard stopped', () => {
    const shard = faults.pick(shards);
    if (!shard.current) return undefined;
    shard.stop();
    return shard.current.name;
  });
  often('shard disk lost', () => {
    const shard = faults.pick(shards);
    shard.loseDisk();
    return shard.name;
  });

  often('operator reconnects', () => {
    const cluster = faults.pick(clusters);
    cluster.disconnect(0);
    return cluster.name;
  });
  often('operator away', () => {
    const cluster = faults.pick(clusters);
    const ms = faults.between(3_000, 60_000);
    cluster.disconnect(ms);
    return `${cluster.name} for ${(ms / 1000).toFixed(1)} s`;
  });
  const wants = (cluster: Cluster, demand: number): string => {
    cluster.demand = demand;
    return `${cluster.name} wants ${demand}`;
  };
  often('demand changed', () => wants(faults.pick(clusters), Math.floor(faults.between(0, substrate.ids.length / 2 + 2))));
  often('demand emptied', () => wants(faults.pick(clusters), 0));

  often('machine lost', () => {
    const id = faults.pick(substrate.ids);
    if (!substrate.hosts.has(id) || substrate.isBusy(id)) return undefined;
    substrate.lose(id);
    return id;
  });
  const hold = (ids: readonly string[], isHeld: boolean): void => {
    for (const { name, machines } of providers) for (const id of ids) if (machines.has(id)) server.hold(id, name, isHeld);
  };
  often('machines held', () => {
    const ids = substrate.ids.filter(() => faults.chance(0.2));
    if (ids.length === 0) return undefined;
    const ms = faults.between(1_000, 60_000);
    hold(ids, true);
    timeline.after(ms, () => hold(ids, false));
    return `${ids.join(', ')} for ${(ms / 1000).toFixed(1)} s`;
  });
  often('mode changed', () => {
    const mode = faults.pick(['Active', 'Paused', 'DryRun'] as const);
    server.store.mutate<Shard>(ShardResource, { namespace: NAMESPACE, name: SHARD }, (draft) => ({ ...draft, spec: { ...draft.spec, mode } }));
    return mode;
  });
}
