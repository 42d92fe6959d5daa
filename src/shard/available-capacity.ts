import { AvailableCapacityUpdate_Confidence as Confidence } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { AvailableCapacityUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { INSTANCE_TYPE_LABEL } from '../api/constants.ts';
import type { Profile } from '../api/profile.ts';
import type { NeedVerdict } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { Paced } from '../lib/paced.ts';
import { inTurns } from '../lib/turns.ts';
import type { InventoryTally } from './inventory-tally.ts';
import { wireRequirements } from './wire-names.ts';

/** At most so often per cluster and profile (spec: wire S10). */
const MIN_INTERVAL_MS = 5_000;
/** Operators drop what they have not heard of for ten minutes, so that what stays as it is has to be said again. */
const REPEAT_MS = 240_000;

export interface AvailableCapacityDeps {
  readonly clock: Clock;
  readonly tally: Pick<InventoryTally, 'supplyOf' | 'totalSupply'>;
  /** Clusters with a session. */
  readonly clusters: () => readonly string[];
  readonly send: (cluster: string, update: AvailableCapacityUpdate) => void;
  /** What was not told is told after the next plan. */
  readonly onError: (error: unknown) => void;
}

/** What can be had of some instance types. */
interface Supply {
  readonly count: number;
  readonly confidence: Confidence;
  readonly microUsdPerHour: number;
}

interface Said extends Supply {
  readonly at: number;
}

/**
 * Hints to clusters about what could still be had for the profiles that they ask for (spec: engine 14.4): machines of the
 * types that a profile pins, whoever else may want them; what is decided for somebody, or held, is not to be had. Counted by type, never by machine; sent when it changed.
 */
export class AvailableCapacityPublisher {
  private readonly deps: AvailableCapacityDeps;
  /** By cluster and fingerprint. */
  private readonly said = new Map<string, Map<string, Said>>();
  private latest: readonly NeedVerdict[] = [];
  private readonly paced: Paced;

  constructor(deps: AvailableCapacityDeps) {
    this.deps = deps;
    this.paced = new Paced(deps.clock, MIN_INTERVAL_MS, () => this.publish(), deps.onError);
  }

  planned(verdicts: readonly NeedVerdict[]): void {
    this.latest = verdicts;
    this.paced.ask();
  }

  /** Its session is gone, or is a new one: it is told all of it again. */
  forget(cluster: string): void {
    this.said.delete(cluster);
    this.paced.ask();
  }

  stop(): void {
    this.paced.stop();
  }

  private async publish(): Promise<void> {
    const now = this.deps.clock.monotonic();
    const asked = new Map(this.deps.clusters().map((cluster) => [cluster, new Set<string>()]));
    await inTurns(this.latest, ({ need }) => {
      const fingerprints = asked.get(need.cluster);
      if (!fingerprints || fingerprints.has(need.fingerprint)) return;
      fingerprints.add(need.fingerprint);
      if (!this.paced.isStopped) this.offer(need.cluster, need.fingerprint, need.profile, now);
    });
    for (const [cluster, said] of this.said) {
      const fingerprints = asked.get(cluster);
      for (const fingerprint of said.keys()) if (!fingerprints?.has(fingerprint)) said.delete(fingerprint);
    }
  }

  private offer(cluster: string, fingerprint: string, profile: Profile, now: number): void {
    const supply = this.supplyOf(profile);
    let said = this.said.get(cluster);
    if (!said) this.said.set(cluster, (said = new Map()));
    const last = said.get(fingerprint);
    if (last && isSame(last, supply) && now - last.at < REPEAT_MS) return;
    said.set(fingerprint, { ...supply, at: now });
    this.deps.send(cluster, {
      supersedesKey: `available:${fingerprint}`,
      requirements: wireRequirements(profile.requirements),
      resources: undefined,
      availableCount: supply.count,
      confidence: supply.confidence,
      costPerHour: supply.microUsdPerHour / 1_000_000,
    });
  }

  private supplyOf(profile: Profile): Supply {
    const { tally } = this.deps;
    const pinned = pinnedTypes(profile);
    let { idle, speculative } = pinned ? { idle: 0, speculative: 0 } : tally.totalSupply();
    let cheapest = Infinity;
    for (const type of pinned ?? []) {
      const supply = tally.supplyOf(type);
      if (!supply) continue;
      idle += supply.idle.count;
      speculative += supply.speculative;
      if (supply.idle.count > 0) cheapest = Math.min(cheapest, supply.idle.min);
    }
    return {
      count: idle + speculative,
      confidence: idle > 0 ? Confidence.CONFIDENCE_HIGH : speculative > 0 ? Confidence.CONFIDENCE_MEDIUM : Confidence.CONFIDENCE_NONE,
      microUsdPerHour: cheapest === Infinity ? 0 : cheapest,
    };
  }
}

/** Instance types that every machine of the profile must be one of; undefined = it names none. */
function pinnedTypes({ requirements }: Profile): ReadonlySet<string> | undefined {
  let pinned: ReadonlySet<string> | undefined;
  for (const { key, operator, values } of requirements) {
    if (key !== INSTANCE_TYPE_LABEL || operator !== 'In') continue;
    const before = pinned;
    pinned = new Set(before ? values.filter((value) => before.has(value)) : values);
  }
  return pinned;
}

function isSame(a: Supply, b: Supply): boolean {
  return a.count === b.count && a.confidence === b.confidence && a.microUsdPerHour === b.microUsdPerHour;
}
