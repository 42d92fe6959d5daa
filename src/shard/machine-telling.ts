import { explainMachine } from '../engine/explain.ts';
import type { MachineRecord } from './record.ts';

/** Why the machine is where it is, with what the plan cannot know: the one sentence that its object and readers are told. '' = no plan has said. */
export function tellMachine({ why, drainRefusal }: Pick<MachineRecord, 'why' | 'drainRefusal'>): string {
  return why ? explainMachine(why, drainRefusal?.words) : '';
}
