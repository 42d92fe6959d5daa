import type { EngineMachine } from '../types.ts';

/** What counts for the limits (D12): what is there or decided for, and of the Failed what has a host, which is paid for until it is deleted. */
export function isPaid({ state, intent, hasHost }: EngineMachine): boolean {
  return state === 'Failed' ? hasHost === true : state !== 'Speculative' || intent?.kind === 'bind';
}
