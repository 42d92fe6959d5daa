/** For what a machine counts. Exactly one role each: the pools of a plan are the roles. */
import type { MachineState } from '../types.ts';

export const STATES: readonly MachineState[] = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'];
export const SPECULATIVE = 0;
export const CREATING = 1;
export const IDLE = 2;
export const CONFIGURING = 3;
export const CONFIGURED = 4;
export const DRAINING = 5;
export const DELETING = 6;
export const FAILED = 7;

export const NO_INTENT = 0;
export const BIND = 1;
export const UNBIND = 2;
export const RELEASE = 3;

export const ROLE = {
  none: 0,
  /** Configured or Configuring: counts for its cluster, whatever it was bought for. */
  bound: 1,
  /** Decided for a demand and not bound yet (D34). */
  promised: 2,
  /** Promised to a demand that would preempt without it: on its way out of a cluster, or out of it and not bound yet (X2). */
  reserved: 3,
  idle: 4,
  speculative: 5,
  /** In transition for nobody; counts once it is Idle. */
  pending: 6,
  leaving: 7,
  failed: 8,
  held: 9,
  stuck: 10,
} as const;

/** On its way out of a cluster: what the rail on concurrent drains counts. */
export function isDrain(state: number, intent: number): boolean {
  return state === DRAINING || intent === UNBIND || (intent === RELEASE && (state === CONFIGURED || state === CONFIGURING));
}

/** Of a machine that is leaving: it stays in the fleet, and whoever fits may have it after that. */
export function staysWhenFreed(state: number, intent: number): boolean {
  return intent !== RELEASE && (state === DRAINING || (state === CONFIGURED && intent === UNBIND));
}

interface RoleFacts {
  readonly state: number;
  readonly intent: number;
  readonly hold: boolean;
  readonly stuck: boolean;
  readonly untrusted: boolean;
  readonly hasOwner: boolean;
  readonly reserved: boolean;
}

export function roleOf({ state, intent, hold, stuck, untrusted, hasOwner, reserved }: RoleFacts): number {
  if (state === FAILED) return ROLE.failed;
  const isServing = (state === CONFIGURED || state === CONFIGURING) && hasOwner;
  // What a person holds is taken from no one: a cluster that has it would otherwise buy it a second time.
  if (hold) return isServing && !stuck ? ROLE.bound : ROLE.held;
  if (stuck) return ROLE.stuck;
  if (intent === RELEASE || state === DELETING) return ROLE.leaving;
  if (intent === UNBIND || state === DRAINING) return reserved ? ROLE.reserved : ROLE.leaving;
  if (isServing) return ROLE.bound;
  if (state === CONFIGURED || state === CONFIGURING) return ROLE.pending;
  if (intent === BIND) return ROLE.promised;
  if (state === CREATING) return reserved ? ROLE.reserved : ROLE.pending;
  if (state === IDLE && reserved) return ROLE.reserved;
  if (untrusted) return ROLE.held;
  if (state === IDLE) return ROLE.idle;
  return ROLE.speculative;
}
