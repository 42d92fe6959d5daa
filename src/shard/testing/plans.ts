import { reasonsOf } from '../../engine/decide/machine-reasons.ts';
import type { MachineState, NeedVerdict, Plan } from '../../engine/types.ts';

const NONE: Record<MachineState, number> = { Speculative: 0, Creating: 0, Idle: 0, Configuring: 0, Configured: 0, Draining: 0, Deleting: 0, Failed: 0 };

/** A plan of the given verdicts that decides nothing, unless said otherwise. */
export function plan(verdicts: readonly NeedVerdict[] = [], fields: Partial<Omit<Plan, 'stats'>> & { stats?: Partial<Plan['stats']> } = {}): Plan {
  return {
    at: 0, actions: [], machineReasons: reasonsOf(new Map()), memory: [], verdicts, ...fields,
    stats: { machines: 0, needs: verdicts.length, unmet: verdicts.filter((v) => !v.satisfied).length, byState: NONE, microUsdPerHour: 0, actions: {}, ...fields.stats },
  };
}

export function byState(counts: Partial<Record<MachineState, number>>): Record<MachineState, number> {
  return { ...NONE, ...counts };
}
