import { conditionMaker } from '../api/conditions.ts';
import { CONFIRM_REMOVAL_ANNOTATION } from '../api/constants.ts';
import { formatResources } from '../api/resource-vector.ts';
import type { CapacityProvider, CapacityProviderOffer, Condition, Shard, ShardShortfall } from '../api/types.ts';
import type { Millis, NeedVerdict, Plan } from '../engine/types.ts';
import { timestamp } from '../lib/timestamp.ts';
import type { ProviderStatus } from '../reconcilers/provider/poller.ts';
import type { Quarantine } from '../reconcilers/provider/removal.ts';
import { countUnmet, isSatisfied, tellNeed } from './need-telling.ts';
import type { MachineObjects } from './object-policy.ts';
import type { RestingOffer } from './offer-rests.ts';
import type { Unanswered } from './provider/circuit.ts';
import type { CallObstacle } from './provider/tls.ts';
import { tellUnseen, unseenToken } from './provider/unseen.ts';
import type { Troubles } from './row-troubles.ts';
import type { SupplyTally } from './supply-tally.ts';

const MAX_SHORTFALLS = 20;
const MAX_OFFERS = 50;
const MAX_NAMED = 3;
const NONE_UNSEEN: ReadonlyMap<string, number> = new Map();

export interface ShardFacts {
  readonly generation: number;
  readonly epoch: bigint;
  readonly holder: string;
  readonly cycle: number;
  readonly at: number;
  readonly sessions: number;
  readonly withheld: number;
  readonly leaseProven: boolean;
  /** Every provider's List is believed and fresh. */
  readonly supplyTrusted: boolean;
  /** Providers that are set aside while others are relied on; absent = none. */
  readonly setAside?: ReadonlySet<string>;
  /** At least one provider's List is believed and fresh. */
  readonly isSomeTrusted?: boolean;
  /** How many machines that served are not seen yet, by provider; absent = none. */
  readonly unseen?: ReadonlyMap<string, number>;
  readonly fenced: string;
  readonly objectsMode: MachineObjects;
  readonly previous: readonly Condition[];
  /** Since when a Need has been unmet, if it is known. */
  readonly unmetSince?: (verdict: NeedVerdict) => Millis | undefined;
  /** What keeps machines from rows, by `rowKey`; absent = nothing. */
  readonly troubles?: Troubles;
}

/** Pure: Shard.status for a plan (spec: control-crds, Shard). */
export function shardStatus(plan: Plan, facts: ShardFacts): NonNullable<Shard['status']> {
  const { byState } = plan.stats;
  const condition = conditionMaker(facts.previous, facts.generation, facts.at);
  const unmet = countUnmet(plan, facts.troubles);
  const highest = highestUnmet(plan, facts.troubles);
  const aside = [...(facts.setAside ?? [])].join(', ');
  const unseen = tellUnseen(facts.unseen ?? NONE_UNSEEN);
  const isDeciding = facts.supplyTrusted || facts.isSomeTrusted === true;
  const isReady = isDeciding && !facts.fenced;
  return {
    observedGeneration: facts.generation,
    epoch: Number(facts.epoch),
    holder: facts.holder,
    cycle: facts.cycle,
    lastCycleTime: timestamp(facts.at),
    machines: { ...byState },
    totalMachines: plan.stats.machines,
    boundMachines: byState.Configuring + byState.Configured,
    needs: { rows: plan.stats.needs, satisfied: plan.stats.needs - unmet, unmet },
    sessions: facts.sessions,
    shortfalls: highest.map((verdict) => shortfall(verdict, facts.unmetSince?.(verdict) ?? (verdict.satisfied ? facts.at : verdict.arrival), facts.troubles)),
    microUsdPerHour: plan.stats.microUsdPerHour,
    dollarsPerHour: (plan.stats.microUsdPerHour / 1_000_000).toFixed(2),
    pausedActions: facts.withheld,
    conditions: [
      condition('Ready', isReady, facts.fenced ? 'Fenced' : isDeciding ? 'Deciding' : 'SupplyUntrusted', aside && `without ${aside}`),
      // Not while it acts: a busy fleet, or a dry run, would never be done for whoever waits for it.
      condition('Reconciling', !isReady && !facts.fenced, isReady || facts.fenced ? 'NothingToDo' : 'WaitsForSupply', ''),
      condition('Stalled', facts.fenced !== '', facts.fenced ? 'Fenced' : 'Progressing', facts.fenced),
      condition('Fenced', facts.fenced !== '', facts.fenced ? 'NewerEpochSeen' : 'NotFenced', facts.fenced),
      condition('LeaseProven', facts.leaseProven, facts.leaseProven ? 'Renewed' : 'RenewalOverdue', facts.leaseProven ? '' : 'nothing is taken away until the Lease is renewed'),
      condition('AllMachinesAreObjects', facts.objectsMode === 'NonSpeculative', facts.objectsMode, facts.objectsMode === 'NonSpeculative' ? '' : 'only machines in transition, failed, stuck, held or asked for are kept as objects'),
      condition('SupplyTrusted', facts.supplyTrusted, facts.supplyTrusted ? 'ListSucceeded' : unseen ? 'BoundMachinesUnseen' : 'ListStaleOrQuarantined', facts.supplyTrusted ? '' : unseen ? `nothing is acquired: ${unseen}` : aside ? `nothing is taken away or chosen of what these providers have until they list their machines again: ${aside}` : 'nothing is taken away until the provider lists its machines again'),
    ],
  };
}

