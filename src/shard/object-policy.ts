import type { MachineState } from '../engine/types.ts';
import type { MachineRecord } from './record.ts';

/** Which machines are kept as objects (D22). */
export type MachineObjects = 'NonSpeculative' | 'Exceptional';

/** Above this many machines that are not Speculative the shard keeps objects of exceptions only … */
const MANY_MACHINES = 20_000;
/** … until there are fewer than this. */
const FEW_MACHINES = 15_000;

const TRANSITIONAL: ReadonlySet<MachineState> = new Set(['Creating', 'Configuring', 'Draining', 'Deleting']);

/** Pure: the mode for so many machines; between the two marks it stays as it is. */
export function machineObjectsMode(wanted: MachineObjects, current: MachineObjects, nonSpeculative: number): MachineObjects {
  if (wanted === 'Exceptional') return 'Exceptional';
  if (nonSpeculative > MANY_MACHINES) return 'Exceptional';
  return current === 'Exceptional' && nonSpeculative >= FEW_MACHINES ? 'Exceptional' : 'NonSpeculative';
}

/** Pure: whether the machine has an object. `asked`: a person made one for it. */
export function wantsObject(record: MachineRecord, mode: MachineObjects, asked: boolean): boolean {
  if (asked || record.intent !== undefined || record.hold) return true;
  const { state } = record.seen;
  if (mode === 'NonSpeculative') return state !== 'Speculative';
  return TRANSITIONAL.has(state) || state === 'Failed' || record.stuck;
}
