/** What the reasons of machines are about, as a plan out of a file says it: what a sentence is made of must be there. */
import type { MachineReason, MachineState } from '../engine/types.ts';
import { numberFrom, objectAt, oneOf, text, within } from './reader.ts';
import type { Read } from './reader.ts';
import { amount, priority } from './values.ts';

/** The sum of any instant and any duration that a snapshot may have. */
const time = numberFrom(0, 2 * Number.MAX_SAFE_INTEGER, 'Unix milliseconds');
const duration = numberFrom(0, Number.MAX_SAFE_INTEGER, 'milliseconds');
const cost = numberFrom(0, Number.MAX_VALUE, 'micro-USD per hour');
const state = oneOf('Speculative', 'Creating', 'Idle', 'Configuring', 'Configured', 'Draining', 'Deleting', 'Failed') satisfies Read<MachineState>;
const rail = oneOf('fraction', 'perMinute', 'concurrentDrains');
const cluster = text;
const demand = { cluster, fingerprint: text, group: text, unitClass: text, priority, foldedAs: ifGiven(text) };

type Code = MachineReason['code'];

const OPERANDS: { readonly [C in Code]: Readonly<Record<Exclude<keyof (MachineReason & { code: C }), 'code'>, Read<unknown>>> } = {
  Serving: demand,
  InFlight: demand,
  AcquiredIdle: { ...demand, effectiveMicroUsdPerHour: cost },
  AcquiredSpeculative: { ...demand, effectiveMicroUsdPerHour: cost },
  Preempted: { cluster, victimPriority: ifGiven(priority), forCluster: text, fingerprint: text, priority },
  Reserved: demand,
  Excess: { cluster, sinceMs: time },
  ExcessWithinPatience: { cluster, sinceMs: time, untilMs: time, pods: amount },
  ExcessCapped: { cluster, rail },
  ExcessNoRollupYet: { cluster },
  ExcessNoSession: { cluster },
  ExcessDoNotDisrupt: { cluster },
  ExcessDrainRefused: { cluster },
  ExcessConfiguring: { cluster },
  ArrivingForNobody: {},
  SupplyUntrusted: {},
  IdleHeld: { untilMs: time },
  IdleKept: {},
  HoldExpired: { heldMs: duration },
  Available: {},
  NoLongerNeeded: { cluster, fingerprint: text },
  HeldByPerson: {},
  Stuck: { state },
  Leaving: { cluster },
  Failed: {},
};

/** Throws SnapshotError for what lacks something. A code that this version does not know may be about anything. */
export function checkReason(value: unknown, path: string): void {
  const reason = objectAt(value, path);
  const code = text(reason['code'], within(path, 'code'));
  if (!Object.hasOwn(OPERANDS, code)) return;
  for (const [operand, read] of Object.entries<Read<unknown>>(OPERANDS[code as Code])) read(reason[operand], within(path, operand));
}

function ifGiven(read: Read<unknown>): Read<unknown> {
  return (value, path) => value === undefined || read(value, path);
}
