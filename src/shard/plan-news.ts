import type { MachineState } from '../engine/types.ts';
import type { InventoryChange } from './inventory.ts';
import type { MachineIntent, MachineRecord } from './record.ts';
import { differs } from './settle.ts';

/**
 * Whether a change of a machine calls for another plan at once. Decisions of the plan itself come back as changes too, and so
 * does that they were begun: only what the provider or a person did is news (spec: engine 10.3).
 */
export function isNewsForThePlan({ before, after }: InventoryChange): boolean {
  if (!before || !after) return true;
  if (before.seen !== after.seen && !isAsDecided(before, after)) return true;
  return before.hold !== after.hold || before.stuck !== after.stuck || before.coolUntil !== after.coolUntil || before.drainRefusal !== after.drainRefusal || (before.intent !== undefined && after.intent === undefined);
}

/** The machine has gone where it was sent, and nothing else about it is new. */
function isAsDecided(before: MachineRecord, after: MachineRecord): boolean {
  const { state, cluster } = before.seen;
  return isBeginning(before.intent, state, after.seen.state) && !differs({ ...after.seen, state, cluster }, before.seen);
}

function isBeginning(intent: MachineIntent | undefined, from: MachineState, to: MachineState): boolean {
  switch (intent?.kind) {
    case undefined:
      return false;
    case 'bind':
      return (from === 'Speculative' && to === 'Creating') || (from === 'Idle' && to === 'Configuring');
    case 'unbind':
      return from === 'Configured' && to === 'Draining';
    case 'release':
      return to === 'Deleting' && from !== to;
  }
}
