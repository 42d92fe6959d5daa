/** What random fleets have in them: a search that rarely meets its subject promises little. */
import { sameRequirement, strictSpread } from '../../api/profile.ts';
import type { Need, NeedVerdict, Plan, Snapshot } from '../types.ts';

type Feature = (world: Snapshot, plan: Plan) => boolean;

const isSame = ({ profile }: Need): boolean => sameRequirement(profile) !== undefined;
const asks = ({ aggregate }: Need): boolean => aggregate.some(([, amount]) => amount > 0);
/** A gang that was planned by itself reads whether it is satisfiable. */
const isFolded = ({ need, sameSatisfiable }: NeedVerdict): boolean => isSame(need) && asks(need) && sameSatisfiable === undefined;
const isSpread = ({ profile }: Need): boolean => !profile.requirements.some((r) => r.operator === 'Same') && strictSpread(profile) !== undefined;
const preemptors = ({ verdicts }: Plan): readonly NeedVerdict[] => verdicts.filter(({ preemption }) => preemption !== undefined);

/** Each with the share of fleets that must have it. */
const FEATURES: readonly (readonly [name: string, least: number, Feature])[] = [
  ['Same, by itself', 0.1, (_, { verdicts }) => verdicts.some((v) => v.sameSatisfiable !== undefined)],
  ['Same, folded', 0.1, (_, { verdicts }) => verdicts.some(isFolded)],
  ['strict spread', 0.1, (_, { verdicts }) => verdicts.some(({ need }) => isSpread(need) && asks(need))],
  ['preemption', 0.1, (_, { actions }) => actions.some(({ kind }) => kind === 'Preempt')],
  ['Creating, with an intent', 0.1, ({ machines }) => machines.some((m) => m.state === 'Creating' && m.intent?.kind === 'bind')],
  ['several unit classes', 0.1, (_, { verdicts }) => verdicts.some((v, i) => v.need.cluster === verdicts[i + 1]?.need.cluster && v.need.fingerprint === verdicts[i + 1]?.need.fingerprint && v.need.group === verdicts[i + 1]?.need.group)],
  ['reservations in memory', 0.1, ({ memory }) => memory.some(({ what }) => what === 'reservation')],
  ['bound for less than it serves', 0.1, ({ machines }, { machineReasons }) => machines.some((m) => servedBy(m.id, machineReasons) > (m.assigned?.priority ?? Infinity))],
  ['bound for more than it serves', 0.1, ({ machines }, { machineReasons }) => machines.some((m) => servedBy(m.id, machineReasons) < (m.assigned?.priority ?? -Infinity))],
  ['a gang preempts', 0.01, (_, plan) => preemptors(plan).some(({ need }) => isSame(need))],
  ['a strict spread preempts', 0.01, (_, plan) => preemptors(plan).some(({ need }) => isSpread(need))],
];

function servedBy(machineId: string, reasons: Plan['machineReasons']): number {
  const reason = reasons.get(machineId);
  return reason?.code === 'Serving' ? reason.priority : Number.NaN;
}

export class Coverage {
  readonly #met = new Map<string, number>();
  #worlds = 0;

  meet(world: Snapshot, plan: Plan): Plan {
    this.#worlds++;
    for (const [name, , has] of FEATURES) if (has(world, plan)) this.#met.set(name, (this.#met.get(name) ?? 0) + 1);
    return plan;
  }

  /** One line per feature. */
  table(): string {
    const lines = FEATURES.map(([name]) => `  ${name.padEnd(30)} ${String(this.#met.get(name) ?? 0).padStart(6)}  ${(100 * this.#shareOf(name)).toFixed(1).padStart(5)} %`);
    return [`random fleets: ${this.#worlds}, of which with`, ...lines].join('\n');
  }

  /** Features that too few fleets have. */
  missing(): string[] {
    return FEATURES.filter(([name, least]) => this.#shareOf(name) < least).map(([name]) => name);
  }

  #shareOf(name: string): number {
    return (this.#met.get(name) ?? 0) / Math.max(1, this.#worlds);
  }
}
