import type { Plan, Snapshot } from '../engine/types.ts';

/** A plan, and what the engine knew when it made it: planning `snapshot` at `plan.at` gives `plan` again, byte for byte. */
export interface PlannedState {
  readonly snapshot: Snapshot;
  readonly plan: Plan;
}

export interface PlannedStatesOptions {
  /** What the engine knows. Read in the turn of a plan, before anything of the plan is committed. */
  readonly snapshot: () => Snapshot;
  /** Has a plan made soon. */
  readonly wake: () => void;
}

/**
 * States of the engine together with the plans that it made of them, for whoever asks: a snapshot that carries a plan which
 * anybody can check. It costs time in the turn of a plan, but only while somebody waits.
 */
export class PlannedStates {
  readonly #options: PlannedStatesOptions;
  #waiting: PromiseWithResolvers<PlannedState> | undefined;

  constructor(options: PlannedStatesOptions) {
    this.#options = options;
  }

  /** Of the next plan, which is asked for at once. Rejects when no more plans are made. */
  next(): Promise<PlannedState> {
    this.#waiting ??= Promise.withResolvers();
    this.#options.wake();
    return this.#waiting.promise;
  }

  /** A plan has been made, in this turn, and nothing of it is committed yet. */
  planned(plan: Plan): void {
    const waiting = this.#waiting;
    if (waiting === undefined) return;
    this.#waiting = undefined;
    try {
      waiting.resolve({ snapshot: this.#options.snapshot(), plan: kept(plan) });
    } catch (error) {
      waiting.reject(error);
    }
  }

  stop(): void {
    this.#waiting?.reject(new Error('the shard is ending'));
    this.#waiting = undefined;
  }
}

/** Reasons of machines are a view that the next plan moves on. */
function kept(plan: Plan): Plan {
  const reasons = new Map(plan.machineReasons);
  return { ...plan, machineReasons: { get: (id) => reasons.get(id), changed: [], [Symbol.iterator]: () => reasons.entries() } };
}
