/** How a machine moves once something has been decided for it, as provider and machine reconciler would move it. */
import type { Action, EngineMachine, Intent } from '../engine/types.ts';

export type Transition = 'create' | 'configure' | 'drain' | 'delete';

/** The machine as the shard remembers it once an action has been taken down. Throws when the action is illegal for it. */
export function decided(machine: EngineMachine, action: Action): EngineMachine {
  const refuse = (why: string): never => {
    throw new Error(`${action.kind} of machine "${machine.id}", which is ${machine.state}${machine.intent ? ` with intent ${machine.intent.kind}` : ''}: ${why}`);
  };
  if (machine.hold || machine.stuck) refuse('it is held or stuck');
  const { intent: before, ...rest } = machine;
  switch (action.kind) {
    case 'Bootstrap':
    case 'Provision': {
      if (machine.state !== (action.kind === 'Bootstrap' ? 'Idle' : 'Speculative')) refuse('wrong state');
      if (before !== undefined) refuse('something is decided already');
      if (action.to === undefined) return refuse('it does not say for whom');
      return { ...rest, intent: { kind: 'bind', to: action.to, configureSent: false } };
    }
    case 'Reclaim':
    case 'Preempt':
      if (machine.state !== 'Configured') refuse('only a Configured machine can be taken');
      if (before !== undefined) refuse('something is decided already');
      if (machine.cluster !== action.cluster) refuse(`it belongs to "${machine.cluster}", not "${action.cluster}"`);
      return { ...rest, intent: { kind: 'unbind' } };
    case 'Delete':
      if (machine.state !== 'Idle') refuse('wrong state');
      if (before !== undefined) refuse('something is decided already');
      if (machine.capacityType !== 'OnDemand' && machine.capacityType !== 'Spot') refuse(`${machine.capacityType} capacity is never released`);
      return { ...rest, intent: { kind: 'release' } };
    case 'Withdraw':
      if (before?.kind !== 'bind' || before.configureSent) refuse('it has no binding that can be withdrawn');
      return rest;
  }
}

/** The step that what was decided sets off now, if any. */
export function begin(machine: EngineMachine): { readonly transition: Transition; readonly machine: EngineMachine } | undefined {
  const { intent, state } = machine;
  if (intent?.kind === 'bind' && state === 'Speculative') return { transition: 'create', machine: { ...machine, state: 'Creating' } };
  if (intent?.kind === 'bind' && state === 'Idle') {
    const sent: Intent = { ...intent, configureSent: true };
    return { transition: 'configure', machine: { ...machine, state: 'Configuring', cluster: intent.to.cluster, assigned: intent.to, intent: sent } };
  }
  if (intent?.kind === 'unbind' && state === 'Configured') return { transition: 'drain', machine: { ...machine, state: 'Draining' } };
  if (intent?.kind === 'release' && state === 'Idle') return { transition: 'delete', machine: { ...machine, state: 'Deleting' } };
  return undefined;
}

/** The machine when its transition is over; undefined = it is in none. */
export function end(machine: EngineMachine): EngineMachine | undefined {
  const { intent: _, ...settled } = machine;
  const { assigned: __, ...nobodys } = settled;
  switch (machine.state) {
    case 'Creating':
      return { ...machine, state: 'Idle' };
    case 'Configuring':
      return { ...settled, state: 'Configured' };
    case 'Draining':
      return { ...nobodys, state: 'Idle', cluster: '' };
    case 'Deleting':
      return { ...nobodys, state: 'Speculative' };
    case 'Speculative':
    case 'Idle':
    case 'Configured':
    case 'Failed':
      return undefined;
  }
}
