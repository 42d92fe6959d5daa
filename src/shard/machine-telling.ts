import { explainMachine } from '../engine/explain.ts';
import type { MachineReason } from '../engine/types.ts';
import type { MachineRecord } from './record.ts';

/** Why the machine is where it is, with what the plan cannot know: the one sentence that its object and readers are told. '' = no plan has said. */
export function tellMachine({ why, withheld, standstill, drainRefusal, heldBy }: Pick<MachineRecord, 'why' | 'withheld' | 'standstill' | 'drainRefusal' | 'heldBy'>): string {
  const sentence = why ? `${whyNotDone({ withheld, standstill })}${explainMachine(why, drainRefusal?.words)}` : '';
  return heldBy === undefined ? sentence : `${sentence} Its drain waits: ${heldBy}`.trimStart();
}

/** The same in one word. */
export function codeOf(why: MachineReason, { withheld, standstill }: Pick<MachineRecord, 'withheld' | 'standstill'>): string {
  return withheld === undefined && standstill === undefined ? why.code : 'Withheld';
}

/** Who reads that a machine is on its way must not wait for one that nobody sends. */
function whyNotDone({ withheld, standstill }: Pick<MachineRecord, 'withheld' | 'standstill'>): string {
  if (withheld !== undefined) return `Planned and not done, because ${withheld}: `;
  return standstill === undefined ? '' : `Decided and not begun, because ${standstill}: `;
}
