import { describe, expect, it } from 'vitest';
import { MachineState as WireState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { UnmetReason as WireReason } from '../api/gen/bigfleet/v1alpha1/shardread.ts';
import { need, requirement, sameZone, zoneSpread, amounts } from '../engine/testing/builders.ts';
import type { UnmetReason } from '../engine/types.ts';
import { stateOfWire, stateToWire } from '../provider/kit/wire.ts';
import { ingestRollup } from './rollup-ingest.ts';
import { rollup } from './testing/needs.ts';
import { reasonNumber, wireNeed } from './wire-names.ts';

describe('names on the wire', () => {
  it('of states go there and back', () => {
    const states = ['Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed'] as const;
    expect(states.map((state) => stateOfWire(stateToWire(state)))).toEqual(states);
    expect(stateToWire('Speculative')).toBe(WireState.MACHINE_STATE_SPECULATIVE);
  });

  it('of reasons are the public numbers and ours', () => {
    const table: Record<UnmetReason, number> = {
      PRIORITY_STARVED: WireReason.UNMET_REASON_PRIORITY_STARVED,
      NO_MATCHING_SUPPLY: WireReason.UNMET_REASON_NO_MATCHING_SUPPLY,
      TOPOLOGY_UNSATISFIABLE: WireReason.UNMET_REASON_TOPOLOGY_UNSATISFIABLE,
      PREEMPTION_EXHAUSTED: WireReason.UNMET_REASON_PREEMPTION_EXHAUSTED,
      PREEMPTION_IN_PROGRESS: 101, SUPPLY_EXHAUSTED: 102, SPREAD_UNSATISFIABLE: 103, LIMIT_REACHED: 104, NO_SESSION: 105, DISRUPTION_BLOCKED: 106,
    };
    for (const [reason, number] of Object.entries(table)) expect(reasonNumber(reason as UnmetReason)).toBe(number);
    expect(new Set(Object.values(table)).size).toBe(10);
    expect(reasonNumber(undefined)).toBe(0);
  });

  it('of a whole Need survive the way to the wire and back', () => {
    const original = need({
      cluster: 'east', group: 'g', priority: -3, interruptionBucket: 27, reclamationBucket: 2,
      requirements: [requirement('a', 'In', 'x', 'y'), requirement('b', 'NotIn', 'z'), requirement('c', 'Exists'), requirement('d', 'DoesNotExist'), sameZone()]
        .sort((x, y) => (x.key < y.key ? -1 : 1)),
      spread: [zoneSpread(2), zoneSpread(3, 'ScheduleAnyway'), zoneSpread(4, 'Unspecified')],
      aggregate: amounts({ cpu: 12.5, memory: 3, gpu: 8 }), minUnit: amounts({ cpu: 0.25, memory: 1 }),
    });
    expect(ingestRollup('east', rollup([wireNeed(original)])).needs).toEqual([original]);
  });
});
