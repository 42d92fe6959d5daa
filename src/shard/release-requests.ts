import { RELEASE_ANNOTATION } from '../api/constants.ts';
import type { Machine } from '../api/types.ts';
import { isElastic } from './record.ts';
import type { MachineIntent, MachineRecord } from './record.ts';

/** A person wants the machine itself gone: the annotation, and the object deleted (spec: control-crds, Machine). */
export function isReleaseRequest(object: Machine | undefined): boolean {
  return object?.metadata.deletionTimestamp !== undefined && object.metadata.annotations?.[RELEASE_ANNOTATION] === 'true';
}

/**
 * Pure: what is to be decided for a machine that a person wants gone. 'wait' = something is under way; 'done' = nothing is
 * left to take away, so its object may go. Capacity that cannot be bought again is only drained.
 */
export function releaseStep(machine: MachineRecord, graceSeconds: number, now: number): MachineIntent | 'wait' | 'done' {
  const { state } = machine.seen;
  // A call is under way: what it makes of the machine, a Speculative one above all, is not known yet.
  if (machine.hold || machine.busy) return 'wait';
  const reason = 'A person asked for its release.';
  const release: MachineIntent = { kind: 'release', reason, decidedAt: now, byPerson: true };
  switch (state) {
    case 'Configured':
      if (machine.drainRefusal && machine.drainRefusal.until > now) return 'wait';
      return machine.intent?.kind === 'unbind' ? 'wait' : { kind: 'unbind', reason, graceSeconds, preemptorPriority: 0, decidedAt: now, byPerson: true };
    case 'Idle':
      if (machine.intent?.kind === 'release') return 'wait';
      if (machine.intent?.kind === 'bind' && machine.intent.configureSent) return 'wait';
      return isElastic(machine.seen) ? release : 'done';
    case 'Failed':
      // What is left of it may cost money. A provider that cannot delete it says so, and is asked again until it is back.
      if (machine.intent?.kind === 'release') return 'wait';
      return isElastic(machine.seen) ? release : 'done';
    case 'Speculative':
      return 'done';
    case 'Creating':
    case 'Configuring':
    case 'Draining':
    case 'Deleting':
      return 'wait';
  }
}
