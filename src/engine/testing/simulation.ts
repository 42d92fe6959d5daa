/**
 * The loop around the engine in virtual time: what a plan decides becomes an intent, intents move machines through their
 * states, and every transition takes as many cycles as the test says. Demand stays as it is unless the test changes it.
 */
import { changesOf, createEngine } from '../engine.ts';
import type { Action, ActionKind, Change, Engine, EngineMachine, Intent, Millis, Plan, Snapshot } from '../types.ts';

export interface SimulationOptions {
  /** Cycles that one transition of one machine takes; 0 = at once. */
  readonly delay: (machineId: string, transition: Transition) => number;
  readonly cycleMs?: Millis;
}

export type Transition = 'create' | 'configure' | 'drain' | 'delete';

export class Simulation {
  readonly engine: Engine;
  readonly #machines: Map<string, EngineMachine>;
  readonly #due = new Map<string, number>();
  readonly #options: SimulationOptions;
  #cycle = 0;
  now: Millis;

  constructor(start: Snapshot, now: Millis, options: SimulationOptions) {
    this.#options = options;
    this.now = now;
    this.#machines = new Map(start.machines.map((m) => [m.id, m]));
    this.engine = createEngine(start.policy);
    for (const change of changesOf(start)) this.engine.apply(change);
  }

  /** One cycle: the world moves, then the engine decides and the decisions are written down, but for those that are not carried out. */
  step(isCarriedOut: (action: Action) => boolean = () => true): Plan {
    for (const machine of [...this.#machines.values()]) this.#advance(machine);
    const plan = this.engine.plan(this.now);
    this.engine.apply({ kind: 'memory', changes: plan.memory });
    for (const action of plan.actions) if (isCarriedOut(action)) this.#put(decided(this.#get(action.machineId), action));
    this.#cycle++;
    this.now += this.#options.cycleMs ?? 1000;
    return plan;
  }

  /** Runs `cycles` steps and counts what was decided. */
  run(cycles: number): Partial<Record<ActionKind, number>> {
    const totals: Partial<Record<ActionKind, number>> = {};
    for (let i = 0; i < cycles; i++) {
      for (const { kind } of this.step().actions) totals[kind] = (totals[kind] ?? 0) + 1;
    }
    return totals;
  }

  apply(change: Change): void {
    this.engine.apply(change);
  }

  /** A machine becomes another, by no decision of the engine. */
  become(machine: EngineMachine): void {
    this.#put(machine);
  }

  machines(): readonly EngineMachine[] {
    return [...this.#machines.values()];
  }

  #advance(machine: EngineMachine): void {
    for (let at: EngineMachine | undefined = machine; at !== undefined; at = this.#stepOf(at)) this.#put(at);
  }

  /** The machine after its next transition; undefined = it stays. */
  #stepOf(machine: EngineMachine): EngineMachine | undefined {
    const begun = begin(machine);
    if (begun !== undefined) {
      this.#due.set(machine.id, this.#cycle + this.#options.delay(machine.id, begun.transition));
      return begun.machine;
    }
    const ended = end(machine);
    if (ended === undefined || (this.#due.get(machine.id) ?? 0) > this.#cycle) return undefined;
    this.#due.delete(machine.id);
    return ended;
  }

  #get(id: string): EngineMachine {
    const machine = this.#machines.get(id);
    if (machine === undefined) throw new Error(`plan names machine "${id}", which does not exist`);
    return machine;
  }

  #put(machine: EngineMachine): void {
    if (this.#machines.get(machine.id) === machine) return;
    this.#machines.set(machine.id, machine);
    this.engine.apply({ kind: 'machines', upserted: [machine], removed: [] });
  }
}

/** The machine as its owner remembers it once an action has been accepted. */
export function decided(machine: EngineMachine, action: Action): EngineMachine {
  const intent = intentOf(action);
  const { intent: _, ...rest } = machine;
  return intent === undefined ? rest : { ...rest, intent };
}

function intentOf({ kind, machineId, to }: Action): Intent | undefined {
  switch (kind) {
    case 'Bootstrap':
    case 'Provision':
      if (to === undefined) throw new Error(`${kind} of "${machineId}" does not say for whom`);
      return { kind: 'bind', to, configureSent: false };
    case 'Reclaim':
    case 'Preempt':
      return { kind: 'unbind' };
    case 'Delete':
      return { kind: 'release' };
    case 'Withdraw':
      return undefined;
  }
}

/** The machine after its next transition, had it taken no time; undefined = it stays as it is. */
export function moved(machine: EngineMachine): EngineMachine | undefined {
  return begin(machine)?.machine ?? end(machine);
}

function begin(machine: EngineMachine): { transition: Transition; machine: EngineMachine } | undefined {
  const { intent, state } = machine;
  if (intent?.kind === 'bind' && state === 'Speculative') return { transition: 'create', machine: { ...machine, state: 'Creating' } };
  if (intent?.kind === 'bind' && state === 'Idle') {
    const { to } = intent;
    return { transition: 'configure', machine: { ...machine, state: 'Configuring', cluster: to.cluster, assigned: to, intent: { ...intent, configureSent: true } } };
  }
  if (intent?.kind === 'unbind' && state === 'Configured') return { transition: 'drain', machine: { ...machine, state: 'Draining' } };
  if (intent?.kind === 'release' && state === 'Idle') return { transition: 'delete', machine: { ...machine, state: 'Deleting' } };
  return undefined;
}

function end(machine: EngineMachine): EngineMachine | undefined {
  const { intent: _, ...rest } = machine;
  const { assigned: __, ...unassigned } = rest;
  switch (machine.state) {
    case 'Creating':
      return { ...machine, state: 'Idle' };
    case 'Configuring':
      return { ...rest, state: 'Configured' };
    case 'Draining':
      return { ...unassigned, state: 'Idle', cluster: '' };
    case 'Deleting':
      return { ...rest, state: 'Speculative' };
    case 'Speculative':
    case 'Idle':
    case 'Configured':
    case 'Failed':
      return undefined;
  }
}
