import type { Captured, Plan } from '../engine/types.ts';

/** A plan, and what the engine knew when it made it: planning these facts at `plan.at` gives `plan` again, byte for byte. */
export interface PlannedState {
  readonly facts: Captured;
  readonly plan: Plan;
}

export interface PlannedStatesOptions {
  /** What the engine knows. Read in the turn of a plan, before anything of the plan is committed. */
  readonly capture: () => Captured;
  /** Has a plan made soon. */
  readonly wake: () => void;
}

/**
 * States of the engine together with the plans that it made of them, for whoever asks: a snapshot that carries a plan which
 * anybody can check. It costs some milliseconds in the turn of a plan, but only while somebody waits.
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
      const facts = this.#options.capture();
      // Reasons of machines are a view that the next plan moves on.
      waiting.resolve({ facts, plan: { ...plan, machineReasons: facts.machineReasons } });
    } catch (error) {
      waiting.reject(error);
    }
  }

  stop(): void {
    this.#waiting?.reject(new Error('the shard is ending'));
    this.#waiting = undefined;
  }
}
