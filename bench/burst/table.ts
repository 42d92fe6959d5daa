/** The figures of a burst for people. */
import { benchTable } from '../report.ts';
import type { BenchRow } from '../suite.ts';

export function burstTable(rows: readonly BenchRow[]): string {
  const requested = rows.find((row) => row.bench === 'burst/requested');
  const last = rows.at(-1);
  if (!requested || !last) return 'nothing was measured';
  const { controlPlane, kubernetes, machines, machinesInUse, microUsdPerHour, lastMs, coveredMs, machinesWhenCovered, evicted } = requested as Readonly<Record<string, unknown>>;
  const dollars = (Number(microUsdPerHour) / 1_000_000).toFixed(2);
  return [
    benchTable(rows), '',
    `control plane: ${controlPlane} (Kubernetes ${kubernetes})${last['loadAverage'] === undefined ? '' : `; load average up to ${last['loadAverage']}`}`,
    `last machine requested ${lastMs} ms after the last Pod was created, ${machinesWhenCovered ?? '?'} machines with room for the sum of all Pods after ${coveredMs ?? '?'} ms; ${machines} machines, ${machinesInUse} of them used, ${evicted} Pods evicted, $${dollars} an hour (invented prices)`,
    ...(rows.some((row) => row['cutShort']) ? ['cut short: these figures are of what had happened by then'] : []),
    ...writes(rows), ...processes(last),
  ].join('\n');
}

function writes(rows: readonly BenchRow[]): string[] {
  return rows.flatMap(({ bench, apiWrites, apiWritesTotal, cutShort }) => (apiWrites === undefined ? [] : [
    '', `writes to API servers until ${bench === 'burst/running' && !cutShort ? 'all Pods ran' : 'the end'}: ${apiWritesTotal}`,
    ...Object.entries(apiWrites as Record<string, Record<string, number>>).map(([by, counts]) => `  ${by}: ${Object.entries(counts).map(([what, n]) => `${what} ${n}`).join(', ')}`),
  ]));
}

function processes({ processes: all }: BenchRow): string[] {
  const used = (all ?? []) as { name: string; cpuSeconds: number; peakRssBytes: number }[];
  return ['', 'process: CPU-seconds, peak MB', ...used.map(({ name, cpuSeconds, peakRssBytes }) => `  ${name.padEnd(36)} ${cpuSeconds.toFixed(1).padStart(8)} ${String(Math.round(peakRssBytes / 1e6)).padStart(6)}`)];
}
