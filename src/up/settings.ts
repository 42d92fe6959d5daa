import { durationMs, fourGraces, integer } from '../cli/flags.ts';
import { UsageError } from '../lib/usage-error.ts';

/** The flags of `bigfleet up` as commander hands them over. */
export interface UpFlags {
  trace?: string;
  duration: string;
  clusters: string;
  pods?: string;
  keep?: boolean;
  output: string;
  dataDir?: string;
  kill: readonly string[];
  portBase?: string;
  timeLimit: string;
  podDemand: 'direct' | 'requests';
  rollupInterval: string;
  cycle: string;
  poll: string;
  reclaimGrace: string;
  preemptionGrace: string;
  reclaimCap: string;
  maxDrains: string;
  holdOnDemand: string;
  holdSpot: string;
  occupiedExcess: string;
  lifelessGrace: string;
  createMs: string;
  configureMs: string;
  nodeReadyMs: string;
  drainMs: string;
  deleteMs: string;
  recoverMs: string;
  leaseDuration: string;
  leaseRenew: string;
  leaseRetry: string;
  qps: string;
  burst: string;
}

export interface PlannedKill {
  readonly name: string;
  /** Seconds since the demand began, in ms. */
  readonly atMs: number;
}

export interface UpSettings {
  readonly trace?: string;
  readonly durationMs: number;
  readonly clusters: number;
  readonly pods?: number;
  readonly keep: boolean;
  readonly output: 'text' | 'json';
  readonly dataDir?: string;
  readonly kills: readonly PlannedKill[];
  readonly portBase?: number;
  readonly timeLimitMs: number;
  readonly podDemand: 'direct' | 'requests';
  readonly compressed: Compressed;
}

/** What a demonstration does faster than production; the banner shows each (spec: demo, compressed settings). */
export interface Compressed {
  readonly rollupIntervalMs: number;
  readonly cycleSeconds: number;
  readonly pollMs: number;
  readonly reclaimGraceMs: number;
  readonly preemptionGraceSeconds: readonly number[];
  readonly reclaimCapFraction: string;
  readonly maxConcurrentDrains: number;
  readonly holdOnDemandSeconds: number;
  readonly holdSpotSeconds: number;
  readonly occupiedExcessSeconds: number;
  readonly lifelessGraceMs: number;
  readonly createMs: string;
  readonly configureMs: string;
  readonly nodeReadyMs: number;
  readonly drainMs: string;
  readonly deleteMs: string;
  readonly recoverMs: string;
  readonly lease: { readonly durationMs: number; readonly renewMs: number; readonly retryMs: number };
  readonly qps: number;
  readonly burst: number;
}

const MAX_CLUSTERS = 20;

/** Throws a UsageError naming the flag that cannot work, alone or together with another. */
export function readSettings(flags: UpFlags): UpSettings {
  if (flags.output !== 'text' && flags.output !== 'json') throw new UsageError(`-o: "${flags.output}" is not a format; write text or json`);
  const clusters = integer('--clusters', flags.clusters, { min: 1, max: MAX_CLUSTERS });
  const runMs = positive('--duration', flags.duration);
  const timeLimitMs = positive('--time-limit', flags.timeLimit);
  if (timeLimitMs <= runMs) throw new UsageError(`--time-limit: ${flags.timeLimit} leaves no time after --duration ${flags.duration}; make it longer`);
  return {
    ...(flags.trace !== undefined && { trace: flags.trace }),
    durationMs: runMs,
    clusters,
    ...(flags.pods !== undefined && { pods: integer('--pods', flags.pods, { min: 1 }) }),
    keep: flags.keep ?? false,
    output: flags.output,
    ...(flags.dataDir !== undefined && { dataDir: flags.dataDir }),
    kills: flags.kill.map((text) => readKill(text, clusters)).sort((a, b) => a.atMs - b.atMs),
    ...(flags.portBase !== undefined && { portBase: integer('--port-base', flags.portBase, { min: 1024, max: 65_000 }) }),
    timeLimitMs,
    podDemand: flags.podDemand,
    compressed: readCompressed(flags),
  };
}

