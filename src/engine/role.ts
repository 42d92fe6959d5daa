/** For what a machine counts. Exactly one role each: the pools of a plan are the roles. */
import { arrivalKey } from './keys.ts';
import type { EngineMachine } from './types.ts';

export type Role =
  /** Configured or Configuring: counts for its cluster, whatever it was bought for. */
  | { readonly kind: 'bound'; readonly cluster: string }
  /** Decided for a demand and not bound yet (D34). */
  | { readonly kind: 'promised'; readonly cluster: string; readonly demandKey: string }
  | { readonly kind: 'idle' }
  | { readonly kind: 'speculative' }
  /** In transition for nobody; counts once it is Idle. */
  | { readonly kind: 'pending' }
  | { readonly kind: 'leaving' }
  | { readonly kind: 'failed' }
  | { readonly kind: 'held' }
  | { readonly kind: 'stuck' };

export function roleOf(machine: EngineMachine): Role {
  if (machine.state === 'Failed') return { kind: 'failed' };
  if (machine.hold) return { kind: 'held' };
  if (machine.stuck) return { kind: 'stuck' };
  if (machine.intent?.kind === 'unbind' || machine.intent?.kind === 'release') return { kind: 'leaving' };
  switch (machine.state) {
    case 'Draining':
    case 'Deleting':
      return { kind: 'leaving' };
    case 'Configured':
    case 'Configuring': {
      const cluster = ownerOf(machine);
      return cluster === '' ? { kind: 'pending' } : { kind: 'bound', cluster };
    }
    case 'Creating':
    case 'Idle':
    case 'Speculative': {
      const to = machine.intent?.to;
      if (to) return { kind: 'promised', cluster: to.cluster, demandKey: arrivalKey(to.cluster, to.fingerprint, to.group) };
      if (machine.state === 'Creating') return { kind: 'pending' };
      return machine.state === 'Idle' ? { kind: 'idle' } : { kind: 'speculative' };
    }
  }
}

/** The cluster a machine belongs to or is becoming part of: the provider's word, else what we decided; '' = none. */
export function ownerOf(machine: EngineMachine): string {
  if (machine.cluster !== '') return machine.cluster;
  if (machine.intent?.kind === 'bind') return machine.intent.to.cluster;
  return machine.assigned?.cluster ?? '';
}

/** On its way out of `ownerOf(machine)`: what the rail on concurrent drains counts. */
export function isBeingDrained(machine: EngineMachine): boolean {
  return machine.state === 'Draining' || machine.intent?.kind === 'unbind';
}
