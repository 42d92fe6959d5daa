import { AvailableCapacityUpdate_Confidence as Confidence } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import type { AvailableCapacityUpdate } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { INSTANCE_TYPE_LABEL } from '../api/constants.ts';
import type { Profile } from '../api/profile.ts';
import type { NeedVerdict } from '../engine/types.ts';
import type { Clock } from '../lib/clock.ts';
import { Paced } from '../lib/paced.ts';
import { inTurns } from '../lib/turns.ts';
import type { SupplyTally } from './supply-tally.ts';
import { wireRequirements } from './wire-names.ts';

/** At most so often per cluster and profile (spec: wire S10). */
const MIN_INTERVAL_MS = 5_000;
/** Operators drop what they have not heard of for ten minutes, so that what stays as it is has to be said again. */
const REPEAT_MS = 240_000;

export interface AvailableCapacityDeps {
  readonly clock: Clock;
  /** What each provider has that may be chosen from. */
  readonly supplies: () => Iterable<Pick<SupplyTally, 'supplyOf' | 'totalSupply'>>;
  /** How many machines more the limits of the shard let it pay for; Infinity = there is no limit. */
  readonly mayBuy: () => number;
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

/** What some rows of a cluster ask for. */
interface Asked {
  readonly cluster: string;
  readonly fingerprint: string;
  readonly profile: Profile;
  /** One of the rows lacks what the limits of the shard forbid to buy. */
  readonly isLimited: boolean;
}

interface Said extends Supply {
  readonly at: number;
}

/**
 * Hints to clusters about what could still be had for the profiles that they ask for (spec: engine 14.4): machines of the
 * types that a profile pins, whoever else may want them. What is decided for somebody, rests, is held or its provider set aside
 * is not to be had, and nothing is to be bought beyond the limits. Counted by type, never by machine; sent when it changed.
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
    const asked = new Map(this.deps.clusters().map((cluster) => [cluster, new Map<string, Asked>()]));
    await inTurns(this.latest, ({ need: { cluster, fingerprint, profile }, reason }) => {
      const profiles = asked.get(cluster);
      const known = profiles?.get(fingerprint);
      const isLimited = reason === 'LIMIT_REACHED';
      if (!known || (isLimited && !known.isLimited)) profiles?.set(fingerprint, { cluster, fingerprint, profile, isLimited });
    });
    await inTurns([...asked.values()].flatMap((profiles) => [...profiles.values()]), (one) => {
      if (!this.paced.isStopped) this.offer(one, now);
    });
    for (const [cluster, said] of this.said) {
      const profiles = asked.get(cluster);
      for (const fingerprint of said.keys()) if (!profiles?.has(fingerprint)) said.delete(fingerprint);
    }
  }

  private offer({ cluster, fingerprint, profile, isLimited }: Asked, now: number): void {
    const supply = this.supplyOf(profile, isLimited ? 0 : Math.max(0, this.deps.mayBuy()));
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

  private supplyOf(profile: Profile, mayBuy: number): Supply {
    const pinned = pinnedTypes(profile);
    let [idle, offered, cheapest] = [0, 0, Infinity];
    for (const tally of this.deps.supplies()) {
      const total = pinned ? undefined : tally.totalSupply();
      idle += total?.idle ?? 0;
      offered += total?.speculative ?? 0;
      for (const type of pinned ?? []) {
        const supply = tally.supplyOf(type);
        if (!supply) continue;
        idle += supply.idle.count;
        offered += supply.speculative;
        if (supply.idle.count > 0) cheapest = Math.min(cheapest, supply.idle.min);
      }
    }
    const speculative = Math.min(offered, mayBuy);
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
