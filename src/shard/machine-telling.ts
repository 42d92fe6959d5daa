import { explainMachine } from '../engine/explain.ts';
import type { MachineRecord } from './record.ts';

/** Why the machine is where it is, with what the plan cannot know: the one sentence that its object and readers are told. '' = no plan has said. */
export function tellMachine({ why, drainRefusal, heldBy }: Pick<MachineRecord, 'why' | 'drainRefusal' | 'heldBy'>): string {
  const sentence = why ? explainMachine(why, drainRefusal?.words) : '';
  return heldBy === undefined ? sentence : `${sentence} Its drain waits: ${heldBy}`.trimStart();
}