/** What the provider has. */
export type Supply = Pick<SupplyTally, 'countByState' | 'offers'>;

/** What else there is to say of a provider. */
export interface ProviderFacts {
  /** Where it is called now; what its object says if absent. */
  readonly address?: string;
  /** Absent: nothing is said of it. */
  readonly resting?: readonly RestingOffer[];
  readonly obstacle?: CallObstacle | undefined;
  /** It has seen a newer epoch than ours; absent or '' = it has not. */
  readonly fenced?: string;
  /** Ids of machines that it lists and another provider had first; absent = none. */
  readonly disputed?: ReadonlySet<string>;
  /** So many of its machines served when an earlier process looked, and are not seen yet; absent = none. */
  readonly unseen?: number;
  /** Kinds of call that it does not answer, though it lists its machines; absent: nothing is said of it. */
  readonly silent?: readonly Unanswered[];
}

/** Pure: CapacityProvider.status for its object; Speculative slots are counts per offer. */
export function providerStatus(supply: Supply, list: ProviderStatus, object: CapacityProvider, at: number, { address = object.spec.address, resting, obstacle, fenced = '', disputed, unseen = 0, silent }: ProviderFacts = {}): NonNullable<CapacityProvider['status']> {
  const condition = conditionMaker(object.status?.conditions ?? [], object.metadata.generation ?? 0, at);
  const reachable = !obstacle && list.lastError === '' && list.lastListAt > 0;
  const message = obstacle?.message ?? list.lastError;
  const isReady = reachable && list.trusted && fenced === '';
  const needsHelp = fenced ? 'Fenced' : list.quarantine ? 'Quarantined' : unseen > 0 && !list.trusted && reachable ? 'BoundMachinesUnseen' : '';
  const answers = reachable ? `It answers at ${address}.` : (obstacle?.message ?? (list.lastError && `${address}: ${list.lastError}`));
  return {
    observedGeneration: object.metadata.generation ?? 0,
    // The next process learns from them how many machines were known: what is not seen yet must not make them fewer.
    ...(list.lastListAt > 0 && !list.quarantine?.unnamed && { offers: offers(supply), machines: supply.countByState() }),
    ...(list.lastListAt > 0 && { lastListTime: timestamp(list.lastListAt) }),
    ...(list.lastFullListAt > 0 && { lastFullListTime: timestamp(list.lastFullListAt) }),
    rejected: list.rejected,
    conditions: [
      condition('Ready', isReady, fenced ? 'Fenced' : reachable ? (list.trusted ? 'Listed' : 'Untrusted') : (obstacle?.reason ?? 'Unreachable'), fenced || message),
      condition('Reconciling', !isReady && needsHelp === '', isReady || needsHelp ? 'NothingToDo' : 'WaitsForList', ''),
      condition('Stalled', needsHelp !== '', needsHelp || 'Progressing', fenced),
      condition('Reachable', reachable, reachable ? 'Answered' : (obstacle?.reason ?? 'NoAnswer'), answers),
      condition('InventoryTrusted', list.trusted, list.quarantine ? 'Quarantined' : list.trusted ? 'ListSucceeded' : unseen > 0 ? 'BoundMachinesUnseen' : 'ListStale', list.quarantine ? howToConfirm(list.quarantine, object) : unseen > 0 ? howToGoOn(unseen, object) : ''),
      ...(resting ? [condition('OffersAvailable', resting.length === 0, resting[0]?.kind ?? 'NothingRefused', resting.slice(0, MAX_NAMED).map(tellResting).join(' ') + (resting.length > MAX_NAMED ? ` And ${resting.length - MAX_NAMED} more.` : ''))] : []),
      ...(silent ? [condition('CallsAnswered', silent.length === 0, silent.length === 0 ? 'Answered' : 'Unanswered', silent.map(tellSilent).join(' '))] : []),
      ...(disputed && disputed.size > 0 ? [condition('MachineIdsUnique', false, 'ClaimedByAnother', tellDisputed(disputed))] : []),
    ],
  };
}

