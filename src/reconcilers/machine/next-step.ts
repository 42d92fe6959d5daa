import type { MachineRecord, MachineIntent, Operation, OperationKind } from '../../shard/record.ts';

export type BindIntent = Extract<MachineIntent, { kind: 'bind' }>;
export type UnbindIntent = Extract<MachineIntent, { kind: 'unbind' }>;

/** The one step that brings a machine closer to what was decided. */
export type Step =
  | { readonly do: 'nothing' }
  /** Something was ignored during a call, or a call ended ambiguously: ask the provider. */
  | { readonly do: 'look' }
  /** No try of the call can take effect any more, and none has: what the provider said to the last one is so. */
  | { readonly do: 'conclude' }
  /** Nothing to do until the named thing changes; the change will wake us. */
  | { readonly do: 'wait'; readonly for: 'provider' | 'session' | 'demand' | 'lease' | 'mode' | 'cooldown' | 'hold' | 'doubt' }
  | { readonly do: 'create'; readonly intent: BindIntent }
  | { readonly do: 'configure'; readonly intent: BindIntent }
  | { readonly do: 'drain'; readonly intent: UnbindIntent }
  | { readonly do: 'delete' }
  /** What was decided has not begun and cannot, or, of a machine that a person holds, must not: what was right then need not be right later. */
  | { readonly do: 'drop' };

export interface Circumstances {
  /** False in DryRun and Paused, and once fenced: nothing is begun; bindings stay decided. */
  readonly active: boolean;
  /** Whether the Lease is proven to be ours: without it nothing is taken away (D16). */
  readonly leaseProven: boolean;
  /** Whether the cluster that the machine is to be bound to, or taken from, has a session. */
  readonly connected: boolean;
  /** Whether that cluster has reported since we started: a decision found after a restart is not acted on before. */
  readonly demandKnown: boolean;
  /** Whether that cluster is left alone for a moment, because what was to join it has failed. */
  readonly clusterRests: boolean;
  readonly now: number;
  /** A doubt ends by it, and not sooner for a wall clock that was set. */
  readonly monotonicMs: number;
}

export const STEP_OF: Readonly<Record<OperationKind, Step['do']>> = { Create: 'create', Configure: 'configure', Drain: 'drain', Delete: 'delete' };

/** Pure: what to do next for one machine (spec: engine 11.2 to 11.5, as level-based steps). */
export function nextStep(machine: MachineRecord, circumstances: Circumstances): Step {
  const step = wantedStep(machine, circumstances);
  const last = machine.operation;
  const isTooSoon = last?.retryAt !== undefined && last.retryAt > circumstances.now && step.do === STEP_OF[last.kind];
  return isTooSoon ? { do: 'wait', for: 'cooldown' } : step;
}

function wantedStep(machine: MachineRecord, circumstances: Circumstances): Step {
  if (machine.busy) return { do: 'wait', for: 'provider' };
  const { intent } = machine;
  // Before anything that takes time: to the operator a held machine serves, so Pods come to it at once.
  if (machine.hold && (isOursToBegin(machine) || isUnsent(machine))) return { do: 'drop' };
  if (machine.recheck) return { do: 'look' };
  if (machine.operation?.held) return heldStep(machine.operation, circumstances);
  if (!intent) return { do: 'nothing' };
  if (isOursToBegin(machine) && !mayBegin(intent, circumstances)) return { do: 'drop' };
  if (!circumstances.active) return { do: 'wait', for: endsByItself(machine) ? 'provider' : 'mode' };
  if (machine.coolUntil > circumstances.now) return { do: 'wait', for: 'cooldown' };
  switch (intent.kind) {
    case 'bind':
      if (machine.hold && machine.seen.state === 'Idle') return { do: 'wait', for: 'hold' }; // a Configure that was sent may still be carried out
      return bindStep(machine, intent, circumstances);
    case 'unbind':
      if (machine.seen.state !== 'Configured') return { do: 'wait', for: 'provider' };
      if (machine.hold) return { do: 'wait', for: 'hold' };
      return circumstances.leaseProven ? { do: 'drain', intent } : { do: 'wait', for: 'lease' };
    case 'release':
      if (machine.seen.state !== 'Idle' && !(machine.seen.state === 'Failed' && intent.byPerson)) return { do: 'wait', for: 'provider' };
      if (machine.hold) return { do: 'wait', for: 'hold' };
      return circumstances.leaseProven ? { do: 'delete' } : { do: 'wait', for: 'lease' };
  }
}

/** What was begun before goes on at the provider, whatever we do. */
function endsByItself({ seen: { state } }: MachineRecord): boolean {
  return state === 'Creating' || state === 'Configuring' || state === 'Draining' || state === 'Deleting';
}

/** A refusal while an earlier try of the same call may take effect: one look once that cannot be any more, and it is the verdict. */
function heldStep({ inDoubtUntilMonotonicMs }: Operation, { monotonicMs }: Circumstances): Step {
  if (inDoubtUntilMonotonicMs === undefined) return { do: 'conclude' };
  return inDoubtUntilMonotonicMs > monotonicMs ? { do: 'wait', for: 'doubt' } : { do: 'look' };
}

/** Taking away that the plan decided and that has not begun; the next plan decides it again if it is still right. */
function isOursToBegin({ intent, seen }: MachineRecord): boolean {
  if (!intent || intent.kind === 'bind' || intent.byPerson) return false;
  return seen.state === (intent.kind === 'unbind' ? 'Configured' : 'Idle');
}

/** A binding of which its cluster has nothing yet: the plan counts a held machine for nobody, and has another one by now. */
function isUnsent({ intent, seen: { state } }: MachineRecord): boolean {
  return intent?.kind === 'bind' && !intent.configureSent && (state === 'Speculative' || state === 'Idle');
}

/** Without its operator nobody would ask the budgets of the Pods (D14). */
function mayBegin({ kind }: MachineIntent, { active, leaseProven, connected }: Circumstances): boolean {
  return active && leaseProven && (connected || kind !== 'unbind');
}

function bindStep(machine: MachineRecord, intent: BindIntent, circumstances: Circumstances): Step {
  if (!circumstances.demandKnown) return { do: 'wait', for: 'demand' };
  if (intent.rest && intent.rest.until > circumstances.now) return { do: 'wait', for: 'cooldown' };
  switch (machine.seen.state) {
    case 'Speculative':
      return { do: 'create', intent };
    case 'Idle':
      if (!circumstances.connected) return { do: 'wait', for: 'session' };
      return circumstances.clusterRests ? { do: 'wait', for: 'cooldown' } : { do: 'configure', intent };
    case 'Creating':
    case 'Configuring':
    case 'Configured':
    case 'Draining':
    case 'Deleting':
    case 'Failed':
      return { do: 'wait', for: 'provider' };
  }
}
