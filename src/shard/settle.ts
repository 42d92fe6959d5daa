import type { Assignment, MachineState } from '../engine/types.ts';
import { assignmentNotes } from '../provider/provider-machine.ts';
import type { ProviderMachine } from '../provider/provider-machine.ts';
import type { MachineIntent, MachineRecord } from './record.ts';

const BOUND: ReadonlySet<MachineState> = new Set(['Configuring', 'Configured', 'Draining']);

/**
 * What an observed state means for what was decided (spec: engine 12.5): the provider is the truth about state, so any
 * observed edge is accepted; a decision that has become reality, or impossible, is over.
 */
export function settleIntent(intent: MachineIntent | undefined, seen: ProviderMachine): MachineIntent | undefined {
  if (!intent) return undefined;
  switch (intent.kind) {
    case 'bind':
      switch (seen.state) {
        case 'Speculative':
        case 'Creating':
          // What a Configure was sent to is gone: it can come to nothing any more, and the machine is bought anew, or let go.
          return intent.configureSent ? { ...intent, configureSent: false } : intent;
        case 'Idle':
          return intent;
        case 'Configuring':
          if (seen.cluster !== intent.to.cluster) return undefined;
          return intent.configureSent ? intent : { ...intent, configureSent: true };
        default:
          return undefined;
      }
    case 'unbind':
      return seen.state === 'Configured' || seen.state === 'Configuring' || seen.state === 'Draining' ? intent : undefined;
    case 'release':
      return seen.state === 'Idle' || seen.state === 'Deleting' || (seen.state === 'Failed' && intent.byPerson) ? intent : undefined;
  }
}

/** Whom the machine serves after the observation: what we decided, what we knew, else what the provider echoes. */
export function settleAssignment(record: MachineRecord | undefined, seen: ProviderMachine): Assignment | undefined {
  if (!BOUND.has(seen.state) || !seen.cluster) return undefined;
  const intent = record?.intent;
  if (intent?.kind === 'bind' && intent.to.cluster === seen.cluster) return intent.to;
  const known = record?.assigned;
  if (known?.cluster !== seen.cluster) return decodeAssignment(seen);
  // Known from its object alone, which may have been written before the machine was bound anew (ADR-0010).
  return record?.isListed === false && assignmentNotes(seen).needFingerprint !== undefined ? decodeAssignment(seen) : known;
}

function decodeAssignment(seen: ProviderMachine): Assignment {
  const echoed = assignmentNotes(seen);
  return {
    cluster: seen.cluster,
    fingerprint: echoed.needFingerprint ?? '',
    group: echoed.group ?? '',
    priority: echoed.priority ?? 0,
    interruptionBucket: echoed.interruptionBucket ?? 0,
    reclamationBucket: echoed.reclamationBucket ?? 0,
  };
}

/** False when the record says nothing new: then nobody is woken. */
export function differs(a: ProviderMachine, b: ProviderMachine): boolean {
  return (
    a.state !== b.state ||
    a.cluster !== b.cluster ||
    a.lastError !== b.lastError ||
    a.priceMicroUsdPerHour !== b.priceMicroUsdPerHour ||
    a.interruptionProbability !== b.interruptionProbability ||
    a.host?.ref !== b.host?.ref ||
    a.host?.provider !== b.host?.provider ||
    a.instanceType !== b.instanceType ||
    a.zone !== b.zone ||
    a.capacityType !== b.capacityType ||
    (a.labels !== b.labels && !sameEntries(Object.entries(a.labels), Object.entries(b.labels))) ||
    (a.allocatable !== b.allocatable && !sameEntries(a.allocatable, b.allocatable))
  );
}

/** The two say the same in everything, notes included. */
export function isSame(a: ProviderMachine, b: ProviderMachine): boolean {
  return !differs(a, b) && (a.shardMetadata === b.shardMetadata || sameEntries([...a.shardMetadata], [...b.shardMetadata]));
}

function sameEntries(a: readonly (readonly [string, unknown])[], b: readonly (readonly [string, unknown])[]): boolean {
  if (a.length !== b.length) return false;
  const values = new Map(b);
  return a.every(([key, value]) => values.has(key) && values.get(key) === value);
}
