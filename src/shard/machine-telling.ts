import { explainMachine } from '../engine/explain.ts';
import type { MachineReason } from '../engine/types.ts';
import type { MachineRecord } from './record.ts';

type Told = Partial<Pick<MachineRecord, 'withheld' | 'standstill' | 'intent' | 'obstacle' | 'hold'>>;

/** Why the machine is where it is, with what the plan cannot know: the one sentence that its object and readers are told. '' = no plan has said. */
export function tellMachine(record: Told & Pick<MachineRecord, 'why' | 'drainRefusal' | 'heldBy'>): string {
  const { why, standstill, intent, obstacle = '', drainRefusal, heldBy, hold } = record;
  return [
    why ? `${whyNotDone(record)}${explainMachine(why, drainRefusal?.words)}` : '',
    standstill !== undefined && isByPerson(record) ? `That it is to go, as a person asked, is not begun, because ${standstill}.` : '',
    intent && obstacle !== '' ? `What was decided is tried again, after this: ${obstacle}.` : '',
    heldBy === undefined ? '' : `Its drain waits: ${heldBy}`,
    // A machine serves on while it is held: then the plan's reason is another one.
    hold === true && why && why.code !== 'HeldByPerson' ? 'It is on hold by a person.' : '',
  ].filter(Boolean).join(' ');
}

/** The same in one word. */
export function codeOf(why: MachineReason, record: Told): string {
  return whyNotDone(record) === '' ? why.code : 'Withheld';
}

/** Who reads that a machine is on its way must not wait for one that nobody sends. */
function whyNotDone(record: Told): string {
  const { withheld, standstill } = record;
  if (withheld !== undefined) return `Planned and not done, because ${withheld}: `;
  return standstill === undefined || isByPerson(record) ? '' : `Decided and not begun, because ${standstill}: `;
}

/** What a person asked for is nothing that the plan gives a reason for. */
function isByPerson({ intent }: Told): boolean {
  return intent !== undefined && intent.kind !== 'bind' && intent.byPerson === true;
}
