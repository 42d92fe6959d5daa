/** What random fleets have in them: a search that rarely meets its subject promises little. */
import { sameRequirement, strictSpread } from '../../api/profile.ts';
import type { Need, NeedVerdict, Plan, Snapshot } from '../types.ts';

type Feature = (world: Snapshot, plan: Plan) => boolean;

/** What every property must meet in at least a tenth of its fleets. */
export type Subject = 'Same' | 'spread' | 'preemption' | 'Creating' | 'unit classes';
export const SUBJECTS: readonly Subject[] = ['Same', 'spread', 'preemption', 'Creating', 'unit classes'];

const isSame = ({ profile }: Need): boolean => sameRequirement(profile) !== undefined;
const asks = ({ aggregate }: Need): boolean => aggregate.some(([, amount]) => amount > 0);
/** A gang that was planned by itself reads whether it is satisfiable. */
const isFolded = ({ need, sameSatisfiable }: NeedVerdict): boolean => isSame(need) && asks(need) && sameSatisfiable === undefined;
const isSpread = ({ profile }: Need): boolean => !profile.requirements.some((r) => r.operator === 'Same') && strictSpread(profile) !== undefined;
const preemptors = ({ verdicts }: Plan): readonly NeedVerdict[] => verdicts.filter(({ preemption }) => preemption !== undefined);
const isOneDemand = (a: Need, b: Need | undefined): boolean => a.cluster === b?.cluster && a.fingerprint === b.fingerprint && a.group === b.group;

const FEATURES: Readonly<Record<string, Feature>> = {
  Same: (_, { verdicts }) => verdicts.some(({ need }) => isSame(need) && asks(need)),
  spread: (_, { verdicts }) => verdicts.some(({ need }) => isSpread(need) && asks(need)),
  preemption: (_, { actions }) => actions.some(({ kind }) => kind === 'Preempt'),
  Creating: ({ machines }) => machines.some((m) => m.state === 'Creating'),
  'unit classes': (_, { verdicts }) => verdicts.some(({ need }, i) => isOneDemand(need, verdicts[i + 1]?.need)),
  'Same, by itself': (_, plan) => choosesDomain(plan),
  'Same, folded': (_, { verdicts }) => verdicts.some(isFolded),
  'Creating, decided for': ({ machines }) => machines.some((m) => m.state === 'Creating' && m.intent?.kind === 'bind'),
  reservations: ({ memory }) => memory.some(({ what }) => what === 'reservation'),
  'bound for less than it serves': ({ machines }, { machineReasons }) => machines.some((m) => servedBy(m.id, machineReasons) > (m.assigned?.priority ?? Infinity)),
  'bound for more than it serves': ({ machines }, { machineReasons }) => machines.some((m) => servedBy(m.id, machineReasons) < (m.assigned?.priority ?? -Infinity)),
  'a gang preempts': (_, plan) => preemptors(plan).some(({ need }) => isSame(need)),
  'a strict spread preempts': (_, plan) => preemptors(plan).some(({ need }) => isSpread(need)),
};

/** What a whole file of properties must have met besides, and in which share of its fleets. */
const OF_A_FILE: Readonly<Record<string, number>> = {
  'Same, by itself': 0.1, 'Same, folded': 0.08, 'Creating, decided for': 0.1, reservations: 0.1, 'bound for less than it serves': 0.1,
  'bound for more than it serves': 0.1, 'a gang preempts': 0.01, 'a strict spread preempts': 0.01,
};

function servedBy(machineId: string, reasons: Plan['machineReasons']): number {
  const reason = reasons.get(machineId);
  return reason?.code === 'Serving' ? reason.priority : Number.NaN;
}

/** Some gang is planned by itself, in a domain of its choice, not together with others as one plain Need. */
export function choosesDomain({ verdicts }: Plan): boolean {
  return verdicts.some(({ sameSatisfiable }) => sameSatisfiable !== undefined);
}

export class Coverage {
  readonly #met = new Map<string, number>();
  #fleets = 0;

  /** `features` are looked for among all of the plans that were made of the fleet. */
  meet(features: ReadonlySet<string>): void {
    this.#fleets++;
    for (const feature of features) this.#met.set(feature, (this.#met.get(feature) ?? 0) + 1);
  }

  add(other: Coverage): void {
    this.#fleets += other.#fleets;
    for (const [feature, times] of other.#met) this.#met.set(feature, (this.#met.get(feature) ?? 0) + times);
  }

  /** `2000 fleets, of which with Same 61 %, spread 48 %`. */
  line(features: readonly string[] = SUBJECTS): string {
    return `${String(this.#fleets)} fleets, of which with ${features.map((name) => `${name} ${(100 * this.#shareOf(name)).toFixed(0)} %`).join(', ')}`;
  }

  /** Of these, the subjects that too few fleets have. */
  missing(subjects: readonly Subject[]): string[] {
    return subjects.filter((name) => this.#shareOf(name) < 0.1);
  }

  /** What the fleets of a whole file lack. */
  missingOfFile(): string[] {
    return Object.entries(OF_A_FILE).filter(([name, least]) => this.#shareOf(name) < least).map(([name]) => name);
  }

  lineOfFile(): string {
    return this.line(Object.keys(OF_A_FILE));
  }

  #shareOf(name: string): number {
    return (this.#met.get(name) ?? 0) / Math.max(1, this.#fleets);
  }
}

/** What a fleet and its plan have in them. */
export function featuresOf(world: Snapshot, plan: Plan): Set<string> {
  return new Set(Object.keys(FEATURES).filter((name) => (FEATURES[name] as Feature)(world, plan)));
}
