import type { Distribution } from './observer/distribution.ts';
import type { Violations } from './observer/observation.ts';
import type { ProcessUsage } from './resource-usage.ts';

/** The one document of `bigfleet up -o json` (spec: reports). Field names are API. What was not measured is absent. */
export interface UpReport {
  readonly kind: 'UpReport';
  readonly demand: { readonly source: 'builtin' | 'trace'; readonly clusters: number; readonly pods: number };
  readonly pods: {
    readonly submitted: number;
    readonly bound: number;
    readonly finished: number;
    readonly recreated: number;
    readonly alivePeak: number;
    readonly pending: number;
    readonly pendingByReason: Readonly<Record<string, number>>;
  };
  readonly machines: {
    readonly known: number;
    readonly boundPeak: number;
    readonly boundAtEnd: number;
    readonly byType: Readonly<Record<string, { readonly boundPeak: number }>>;
  };
  readonly actions: Readonly<Record<string, number>>;
  readonly providerCalls: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly latencyMs: { readonly podCreatedToMachineConfigured?: Distribution; readonly podCreatedToBound?: Distribution };
  readonly cost: { readonly spentMicroUsd: number; readonly peakMicroUsdPerHour: number };
  readonly leaks: Leaks;
  readonly violations: Violations;
  /** Unplanned ends of processes, and planned kills. */
  readonly restarts: number;
  readonly processes: readonly ProcessUsage[];
  readonly peakRssBytes: number;
  readonly wallSeconds: number;
  readonly traceSeconds?: number;
  /** Absent when the run ended by itself. */
  readonly stoppedBy?: 'signal' | 'timeLimit' | 'failure';
}

/** What should have gone when all demand has ended. */
export interface Leaks {
  readonly machinesBound: number;
  /** Absent when the API servers could not be asked any more. */
  readonly capacityRequests?: number;
  readonly upcomingNodes?: number;
  readonly nodes: number;
}

/** What stands between the run and success, in words; empty = success. */
export function shortcomings(report: UpReport): string[] {
  const found: string[] = [];
  const { pods, leaks, violations } = report;
  if (report.stoppedBy !== undefined) found.push(STOPPED[report.stoppedBy]);
  if (report.stoppedBy === 'signal') return found; // what was under way is no fault
  if (pods.submitted < report.demand.pods) found.push(`${report.demand.pods - pods.submitted} of ${report.demand.pods} Pods were never submitted`);
  if (pods.pending > 0) found.push(`${pods.pending} Pods pending (${counts(pods.pendingByReason)})`);
  const unfinished = pods.submitted - pods.finished - pods.pending;
  if (unfinished > 0) found.push(`${unfinished} Pods not finished`);
  const neverBound = pods.submitted - pods.bound - pods.pending;
  if (neverBound > 0) found.push(`${neverBound} Pods never bound`);
  for (const [what, count] of Object.entries(leaks)) if (count > 0) found.push(`leak: ${count} ${what}`);
  if (leaks.capacityRequests === undefined || leaks.upcomingNodes === undefined) found.push('the API servers could not be asked what is left');
  for (const [what, count] of Object.entries(violations)) if (count > 0) found.push(`violation: ${count} ${what}`);
  return found;
}

const STOPPED = { signal: 'stopped by a signal', timeLimit: 'the time limit was reached', failure: 'a process failed' } as const;

/** The same figures as the JSON document, for people. */
export function reportText(report: UpReport): string {
  const { demand, pods, machines, latencyMs, cost, leaks, violations } = report;
  const problems = shortcomings(report);
  const lines = [
    '',
    `demand      ${demand.source}, ${demand.clusters} clusters, ${demand.pods} Pods${report.traceSeconds === undefined ? '' : ` (${report.traceSeconds} s of trace)`}`,
    `Pods        ${pods.submitted} submitted, ${pods.bound} bound, ${pods.finished} finished, ${pods.recreated} recreated; ${pods.alivePeak} alive at the peak; ${pods.pending} pending${pods.pending > 0 ? ` (${counts(pods.pendingByReason)})` : ''}`,
    `machines    ${machines.known} known, ${machines.boundPeak} bound at the peak, ${machines.boundAtEnd} at the end`,
    ...Object.entries(machines.byType).map(([type, { boundPeak }]) => `              ${type} ${boundPeak}`),
    `actions     ${counts(report.actions)}`,
    `provider    ${Object.entries(report.providerCalls).map(([rpc, outcomes]) => `${rpc}: ${counts(outcomes)}`).join('; ')}`,
    `latency     ${latency('Pod created to bound', latencyMs.podCreatedToBound)}`,
    `            ${latency('Pod created to machine configured', latencyMs.podCreatedToMachineConfigured)}`,
    `cost        $${dollars(cost.spentMicroUsd)} spent, $${dollars(cost.peakMicroUsdPerHour)}/h at the peak (invented prices)`,
    `leaks       ${counts(leaks)}`,
    `violations  ${counts(violations)}`,
    `processes   ${report.processes.map((p) => `${p.name} ${mib(p.peakRssBytes)} MiB ${p.cpuSeconds} s`).join(', ')}; ${report.restarts} restarts`,
    `memory      ${mib(report.peakRssBytes)} MiB at the peak, all processes together`,
    `wall time   ${report.wallSeconds} s`,
    '',
    problems.length === 0 ? 'OK: every Pod was served and everything was given back.' : `NOT OK: ${problems.join('; ')}.`,
  ];
  return `${lines.join('\n')}\n`;
}

/** What the report could not know yet, when everything was kept up after it. */
export function afterwards(restarts: number): string {
  return restarts === 0 ? 'While it stayed up no process ended.\n' : `While it stayed up ${restarts === 1 ? 'a process ended and was' : `processes ended and were`} started again: ${restarts} ${restarts === 1 ? 'restart' : 'restarts'} more than the report says.\n`;
}

function counts(of: object): string {
  const entries = Object.entries(of) as [string, number][];
  return entries.length === 0 ? 'none' : entries.map(([name, count]) => `${name} ${count}`).join(', ');
}

function latency(what: string, d: Distribution | undefined): string {
  return d ? `${what}: p50 ${d.p50} ms, p90 ${d.p90} ms, p99 ${d.p99} ms, max ${d.max} ms (n ${d.n})` : `${what}: not measured`;
}

function dollars(microUsd: number): string {
  return (microUsd / 1_000_000).toFixed(2);
}

function mib(bytes: number): number {
  return Math.round(bytes / 1_048_576);
}
