/** What every suite takes and gives. A suite is a module beside this file that exports `run`. */

export interface BenchOptions {
  /** One shape, or all whose names begin with it and a hyphen; absent = every shape of the suite. */
  readonly shape?: string;
  /** Samples per row; a row may take fewer when its time is up, never fewer than three. */
  readonly samples: number;
  /** Seconds that one row may spend on samples. */
  readonly budgetSeconds: number;
  /** A folder with a trace, for suites that play one. */
  readonly trace?: string;
  /** Pods of suites that submit some. */
  readonly pods?: number;
  /** How Pods become demand, in suites with operators. */
  readonly podDemand?: 'direct' | 'requests';
  /** Machines per slice where a suite loads in slices. */
  readonly slice: number;
  /** One line of progress, for stderr. */
  readonly progress: (line: string) => void;
  /** Stops child processes when the person has had enough. */
  readonly signal: AbortSignal;
}

/** One line of a BenchReport. Figures that were not measured are absent, never 0. */
export interface BenchRow {
  readonly bench: string;
  readonly shape: string;
  readonly machines?: number;
  readonly needs?: number;
  readonly actions?: number;
  readonly samples?: number;
  readonly p50Ms?: number;
  readonly p99Ms?: number;
  readonly maxMs?: number;
  readonly floorMs?: number;
  readonly ratioToFloor?: number;
  readonly bytesPerMachine?: number;
  readonly rssBytes?: number;
  readonly decisionsPerSecond?: number;
  readonly goals?: readonly GoalResult[];
  readonly [more: string]: unknown;
}

/** A goal stands beside its figure; what does not pass fails a run only with `--gate`. */
export interface GoalResult {
  readonly field: string;
  readonly below: number;
  readonly met: boolean;
  /** Whether a gate lets it pass; absent = if it is met. */
  readonly passes?: boolean;
}

export interface SuiteResult {
  readonly rows: readonly BenchRow[];
  /** Inputs or decisions that are not what they must be: times of wrong work say nothing. */
  readonly failures: readonly string[];
}

export interface Suite {
  readonly run: (options: BenchOptions) => Promise<SuiteResult>;
  /** Printed by `bench SUITE --help` below the flags. */
  readonly help?: string;
  /** The suite's own table for people; absent = the common one. */
  readonly table?: (rows: readonly BenchRow[]) => string;
}
