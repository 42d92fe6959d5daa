import type { DemandEvent } from './state-log.ts';
import type { DemandPlan } from './plan.ts';

/** Where one planned Pod stands. */
export interface Life {
  /** 0 for the first Pod, then one more for each that has to replace it. */
  r: number;
  state: 'planned' | 'submitted' | 'bound' | 'finished';
  /** What is left to live, from the binding of the present Pod on; undefined = until told. */
  leftMs: number | undefined;
  /** Wall clock, set while bound. */
  boundAt: number;
  /** Whether any of its Pods was ever bound. */
  everBound: boolean;
  /** The API server would not take its Pod. */
  refused: boolean;
}

export interface DemandState {
  startedAt: number | undefined;
  readonly lives: Map<number, Life>;
  /** Steps that are not Pods and have been carried out. */
  readonly done: Set<number>;
  recreated: number;
  /** Time of the last thing known. */
  lastAt: number;
}

/** What the log says about a plan: the generator continues from here after a kill. */
export function replay(plan: DemandPlan, history: readonly DemandEvent[]): DemandState {
  const state: DemandState = { startedAt: undefined, lives: new Map(), done: new Set(), recreated: 0, lastAt: 0 };
  plan.steps.forEach((step, i) => {
    if (step.kind === 'pod') state.lives.set(i, { r: 0, state: 'planned', leftMs: step.lifeMs, boundAt: 0, everBound: false, refused: false });
  });
  for (const event of history) record(state, event);
  return state;
}

/** The effect of one event on the state; the generator uses the same function when it writes the event. */
export function record(state: DemandState, event: DemandEvent): void {
  state.lastAt = event.t;
  if (event.e === 'start') state.startedAt = event.t;
  if (event.e === 'start' || event.e === 'step') {
    if (event.e === 'step') state.done.add(event.i);
    return;
  }
  const life = state.lives.get(event.i);
  if (!life) throw new Error(`the state log names step ${event.i}, which the plan has not: it belongs to another plan`);
  switch (event.e) {
    case 'submit':
      life.r = event.r;
      life.state = 'submitted';
      break;
    case 'bound':
      life.state = 'bound';
      life.boundAt = event.t;
      life.everBound = true;
      break;
    case 'finish':
      life.state = 'finished';
      life.refused = event.refused !== undefined;
      break;
    case 'gone':
      life.state = 'planned';
      life.leftMs = event.leftMs ?? undefined;
      life.r = event.r + 1;
      state.recreated++;
      break;
  }
}
