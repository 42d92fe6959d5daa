import { amounts, equal, inProportion, least, max, minus, plus, texts } from './amount-vectors.ts';
import type { ExactAmounts } from './contribution.ts';

/** A Pod of the row that the scheduler could not place when the roll-up was built. */
export interface UnplacedPod {
  readonly requestKey: string;
  readonly amounts: ExactAmounts;
  /** The scheduler's own words. */
  readonly message: string;
}

/** A Ready machine of the fleet that serves nobody. */
export interface EmptyMachine {
  readonly machineId: string;
  readonly allocatable: ExactAmounts;
}

/** What a step needs to know of one row; rows with a Same requirement have no allowance and are not passed. */
export interface RowView {
  readonly key: string;
  /** Σ requests, without the allowance. */
  readonly requests: () => ExactAmounts;
  readonly unplaced: readonly UnplacedPod[];
  /** What Pods of the row need that will find no room on the machines there are and those announced. */
  readonly rest?: { readonly amounts: ExactAmounts; taken(): void };
  /** Whether the shard has given the row all that it asked for in a roll-up not older than `since`, if only on its way. */
  readonly granted?: (since: bigint) => boolean;
  /** Whether a scheduler may still be about to bind Pods of the row that it has said nothing of. */
  readonly isAwaited?: () => boolean;
  /** Whether the shard called the row satisfied in a roll-up not older than `since`; undefined = no word yet. */
  readonly satisfied: (since: bigint) => boolean | undefined;
  /** A machine that matches the row and covers its unit has been announced and is not a Ready Node yet. */
  readonly onItsWay: () => boolean;
  /** Machines among `empty` that match the row and cover its unit. */
  readonly matches: (machine: EmptyMachine) => boolean;
}

interface Allowance {
  sigma: Map<string, bigint>;
  /** Of sigma, what was foreseen: it is exact, and no reason to double it. */
  foreseen?: Map<string, bigint>;
  /** Σ requests at the last step: what a shrinking demand is compared with. */
  requests: ReadonlyMap<string, bigint>;
  /** Timestamp of the first roll-up that held the present sigma. */
  since: bigint;
  doublings: number;
  /** The last roll-up at which Pods waited and a machine for them was on its way, and what the scheduler said of each then. */
  arriving?: { readonly at: bigint; readonly words: ReadonlyMap<string, string> };
  /** Growing has not helped in this episode. */
  givenUp: boolean;
  /** The machine that stood empty when it was given up, or has since. */
  witness?: string | undefined;
  /** Timestamp of the roll-up at which it was given up or, since then, last tried again. */
  triedAt: bigint;
}

/** Rows were made smaller, and what the shard makes of it is still to be seen. */
interface Release {
  readonly rows: ReadonlyMap<string, { readonly before: Map<string, bigint>; readonly after: Map<string, bigint> }>;
  /** The machines that were to go for it, or others as empty. */
  readonly empty: ReadonlySet<string>;
  readonly since: bigint;
  /** Roll-ups since the shard's word on it. */
  steps: number;
}

interface Streak {
  readonly steps: number;
  readonly since: bigint;
}

export interface AllowanceOptions {
  /**
   * How long, in nanoseconds of the roll-ups' timestamps, a scheduler may leave a Pod waiting beside an empty machine before that
   * says that the Pod does not fit. kube-scheduler tries a Pod again after up to 10 s. Default 0: two roll-ups are enough.
   */
  readonly turnNanos?: bigint;
  /**
   * After how long, in nanoseconds, a row that has been given up asks for its waiting Pods once more, if no machine stood empty: what
   * came for them was used by others. Default: a minute.
   */
  readonly retryNanos?: bigint;
}

export interface Surroundings {
  /** Whether Pods run on the machine. Default: none do. */
  readonly inUse?: (machineId: string) => boolean;
  /**
   * How many of the cluster's machines no row has any use for, in what the shard made of a roll-up not older than `since`;
   * undefined = no word yet. Default: none.
   */
  readonly surplus?: (since: bigint) => number | undefined;
}