function tellDisputed(ids: ReadonlySet<string>): string {
  const names = [...ids].sort().slice(0, MAX_NAMED).join(', ') + (ids.size > MAX_NAMED ? ', ...' : '');
  return `It lists ${ids.size === 1 ? 'a machine' : `${ids.size} machines`} under an id that another provider of this shard had first (${names}): passed over here until the other one no longer lists it. Ids must be unique among the providers of a shard.`;
}

function tellSilent({ kind, inARow, words, until }: Unanswered): string {
  return `${inARow} calls of ${kind} in a row brought no answer (${words}): one at a time is tried, the next not before ${timestamp(until)}.`;
}

function tellResting({ offer, words, until }: RestingOffer): string {
  return `${offer} is not asked for until ${timestamp(until)}: ${words}.`;
}

function howToConfirm({ missing, unnamed, known, token }: Quarantine, { metadata }: CapacityProvider): string {
  const others = unnamed === 0 ? [] : [`${unnamed} known only by their number`];
  const names = [...missing.slice(0, MAX_NAMED), ...(missing.length > MAX_NAMED ? ['...'] : []), ...others].join(', ');
  return (
    `The last List lacks ${missing.length + unnamed} of ${known} known machines (${names}): nothing is removed or taken away. ` +
    `If they are gone for good, confirm it: ${confirm(metadata, token)}`
  );
}

function howToGoOn(unseen: number, { metadata }: CapacityProvider): string {
  return (
    `Of its machines that served, ${unseen} ${unseen === 1 ? 'has' : 'have'} not been listed since the shard started: until then the shard acquires nothing, since what they serve looks unmet. ` +
    `If they are gone for good, delete this CapacityProvider or confirm it: ${confirm(metadata, unseenToken(unseen))}`
  );
}

function confirm({ name, namespace }: CapacityProvider['metadata'], token: string): string {
  return `kubectl annotate --overwrite${namespace === undefined ? '' : ` -n ${namespace}`} capacityprovider ${name} ${CONFIRM_REMOVAL_ANNOTATION}=${token}`;
}

function offers(supply: Supply): CapacityProviderOffer[] {
  return supply.offers().slice(0, MAX_OFFERS).map(({ instanceType, zone, capacityType, prices }) => ({
    instanceType, zone, capacityType, available: prices.count, priceMicroUsdPerHour: { min: prices.min, max: prices.max },
  }));
}

/** The unmet Needs of the highest priorities; of equal ones, those that choose first. One pass: there may be many Needs. */
function highestUnmet({ verdicts }: Plan, troubles: ShardFacts['troubles']): readonly NeedVerdict[] {
  const highest: NeedVerdict[] = [];
  const priority = (verdict: NeedVerdict | undefined): number => verdict?.need.profile.priority ?? -Infinity;
  for (const verdict of verdicts) {
    if (priority(verdict) <= priority(highest[MAX_SHORTFALLS - 1]) || isSatisfied(verdict, troubles)) continue;
    const at = highest.findIndex((other) => priority(other) < priority(verdict));
    highest.splice(at < 0 ? highest.length : at, 0, verdict);
    highest.length = Math.min(highest.length, MAX_SHORTFALLS);
  }
  return highest;
}

function shortfall(verdict: NeedVerdict, since: Millis, troubles: ShardFacts['troubles']): ShardShortfall {
  const { need } = verdict;
  const { code, text } = tellNeed(verdict, troubles);
  return {
    clusterId: need.cluster,
    requirements: need.profile.requirements.map((r) => ({ key: r.key, operator: r.operator, values: [...r.values] })),
    priority: need.profile.priority,
    deficit: Object.fromEntries(formatResources(verdict.deficit.filter(([, amount]) => amount > 0))),
    reason: code,
    message: text,
    sinceTime: timestamp(since),
  };
}
