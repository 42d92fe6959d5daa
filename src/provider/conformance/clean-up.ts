import { sleep, type Clock } from '../../lib/clock.ts';
import type { Caller, Token } from './caller.ts';
import { stateOf } from './trial.ts';
import { machineText } from './wire-text.ts';

const POLL_MS = 20;

export interface CleanUp {
  /** SPECULATIVE again. */
  readonly isFree: boolean;
  readonly hasFailed?: boolean;
  /** Why it could not be freed; absent also where the provider deletes nothing and the machine is at least unbound. */
  readonly problem?: string;
}

/** Brings a machine back to SPECULATIVE, so that nothing of ours goes on costing money. */
export async function bringBack(id: string, caller: Caller, options: { clock: Clock; withinMs: number; next: () => Token }): Promise<CleanUp> {
  const { clock, withinMs, next } = options;
  let end = clock.monotonic() + withinMs;
  let last = '';
  for (;;) {
    const reply = await caller.get(id);
    if (reply.value === undefined) return { isFree: false, problem: `${id}: ${reply.exchange.got}` };
    const state = stateOf(reply.value);
    if (state === 'Speculative') return { isFree: true };
    if (state === 'Failed') return { isFree: false, hasFailed: true, problem: machineText(reply.value) };
    if (clock.monotonic() > end) return { isFree: false, problem: `still ${machineText(reply.value)} after ${withinMs} ms` };
    if (state !== last) end = clock.monotonic() + withinMs;
    const ended = state === last ? undefined : state === 'Configured' ? await caller.drain(id, 0n, next()) : state === 'Idle' ? await caller.delete(id, next()) : undefined;
    last = state;
    if (ended?.code === 'UNIMPLEMENTED') return { isFree: false };
    if (ended && ended.code !== 'OK') return { isFree: false, problem: `${id}: ${ended.exchange.sent}: ${ended.exchange.got}` };
    await sleep(clock, POLL_MS);
  }
}