interface Empty {
  readonly inUse: (machineId: string) => boolean;
  /** How many more machines may make a row smaller. */
  readonly releasable: () => number;
  /** Empty for long enough to say that they do not help. */
  readonly idle: readonly EmptyMachine[];
  /** Empty, and not for long. */
  readonly fresh: readonly EmptyMachine[];
  /** Of `idle`, those that have made a row smaller already. */
  readonly spent: Set<EmptyMachine>;
  readonly shrunk: Map<string, { before: Map<string, bigint>; after: Map<string, bigint> }>;
}

const STEPS_BEFORE_ACTING = 2;
const MAX_DOUBLINGS = 4;
/** So many roll-ups after the shard's word an empty machine is on its way out, unless others go in its stead. */
const STEPS_TO_LEAVE = 3;
const STEPS_OF_REST = 60;

/** The saved form: amounts in billionths as decimal text. What comes from outside goes through parseSavedAllowances first. */
export type SavedAllowances = Readonly<Record<string, { readonly sigma: Readonly<Record<string, string>>; readonly requests: Readonly<Record<string, string>> }>>;

/**
 * Corrects gross accounting by feedback (D3): where the shard calls a row satisfied and Pods still find no place, the row
 * reports more than its requests. One step per roll-up; nothing here reads a clock or the cluster.
 */
export class Allowances {
  private readonly rows = new Map<string, Allowance>();
  private pods = new Map<string, Streak>();
  private machines = new Map<string, Streak>();
  private misfits = new Map<string, string>();
  private readonly turnNanos: bigint;
  private readonly retryNanos: bigint;
  /** Timestamp of the first roll-up that held all present sigmas. */
  private changedAt = 0n;
  private release: Release | undefined;
  private rest = 0;

  constructor({ turnNanos = 0n, retryNanos = 60_000_000_000n }: AllowanceOptions = {}) {
    this.turnNanos = turnNanos;
    this.retryNanos = retryNanos;
  }

  /** Rows in the roll-up's order; `timestamp` names the roll-up that is being built. Returns sigma per row, where there is any. */
  step(rows: readonly RowView[], empty: readonly EmptyMachine[], timestamp: bigint, { inUse = () => false, surplus = () => 0 }: Surroundings = {}): ReadonlyMap<string, ExactAmounts> {
    this.pods = continued(this.pods, rows.flatMap((row) => row.unplaced.map((pod) => pod.requestKey)), timestamp);
    this.machines = continued(this.machines, empty.map((machine) => machine.machineId), timestamp);
    const idle = empty.filter((machine) => this.lasts(this.machines.get(machine.machineId)));
    const fresh = empty.filter((machine) => !idle.includes(machine));
    // A verdict that is late must not take back what was said of a Pod that still waits.
    const waiting = new Map(rows.flatMap((row) => row.unplaced.map((pod) => [pod.requestKey, pod.message] as const)));
    this.misfits = new Map([...this.misfits.keys()].flatMap((key) => (waiting.has(key) ? [[key, waiting.get(key) ?? ''] as const] : [])));

    const present = new Set(rows.map((row) => row.key));
    for (const key of this.rows.keys()) if (!present.has(key)) this.rows.delete(key);
    this.watchRelease(empty, surplus, timestamp);
    const spent = new Set<EmptyMachine>();
    const shrunk = new Map<string, { before: Map<string, bigint>; after: Map<string, bigint> }>();
    const result = new Map<string, ExactAmounts>();
    const isAllowed = this.release === undefined && this.rest === 0;
    const { changedAt } = this;
    let excess: number | undefined;
    // What is empty beyond the surplus is what rows still ask for, because busy machines are the last to be surplus (D13).
    const releasable = (): number => (isAllowed ? empty.length - (excess ??= surplus(changedAt) ?? Infinity) - spent.size : 0);
    for (const row of rows) {
      const allowance = this.rows.get(row.key);
      if (!allowance && row.unplaced.length === 0 && !row.rest) continue;
      const sigma = this.stepRow(row, allowance, { idle, fresh, spent, shrunk, inUse, releasable }, timestamp);
      if (sigma.size > 0) result.set(row.key, [...sigma]);
    }
    if (shrunk.size > 0) this.release = { rows: shrunk, empty: new Set(empty.map(({ machineId }) => machineId)), since: timestamp, steps: 0 };
    return result;
  }

