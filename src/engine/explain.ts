/** The one place where reasons become sentences. Whatever reports a decision prints what these functions say. */
import { canonicalProfile, sameRequirement, strictSpread } from '../api/profile.ts';
import { fromBaseUnits } from '../api/quantity.ts';
import { formatDuration, formatInstant } from './instant.ts';
import type { MachineReason, NeedVerdict, ResourceVector, ServedDemand, UnmetReason } from './types.ts';

/** Why a machine is where it is. One sentence, without the machine's name. `words` = the provider's own, where it refused something. */
export function explainMachine(reason: MachineReason, words = ''): string {
  switch (reason.code) {
    case 'Serving':
      return `Serves demand ${demand(reason)}.`;
    case 'AcquiredIdle':
      return `Chosen among the idle machines for demand ${demand(reason)} at ${dollars(reason.effectiveMicroUsdPerHour)} effective.`;
    case 'AcquiredSpeculative':
      return `To be bought for demand ${demand(reason)} at ${dollars(reason.effectiveMicroUsdPerHour)} effective.`;
    case 'InFlight':
      return `On its way for demand ${demand(reason)}.`;
    case 'Preempted':
      return `Taken from cluster ${reason.cluster} (${reason.victimPriority === undefined ? 'nobody there needed it' : `priority ${reason.victimPriority}`}) for demand ${reason.fingerprint} of cluster ${reason.forCluster} (priority ${reason.priority}).`;
    case 'Reserved':
      return `Promised to demand ${demand(reason)} and on its way to it.`;
    case 'Excess':
      return `Taken back: no demand of cluster ${reason.cluster} has needed it since ${formatInstant(reason.sinceMs)}.`;
    case 'ExcessWithinPatience':
      return `No demand of cluster ${reason.cluster} has needed it since ${formatInstant(reason.sinceMs)}, but it still runs ${count(reason.pods, 'Pod')}; kept until ${formatInstant(reason.untilMs)}.`;
    case 'ExcessCapped':
      return `No demand of cluster ${reason.cluster} needs it; not taken back yet because of the limit on ${RAILS[reason.rail]}.`;
    case 'ExcessNoRollupYet':
      return `Kept: cluster ${reason.cluster} has not said yet what it needs.`;
    case 'ExcessNoSession':
      return `No demand of cluster ${reason.cluster} needs it; kept because the cluster is not connected, or has not reported since it is.`;
    case 'ExcessDoNotDisrupt':
      return `No demand of cluster ${reason.cluster} needs it; kept because a Pod on it must not be disrupted.`;
    case 'ExcessDrainRefused':
      return `No demand of cluster ${reason.cluster} needs it; kept for now because its provider refused to drain it${words && ` (${words})`}.`;
    case 'ExcessConfiguring':
      return `No demand of cluster ${reason.cluster} needs it any more; it can be taken back once it is configured.`;
    case 'ArrivingForNobody':
      return 'Nothing is decided for it yet; it is free for all demand once it is idle.';
    case 'SupplyUntrusted':
      return 'Left as it is: its provider cannot be relied on at present (its list of machines is in doubt, or it takes this shard for an older one), or the shard cannot prove that it holds its Lease.';
    case 'IdleHeld':
      return `Idle; kept for new demand until ${formatInstant(reason.untilMs)}.`;
    case 'IdleKept':
      return 'Idle; capacity of this type is never released.';
    case 'HoldExpired':
      return `Released: idle for ${formatDuration(reason.heldMs)} without any demand for it.`;
    case 'Available':
      return 'Free for any demand.';
    case 'NoLongerNeeded':
      return `Its binding was withdrawn: cluster ${reason.cluster} no longer needs it for ${reason.fingerprint}.`;
    case 'HeldByPerson':
      return 'On hold by a person: chosen for nothing and taken from no one.';
    case 'Stuck':
      return `Counts for nobody: ${reason.state} for longer than it may be, or resting because its provider refused it.`;
    case 'Leaving':
      return reason.cluster === '' ? 'On its way out.' : `On its way out of cluster ${reason.cluster}.`;
    case 'Failed':
      return 'Failed: counts for nobody.';
  }
}

