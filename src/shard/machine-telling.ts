import { explainMachine } from '../engine/explain.ts';
import type { MachineReason } from '../engine/types.ts';
import type { MachineRecord } from './record.ts';

/** Why the machine is where it is, with what the plan cannot know: the one sentence that its object and readers are told. '' = no plan has said. */
export function tellMachine({ why, withheld, drainRefusal, heldBy }: Pick<MachineRecord, 'why' | 'withheld' | 'drainRefusal' | 'heldBy'>): string {
  const planned = why ? explainMachine(why, drainRefusal?.words) : '';
  const sentence = withheld !== undefined && planned !== '' ? `Planned and not done, because ${withheld}: ${planned}` : planned;
  return heldBy === undefined ? sentence : `${sentence} Its drain waits: ${heldBy}`.trimStart();
}

/** The same in one word. */
export function codeOf(why: MachineReason, withheld: string | undefined): string {
  return withheld === undefined ? why.code : 'Withheld';
}
