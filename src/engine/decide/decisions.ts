/**
 * What a plan decided, machine by machine, in order. Nobody reads tens of thousands of decisions in the turn in which they
 * are made: they become actions when somebody does, from what was known then.
 */
import type { Action, ActionKind } from '../types.ts';

/** The action about a machine: decisions that differ in nothing else share one. */
export type Decision = (machineId: string) => Action;

interface Run {
  readonly ids: readonly string[];
  readonly decisions: readonly Decision[];
  /** By machine: which of the decisions. */
  readonly which: readonly number[];
}

export class Decisions {
  readonly byKind: Partial<Record<ActionKind, number>> = {};
  size = 0;
  readonly #runs: (Run | Action)[] = [];
  #actions: readonly Action[] | undefined;

  /** Made when they are first asked for. */
  get actions(): readonly Action[] {
    if (this.#actions !== undefined) return this.#actions;
    const actions: Action[] = [];
    for (const run of this.#runs) {
      if ('kind' in run) actions.push(run);
      else run.ids.forEach((id, i) => actions.push((run.decisions[run.which[i] as number] as Decision)(id)));
    }
    return (this.#actions = actions);
  }

  add(action: Action): void {
    this.#count(action.kind, 1);
    this.#runs.push(action);
  }

  addRun(kind: ActionKind, run: Run): void {
    this.#count(kind, run.ids.length);
    this.#runs.push(run);
  }

  #count(kind: ActionKind, n: number): void {
    this.byKind[kind] = (this.byKind[kind] ?? 0) + n;
    this.size += n;
  }
}