  /** The scheduler's message for a request whose Pod does not fit although there is capacity. */
  misfitOf(requestKey: string): string | undefined {
    return this.misfits.get(requestKey);
  }

  misfitKeys(): Iterable<string> {
    return this.misfits.keys();
  }

  save(): SavedAllowances {
    return Object.fromEntries([...this.rows].filter(([, a]) => a.sigma.size > 0).map(([key, a]) => [key, { sigma: texts(a.sigma), requests: texts(a.requests) }]));
  }

  restore(saved: SavedAllowances): void {
    for (const [key, { sigma, requests }] of Object.entries(saved)) {
      this.rows.set(key, { sigma: amounts(sigma), requests: amounts(requests), since: 0n, doublings: 0, givenUp: false, triedAt: 0n });
    }
  }

  private stepRow(row: RowView, known: Allowance | undefined, { idle, fresh, spent, shrunk, inUse, releasable }: Empty, timestamp: bigint): Map<string, bigint> {
    const allowance = known ?? { sigma: new Map<string, bigint>(), requests: new Map<string, bigint>(), since: 0n, doublings: 0, givenUp: false, triedAt: 0n };
    const before = allowance.sigma;
    const requests = new Map(row.requests());
    allowance.sigma = inProportion(before, allowance.requests, requests);
    allowance.requests = requests;
    const kept = allowance.sigma;

    const machine = idle.find((m) => !spent.has(m) && row.matches(m));
    const isTurnOver = machine === undefined || timestamp - (this.machines.get(machine.machineId)?.since ?? timestamp) >= this.turnNanos;
    if (row.unplaced.length === 0) {
      allowance.doublings = 0;
      allowance.givenUp = false;
    } else if (isTurnOver && !fresh.some((m) => row.matches(m))) {
      // What has just come is as good as on its way: the scheduler has not had its turn with it.
      if (!machine) this.reconsider(row, allowance, inUse);
      this.grow(row, allowance, machine, timestamp);
    }
    if (allowance.sigma === kept) this.foresee(row, allowance);
    // A scheduler that is behind has not looked at what was foreseen.
    const isForeseen = least(allowance.foreseen, allowance.sigma).size > 0;
    const isTaken = (row.unplaced.length > 0 && !isTurnOver) || (isForeseen && row.isAwaited?.() === true);
    if (machine && allowance.sigma.size > 0 && !isTaken && releasable() > 0) {
      spent.add(machine);
      const less = minus(allowance.sigma, new Map(machine.allocatable));
      shrunk.set(row.key, { before: allowance.sigma, after: less });
      allowance.sigma = less;
    }
    if (!equal(before, allowance.sigma)) allowance.since = this.changedAt = timestamp;
    if (allowance.sigma.size > 0 || row.unplaced.length > 0) this.rows.set(row.key, allowance);
    else this.rows.delete(row.key);
    return allowance.sigma;
  }

  /**
   * What a row no longer asks for may be a machine that another row takes instead of its own, and then machines with Pods on
   * them are left over, not empty ones. That is taken back before the shard's patience with them ends (D32): Pods of which
   * none has come or gone stay where they are.
   */
  private watchRelease(empty: readonly EmptyMachine[], surplus: (since: bigint) => number | undefined, timestamp: bigint): void {
    if (this.rest > 0) this.rest--;
    const { release } = this;
    const left = release && surplus(release.since);
    if (!release || left === undefined) return;
    const still = empty.filter(({ machineId }) => release.empty.has(machineId)).length;
    if (left > 0 && still === release.empty.size && ++release.steps <= STEPS_TO_LEAVE) return;
    this.release = undefined;
    if (release.steps <= STEPS_TO_LEAVE) return;
    this.rest = STEPS_OF_REST;
    for (const [key, { before, after }] of release.rows) {
      const allowance = this.rows.get(key) ?? { sigma: after, requests: new Map<string, bigint>(), since: 0n, doublings: 0, givenUp: false, triedAt: 0n };
      if (!equal(allowance.sigma, after)) continue;
      allowance.sigma = before;
      allowance.since = this.changedAt = timestamp;
      this.rows.set(key, allowance);
    }
  }

