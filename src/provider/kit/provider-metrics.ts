import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { Clock } from '../../lib/clock.ts';
import type { ProviderEvents } from './events.ts';
import { operationDuring } from './lifecycle.ts';
import { machineStates, type Machine } from './machine.ts';

const SECONDS = [0.05, 0.1, 0.5, 1, 5, 15, 30, 60, 120, 300, 600, 1_200];

/** What a provider counts, as the events that tell of it. `machines` is asked at each scrape. One per registry. */
export function providerMetrics(registry: Registry, clock: Clock, machines: () => Iterable<Machine>): ProviderEvents {
  const registers = [registry];
  const counter = <L extends string>(name: string, help: string, ...labelNames: L[]): Counter<L> => new Counter({ name: `bigfleet_provider_${name}`, help, labelNames, registers });
  const calls = counter('calls_total', 'Mutating calls by RPC and gRPC code; FAILED_PRECONDITION = fenced or too late.', 'rpc', 'code');
  const mismatches = counter('cluster_mismatches_total', 'Configures that asked for another cluster than the one a machine is bound to.');
  const refused = counter('identity_rejected_total', 'Calls whose certificate does not allow them.', 'rpc', 'reason');
  const connectionsRefused = counter('connections_refused_total', 'Connections refused before any call: not TLS or an old one, or a certificate that is missing, expired or of an unknown authority.', 'reason');
  const unpersisted = counter('persist_failures_total', 'Times that the state could no longer be persisted.');
  const reconciles = counter('reconciles_total', 'Comparisons with the substrate.', 'outcome');
  const recoveries = counter('recoveries_total', 'FAILED machines that became usable again, by what they became.', 'result');
  const reloads = counter('tls_reloads_total', 'Changes of the TLS files: taken over, or refused.', 'outcome');
  const seconds = new Histogram({
    name: 'bigfleet_provider_operation_duration_seconds', help: 'From the acknowledgement of an operation to its end.',
    labelNames: ['kind', 'outcome'], buckets: SECONDS, registers,
  });
  const persisting = new Gauge({ name: 'bigfleet_provider_persisting', help: '1 while the state can be persisted; 0 = mutations are refused.', registers });
  persisting.set(1);
  new Gauge({
    name: 'bigfleet_provider_machines', help: 'Machines by state.', labelNames: ['state'], registers,
    collect() {
      const counts = new Map(machineStates.map((state) => [state as string, 0]));
      for (const { state } of machines()) counts.set(state, (counts.get(state) ?? 0) + 1);
      for (const [state, count] of counts) this.set({ state }, count);
    },
  });
  const began = new Map<string, number>();
  return {
    onCall: ({ rpc, outcome }) => calls.inc({ rpc, code: outcome }),
    onStateChange({ from, machine, cause }) {
      const started = began.get(machine.id);
      const kind = operationDuring(from);
      if (kind && started !== undefined && cause !== 'restart') {
        seconds.observe({ kind, outcome: machine.state === 'Failed' ? 'failed' : 'succeeded' }, (clock.monotonic() - started) / 1_000);
      }
      if (operationDuring(machine.state)) began.set(machine.id, clock.monotonic());
      else began.delete(machine.id);
      if (cause === 'recover') recoveries.inc({ result: machine.state });
    },
    onPersistence({ healthy }) {
      persisting.set(healthy ? 1 : 0);
      if (!healthy) unpersisted.inc();
    },
    onClusterMismatch: () => mismatches.inc(),
    onIdentityRejected: ({ rpc, reason }) => refused.inc({ rpc, reason }),
    onConnectionRefused: ({ reason }) => connectionsRefused.inc({ reason }),
    onReconcile: ({ problem }) => reconciles.inc({ outcome: problem === undefined ? 'ok' : 'error' }),
    onTlsReload: ({ problem }) => reloads.inc({ outcome: problem === undefined ? 'ok' : 'refused' }),
  };
}
