import type { UpReport } from '../report.ts';

/** Of a run with nothing to complain about. */
export const good: UpReport = {
  kind: 'UpReport',
  demand: { source: 'trace', clusters: 3, pods: 8152 },
  pods: { submitted: 8152, bound: 8152, finished: 8152, recreated: 151, alivePeak: 2581, pending: 0, pendingByReason: {} },
  machines: { known: 1523, boundPeak: 647, boundAtEnd: 0, byType: { 'G2-8g': { boundPeak: 204 } } },
  actions: { Bootstrap: 586 },
  providerCalls: { Create: { OK: 263, FAILED_PRECONDITION: 2 } },
  latencyMs: { podCreatedToBound: { n: 8303, p50: 29, p90: 435, p99: 1700, max: 2222 } },
  cost: { spentMicroUsd: 60_128_121, peakMicroUsdPerHour: 2_133_779_400 },
  leaks: { machinesBound: 0, capacityRequests: 0, upcomingNodes: 0, nodes: 0 },
  violations: { doubleBound: 0, podsEvictedWithoutDecision: 0, notInProviderList: 0 },
  restarts: 1,
  processes: [{ name: 'world', peakRssBytes: 300 * 1_048_576, cpuSeconds: 20.34 }],
  peakRssBytes: 1100 * 1_048_576,
  wallSeconds: 104.5,
  traceSeconds: 12_902_960,
};
