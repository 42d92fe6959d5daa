import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import type { CapacityProvider, Shard } from '../api/types.ts';
import type { Policy } from '../engine/types.ts';
import type { CallKind } from './record.ts';
import type { MachineObjects } from './object-policy.ts';
import type { PollerSettings } from '../reconcilers/provider/poller.ts';
import { realDisk } from './disk.ts';
import type { ShardDisk } from './disk.ts';

export type Mode = 'Active' | 'DryRun' | 'Paused';

/** Why nothing is done of what is decided, in words; '' = it is. */
export function whyInactive(mode: Mode): string {
  return mode === 'Active' ? '' : `the shard is in mode ${mode}`;
}

export interface ShardSettings {
  readonly mode: Mode;
  readonly cycleMs: number;
  readonly emptyRollupGuard: boolean;
  readonly concurrencyPerProvider: number;
  readonly machineObjects: MachineObjects;
  readonly policy: Policy;
}

/** Grace that Pods get when an excess machine is reclaimed (spec: engine 9.1). */
export const DEFAULT_RECLAIM_GRACE_SECONDS = 600;

/** Grace by the gap between the priorities (spec: engine 8.6). */
export const DEFAULT_PREEMPTION_GRACE_SECONDS: Policy['preemptionGraceSeconds'] = [10, 30, 120, 600];

/** Reads a Shard object; absent fields take the defaults of its CRD (spec: control-crds). */
export function settingsOf(shard: Pick<Shard, 'spec'>, reclaimGraceSeconds = DEFAULT_RECLAIM_GRACE_SECONDS, preemptionGraceSeconds = DEFAULT_PREEMPTION_GRACE_SECONDS): ShardSettings {
  const { spec } = shard;
  const cycleMs = (spec.cycleSeconds ?? 10) * 1000;
  return {
    mode: spec.mode ?? 'Active',
    cycleMs,
    emptyRollupGuard: spec.rails?.emptyRollupGuard ?? true,
    concurrencyPerProvider: spec.concurrencyPerProvider ?? 16,
    machineObjects: spec.machineObjects ?? 'NonSpeculative',
    policy: {
      reclaimCapFraction: Number(spec.rails?.reclaimCapFraction ?? '0.05'),
      // News calls for plans in between: the share is one of the time, not of each of them.
      reclaimCapMs: cycleMs,
      maxConcurrentDrainsPerCluster: spec.rails?.maxConcurrentDrainsPerCluster ?? 10,
      maxReclaimsPerMinute: spec.rails?.maxReclaimsPerMinute ?? 0,
      holds: {
        onDemandMs: (spec.holds?.onDemandSeconds ?? 600) * 1000,
        spotMs: (spec.holds?.spotSeconds ?? 60) * 1000,
        occupiedExcessMs: (spec.holds?.occupiedExcessSeconds ?? 300) * 1000,
      },
      limits: {
        ...(spec.limits?.machines !== undefined && { machines: spec.limits.machines }),
        ...(spec.limits?.microUsdPerHour !== undefined && { microUsdPerHour: spec.limits.microUsdPerHour }),
      },
      reclaimGraceSeconds,
      preemptionGraceSeconds,
    },
  };
}

/** How to poll a provider; `pollMs` from the command line wins over the object, for what is finer than a second. */
export function pollerSettingsOf(provider: Pick<CapacityProvider, 'spec'> | undefined, pollMs: number | undefined): PollerSettings {
  const spec = provider?.spec;
  const deadlines = spec?.transitionDeadlines;
  return {
    pollMs: pollMs ?? (spec?.pollSeconds ?? 10) * 1000,
    fullListMs: (spec?.fullListSeconds ?? 300) * 1000,
    listDeadlineMs: callDeadlineMs(provider, 'List'),
    transitionMs: {
      Creating: (deadlines?.creatingSeconds ?? 900) * 1000,
      Configuring: (deadlines?.configuringSeconds ?? 900) * 1000,
      Draining: (deadlines?.drainingSeconds ?? 300) * 1000,
      Deleting: (deadlines?.deletingSeconds ?? 600) * 1000,
    },
    drainingAddsGrace: deadlines?.drainingSeconds === undefined,
  };
}

/** How long one call to the provider may take, in ms (spec: control-crds, CapacityProvider). */
export function callDeadlineMs(provider: Pick<CapacityProvider, 'spec'> | undefined, kind: CallKind): number {
  const deadlines = provider?.spec.deadlines;
  const seconds: Readonly<Record<CallKind, number>> = {
    Create: deadlines?.createSeconds ?? 30,
    Configure: deadlines?.configureSeconds ?? 30,
    Drain: deadlines?.drainSeconds ?? 30,
    Delete: deadlines?.deleteSeconds ?? 30,
    Get: deadlines?.getSeconds ?? 30,
    List: deadlines?.listSeconds ?? 120,
  };
  return seconds[kind] * 1000;
}

/**
 * The last Shard spec that was seen, kept beside the epoch: a new process goes on in the same mode where the Shard object is
 * missing or late. With neither, the shard acquires and takes nothing away until there is one.
 */
export class RememberedSpec {
  private readonly file: string;
  private readonly disk: Pick<ShardDisk, 'replace'>;

  constructor(dataDir: string, disk: Pick<ShardDisk, 'replace'> = realDisk) {
    this.file = join(dataDir, 'shard-spec.json');
    this.disk = disk;
  }

  load(): Shard['spec'] | undefined {
    try {
      const spec: unknown = JSON.parse(readFileSync(this.file, 'utf8'));
      return typeof spec === 'object' && spec !== null && !Array.isArray(spec) ? (spec as Shard['spec']) : undefined;
    } catch {
      return undefined; // absent or torn: as good as never written
    }
  }

  save(spec: Shard['spec']): void {
    this.disk.replace(this.file, JSON.stringify(spec));
  }
}
