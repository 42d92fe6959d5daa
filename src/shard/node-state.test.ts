import { describe, expect, it } from 'vitest';
import { MachineState } from '../api/gen/bigfleet/v1alpha1/provider.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { Inventory } from './inventory.ts';
import { framesFor, framesForDisowned } from './node-state.ts';
import type { MachineIntent } from './record.ts';
import { seen, toEast } from './testing/machines.ts';

const bind: MachineIntent = { kind: 'bind', to: toEast, requirements: [], reason: '', decidedAt: 0, configureSent: false };

/** Every frame that a story of one machine causes, as cluster and state. */
function frames(tell: (inventory: Inventory) => void): [string, number][] {
  const inventory = new Inventory(new VirtualClock());
  const sent: [string, number][] = [];
  inventory.onChange(({ before, after }) => {
    for (const { cluster, update } of framesFor(before, after)) sent.push([cluster, update.state]);
  });
  tell(inventory);
  return sent;
}

describe('frames to operators', () => {
  it('begin with the decision, not with the machine (D34), and follow every state', () => {
    const sent = frames((inventory) => {
      inventory.observe(seen('m', 'Speculative'), inventory.mark());
      inventory.setIntent('m', bind);
      for (const state of ['Creating', 'Idle', 'Configuring', 'Configured'] as const) inventory.observe(seen('m', state), inventory.mark());
    });
    expect(sent).toEqual([
      ['east', MachineState.MACHINE_STATE_SPECULATIVE],
      ['east', MachineState.MACHINE_STATE_CREATING],
      ['east', MachineState.MACHINE_STATE_IDLE],
      ['east', MachineState.MACHINE_STATE_CONFIGURING],
      ['east', MachineState.MACHINE_STATE_CONFIGURED],
    ]);
  });

  it('call a machine draining from the moment the operator was told to empty it, until it is decided to keep it', () => {
    const unbind: MachineIntent = { kind: 'unbind', reason: '', graceSeconds: 5, preemptorPriority: 0, decidedAt: 0 };
    const sent = frames((inventory) => {
      inventory.observe(seen('m', 'Configured'), inventory.mark());
      inventory.setIntent('m', unbind);
      inventory.setIntent('m', { ...unbind, isTold: true });
      inventory.update('m', { obstacle: 'drain: refused' });
      inventory.update('m', { hold: true });
      inventory.update('m', { hold: false });
      inventory.setIntent('m', undefined);
      inventory.setIntent('m', { ...unbind, isTold: true });
      inventory.observe(seen('m', 'Draining'), inventory.mark());
    });
    const { MACHINE_STATE_CONFIGURED: CONFIGURED, MACHINE_STATE_DRAINING: DRAINING } = MachineState;
    expect(sent.map(([, state]) => state)).toEqual([CONFIGURED, DRAINING, CONFIGURED, DRAINING, CONFIGURED, DRAINING]);
  });

  it('reach the cluster that lost a machine with the state in which it left', () => {
    const sent = frames((inventory) => {
      inventory.observe(seen('m', 'Draining'), inventory.mark());
      inventory.observe(seen('m', 'Idle'), inventory.mark());
    });
    expect(sent).toEqual([
      ['east', MachineState.MACHINE_STATE_DRAINING],
      ['east', MachineState.MACHINE_STATE_IDLE],
    ]);
  });

  it('tell the cluster that a withdrawn machine never arrives', () => {
    const sent = frames((inventory) => {
      inventory.observe(seen('m', 'Idle'), inventory.mark());
      inventory.setIntent('m', bind);
      inventory.setIntent('m', undefined);
    });
    expect(sent).toEqual([
      ['east', MachineState.MACHINE_STATE_IDLE],
      ['east', MachineState.MACHINE_STATE_DELETING],
    ]);
  });

  it('go to both clusters when a machine moves', () => {
    const sent = frames((inventory) => {
      inventory.observe(seen('m', 'Configured'), inventory.mark());
      inventory.observe(seen('m', 'Configured', { cluster: 'west' }), inventory.mark());
    });
    expect(sent.slice(1)).toEqual([
      ['west', MachineState.MACHINE_STATE_CONFIGURED],
      ['east', MachineState.MACHINE_STATE_CONFIGURED],
    ]);
  });

  it('are not sent for a machine that nobody has', () => {
    expect(frames((inventory) => inventory.observe(seen('m', 'Idle'), inventory.mark()))).toEqual([]);
  });
});

describe('a machine that becomes another shard\'s', () => {
  const told = (state: 'Speculative' | 'Creating' | 'Idle' | 'Configuring' | 'Configured' | 'Draining', intent?: MachineIntent): [string, number][] => {
    const inventory = new Inventory(new VirtualClock());
    inventory.observe(seen('m', state), inventory.mark());
    if (intent) inventory.setIntent('m', intent);
    return framesForDisowned(inventory.get('m')!).map(({ cluster, update }) => [cluster, update.state]);
  };

  it.each(['Speculative', 'Creating', 'Idle'] as const)('on its way, still %s, is said never to arrive', (state) => {
    expect(told(state, bind)).toEqual([['east', MachineState.MACHINE_STATE_DELETING]]);
  });

  it.each(['Configuring', 'Configured', 'Draining'] as const)('while it is %s goes on serving, and nothing is said', (state) => {
    expect(told(state)).toEqual([]);
    expect(told(state, { kind: 'unbind', reason: '', graceSeconds: 1, preemptorPriority: 0, decidedAt: 0 })).toEqual([]);
  });

  it('may still arrive once its Configure was sent, and nothing is said', () => {
    expect(told('Idle', { ...bind, configureSent: true })).toEqual([]);
  });

  it('of which nothing was decided is of no cluster\'s concern', () => {
    expect(told('Idle')).toEqual([]);
  });
});