/** What became of a Need. One sentence, and another of what it asks for and does not get. `withheld`: why nothing that is planned is done, if it is not. */
export function explainNeed(verdict: NeedVerdict, withheld?: string): string {
  return outcomeOf(verdict, withheld) + unheeded(verdict);
}

function outcomeOf(verdict: NeedVerdict, withheld: string | undefined): string {
  if (verdict.satisfied) {
    const arriving = verdict.inFlight > 0 ? `, ${verdict.inFlight} of them on the way` : '';
    return `Satisfied with ${count(verdict.machines, 'machine')}${arriving}.`;
  }
  const lacks = `Lacks ${amounts(verdict.deficit)}`;
  if (withheld !== undefined && isPreempting(verdict)) return `${lacks}: machines that serve others are chosen for it, and no more of them are taken, because ${withheld}.`;
  return verdict.reason === undefined ? `${lacks}.` : `${lacks}: ${UNMET[verdict.reason]}.`;
}

/** A gang is in one domain, and its spread decides only between machines that hold whole ones (spec: engine 6.6, X10). */
function unheeded({ need: { profile }, foldedAs }: NeedVerdict): string {
  const same = sameRequirement(profile);
  if (same === undefined || foldedAs !== undefined || profile.spread.length === 0) return '';
  const spread = strictSpread(canonicalProfile(profile));
  if (spread === undefined) return '';
  return ` Its spread over ${spread.topologyKey} is not heeded, because all of it is to be in one place of ${same.key}.`;
}

/** Whether a Need lacks what machines are to be taken from others for. */
export function isPreempting({ satisfied, reason }: Pick<NeedVerdict, 'satisfied' | 'reason'>): boolean {
  return !satisfied && reason === 'PREEMPTION_IN_PROGRESS';
}

const UNMET: Readonly<Record<UnmetReason, string>> = {
  PRIORITY_STARVED: 'machines that match serve demand of higher precedence',
  NO_MATCHING_SUPPLY: 'no machine that may be used matches the requirements and covers the smallest unit',
  TOPOLOGY_UNSATISFIABLE: 'no single domain has room for the whole gang',
  PREEMPTION_EXHAUSTED: 'all that may be preempted frees too little',
  PREEMPTION_IN_PROGRESS: 'machines for it are still being drained, or created',
  SUPPLY_EXHAUSTED: 'every machine that matches is in use already, or has nothing of what lacks',
  SPREAD_UNSATISFIABLE: 'more machines would violate the spread over the topology, or are in no domain of it',
  LIMIT_REACHED: 'the shard\'s limit on machines or spending leaves no room for it',
  NO_SESSION: 'the cluster is not connected, or has not reported since it is',
  DISRUPTION_BLOCKED: 'the machines that could be preempted must not be disrupted, or cannot be drained at present (refused, not ready, their cluster away, or their List in doubt)',
};

const RAILS: Readonly<Record<(MachineReason & { code: 'ExcessCapped' })['rail'], string>> = {
  fraction: 'the share of a cluster that one plan may take back',
  perMinute: 'how many machines may be taken back per minute',
  concurrentDrains: 'how many machines of a cluster may drain at a time',
};

/** Says nothing of how many gangs there are: a sentence that changes is written anew for each machine. */
function demand({ fingerprint, cluster, priority, group, foldedAs }: ServedDemand): string {
  const which = foldedAs === undefined ? group && `, group ${group}` : ', gangs that fit on one machine each';
  return `${fingerprint} of cluster ${cluster} (priority ${priority}${which})`;
}

function dollars(microUsdPerHour: number): string {
  return `$${(microUsdPerHour / 1_000_000).toFixed(4)} per hour`;
}

function amounts(vector: ResourceVector): string {
  const lacking = vector.filter(([, amount]) => amount > 0);
  return lacking.map(([name, amount]) => `${name} ${fromBaseUnits(name, amount)}`).join(', ') || 'nothing';
}

function count(n: number, what: string): string {
  return `${n} ${what}${n === 1 ? '' : 's'}`;
}
