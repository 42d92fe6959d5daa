import { Gauge } from 'prom-client';
import type { Registry } from 'prom-client';
import type { ProviderRoom } from './room.ts';

/** What there is to measure of each provider by itself, looked at when it is asked for. */
export function measureProviders(registry: Registry, rooms: () => Iterable<ProviderRoom>): void {
  const gauge = (name: string, help: string, valueOf: (room: ProviderRoom) => number): void => {
    new Gauge({
      name: `bigfleet_shard_provider_${name}`, help, labelNames: ['provider'] as const, registers: [registry],
      collect() {
        for (const room of rooms()) this.set({ provider: room.name }, valueOf(room));
      },
    });
  };
  gauge('reliable', '1 while its List is believed and fresh, and it has not fenced this shard off.', (room) => (room.isReliable ? 1 : 0));
  gauge('machines', 'Machines and offers that it has.', (room) => room.holdings.size);
  gauge('disputed_machines', 'Machines that it lists under an id that another provider had first.', (room) => room.holdings.disputed.size);
  gauge('unseen_machines', 'Machines that served before this process started and that no List has named yet. While there are any nothing is acquired.', (room) => room.unseen);
  gauge('silent_calls', 'Kinds of call that it does not answer, though it lists its machines: one at a time is tried.', (room) => room.gate.silent.length);
  gauge('calls_waiting', 'Calls that wait for their turn at it.', (room) => room.gate.waiting);
  gauge('calls_in_flight', 'Calls to it under way.', (room) => room.gate.inFlight);
}