function readCompressed(flags: UpFlags): Compressed {
  const lease = {
    durationMs: positive('--lease-duration', flags.leaseDuration),
    renewMs: positive('--lease-renew', flags.leaseRenew),
    retryMs: positive('--lease-retry', flags.leaseRetry),
  };
  if (!(lease.retryMs < lease.renewMs && lease.renewMs < lease.durationMs)) {
    throw new UsageError(`--lease-retry, --lease-renew, --lease-duration: ${flags.leaseRetry}, ${flags.leaseRenew}, ${flags.leaseDuration} must grow in this order`);
  }
  const cap = Number(flags.reclaimCap);
  if (!/^\d+(\.\d+)?$/.test(flags.reclaimCap) || cap > 1) throw new UsageError(`--reclaim-cap: "${flags.reclaimCap}" is not a share; write a decimal from 0 (no cap) to 1`);
  const qps = integer('--qps', flags.qps, { min: 1 });
  const burst = integer('--burst', flags.burst, { min: 1 });
  if (burst < qps) throw new UsageError(`--burst: ${burst} is less than --qps ${qps}; make it at least as large`);
  return {
    rollupIntervalMs: positive('--rollup-interval', flags.rollupInterval),
    cycleSeconds: wholeSeconds('--cycle', flags.cycle, 1),
    pollMs: positive('--poll', flags.poll),
    reclaimGraceMs: wholeSeconds('--reclaim-grace', flags.reclaimGrace, 0) * 1000,
    preemptionGraceSeconds: fourGraces('--preemption-grace', flags.preemptionGrace),
    reclaimCapFraction: flags.reclaimCap,
    maxConcurrentDrains: integer('--max-drains', flags.maxDrains, { min: 1 }),
    holdOnDemandSeconds: wholeSeconds('--hold-on-demand', flags.holdOnDemand, 0),
    holdSpotSeconds: wholeSeconds('--hold-spot', flags.holdSpot, 0),
    occupiedExcessSeconds: wholeSeconds('--occupied-excess', flags.occupiedExcess, 0),
    lifelessGraceMs: durationMs('--lifeless-grace', flags.lifelessGrace),
    createMs: span('--create-ms', flags.createMs),
    configureMs: span('--configure-ms', flags.configureMs),
    nodeReadyMs: integer('--node-ready-ms', flags.nodeReadyMs, { min: 0, max: 3_600_000 }),
    drainMs: span('--drain-ms', flags.drainMs),
    deleteMs: span('--delete-ms', flags.deleteMs),
    recoverMs: span('--recover-ms', flags.recoverMs),
    lease,
    qps,
    burst,
  };
}

/** `NAME@SECONDS`: which process is killed, and when. */
function readKill(text: string, clusters: number): PlannedKill {
  const match = /^([a-z0-9-]+)@(\d+(?:\.\d+)?)s?$/.exec(text);
  const name = match?.[1] ?? '';
  const agent = /^agent-(\d+)$/.exec(name);
  const known = ['shard', 'provider', 'world'].includes(name) || (agent !== null && Number(agent[1]) >= 1 && Number(agent[1]) <= clusters);
  if (!match || !known) throw new UsageError(`--kill: "${text}" is not NAME@SECONDS with NAME one of shard, provider, world, agent-1 to agent-${clusters}`);
  return { name, atMs: Number(match[2]) * 1000 };
}

function positive(flag: string, text: string): number {
  const ms = durationMs(flag, text);
  if (ms <= 0) throw new UsageError(`${flag}: "${text}" must be longer than nothing`);
  return ms;
}

/** The objects that carry these know whole seconds only. */
function wholeSeconds(flag: string, text: string, min: number): number {
  const ms = durationMs(flag, text);
  if (ms % 1000 !== 0 || ms < min * 1000) throw new UsageError(`${flag}: "${text}" must be whole seconds, at least ${min}`);
  return ms / 1000;
}

function span(flag: string, text: string): string {
  const match = /^(\d{1,9})(?:-(\d{1,9}))?$/.exec(text);
  if (!match || Number(match[2] ?? match[1]) < Number(match[1])) throw new UsageError(`${flag}: "${text}" is not milliseconds; write for instance 500, or 400-1500`);
  return text;
}