  /**
   * Room that will lack is asked for before the scheduler has failed, as soon as the shard has answered for what was asked
   * before: once for each Pod that lacks it, or nearly.
   */
  private foresee({ rest, granted }: RowView, allowance: Allowance): void {
    if (!rest || allowance.givenUp || granted?.(allowance.since) !== true) return;
    const more = new Map(rest.amounts);
    allowance.foreseen = plus(allowance.foreseen ?? new Map<string, bigint>(), more);
    allowance.sigma = plus(allowance.sigma, more);
    rest.taken();
  }

  /** The machine that stood empty is used after all: the scheduler was late, and it proved nothing. Each time costs a doubling. */
  private reconsider(row: RowView, allowance: Allowance, inUse: Empty['inUse']): void {
    if (!allowance.givenUp || allowance.witness === undefined || !inUse(allowance.witness)) return;
    allowance.givenUp = false;
    allowance.witness = undefined;
    allowance.doublings++;
    for (const pod of row.unplaced) this.misfits.delete(pod.requestKey);
  }

  private grow(row: RowView, allowance: Allowance, empty: EmptyMachine | undefined, timestamp: bigint): void {
    const isArriving = row.onItsWay();
    if (isArriving) allowance.arriving = { at: timestamp, words: new Map(row.unplaced.map(({ requestKey, message }) => [requestKey, message])) };
    const lasting = row.unplaced.filter((pod) => this.lasts(this.pods.get(pod.requestKey)));
    if (lasting.length === 0) return;
    const since = lasting.reduce((latest, pod) => max(latest, this.pods.get(pod.requestKey)?.since ?? timestamp), allowance.since);
    if (isArriving || row.satisfied(since) !== true) return;
    // A busy scheduler gets round to a Pod long after what has come for it is there, and may give that to others first. That it has
    // looked again shows in its words: they count the Nodes.
    const { arriving } = allowance;
    if (arriving && timestamp - arriving.at < this.turnNanos && lasting.some((pod) => arriving.words.get(pod.requestKey) === pod.message)) return;
    if (!allowance.givenUp && (empty !== undefined || allowance.doublings >= MAX_DOUBLINGS)) {
      allowance.givenUp = true;
      allowance.witness = undefined;
      allowance.triedAt = timestamp;
    }
    const wanted = new Map<string, bigint>();
    for (const pod of lasting) for (const [dimension, nanos] of pod.amounts) wanted.set(dimension, (wanted.get(dimension) ?? 0n) + nanos);
    if (allowance.givenUp) {
      for (const pod of lasting) this.misfits.set(pod.requestKey, pod.message);
      allowance.witness ??= empty?.machineId;
      if (allowance.witness !== undefined || timestamp - allowance.triedAt < this.retryNanos) return;
      allowance.triedAt = timestamp;
      allowance.sigma = plus(allowance.sigma, wanted);
      return;
    }
    const foreseen = least(allowance.foreseen, allowance.sigma);
    const learnt = minus(allowance.sigma, foreseen);
    if (learnt.size > 0) allowance.doublings++; // the first step is none
    for (const [dimension, nanos] of learnt) wanted.set(dimension, max(wanted.get(dimension) ?? 0n, 2n * nanos));
    allowance.sigma = plus(foreseen, wanted);
  }

  private lasts(streak: Streak | undefined): boolean {
    return streak !== undefined && streak.steps >= STEPS_BEFORE_ACTING;
  }
}

/** Streaks of the keys that are here again; of new ones this step is the first. */
function continued(before: ReadonlyMap<string, Streak>, now: readonly string[], timestamp: bigint): Map<string, Streak> {
  return new Map(now.map((key) => {
    const streak = before.get(key);
    return [key, streak ? { steps: streak.steps + 1, since: streak.since } : { steps: 1, since: timestamp }] as const;
  }));
}
