import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine.ts';
import { assignmentOf, bindTo, machine, need, T0, world } from '../testing/builders.ts';
import type { WorldSpec } from '../testing/builders.ts';
import { actionsOf, codesOf } from '../testing/summary.ts';
import type { EngineMachine, MachineReason, MachineState } from '../types.ts';

const plan = (spec: WorldSpec) => planOnce(world(spec), T0);
const gone = need();

describe('withdrawal (D34)', () => {
  it.each(['Creating', 'Idle', 'Speculative'] as const)('of a binding that no Need is credited with, in state %s', (state) => {
    const result = plan({ machines: [machine('a', state, { intent: bindTo(gone) })] });
    expect(result.actions).toEqual([
      {
        kind: 'Withdraw', machineId: 'a', to: assignmentOf(gone), cluster: 'c1', graceSeconds: 0, preemptorPriority: 0,
        reason: { code: 'NoLongerNeeded', cluster: 'c1', fingerprint: gone.fingerprint },
      },
    ]);
    expect(result.machineReasons.get('a')).toBe(result.actions[0]?.reason);
  });

  it('takes only what the shrunk demand does without', () => {
    const machines = ['a', 'b', 'c'].map((id) => machine(id, 'Creating', { intent: bindTo(gone) }));
    expect(actionsOf(plan({ machines, needs: [need({ units: 2 })] }))).toEqual(['Withdraw c c1']);
  });

  it('comes too late once Configure was sent', () => {
    const result = plan({ machines: [machine('a', 'Idle', { intent: bindTo(gone, true) }), machine('b', 'Configuring', { intent: bindTo(gone) })] });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ a: 'ExcessConfiguring', b: 'ExcessConfiguring' });
  });

  it('spares of what is idle already what costs less, as it was chosen: a risk is bought with what is not there yet', () => {
    const risky = need({ interruptionBucket: 9 });
    const decided = (state: MachineState) => [
      machine('a', state, { intent: bindTo(risky), priceMicroUsdPerHour: 2 }), machine('b', state, { intent: bindTo(risky), priceMicroUsdPerHour: 1, interruptionProbability: 0.5 }),
    ];
    expect(actionsOf(plan({ machines: decided('Idle'), needs: [risky] }))).toEqual(['Withdraw a c1']);
    expect(actionsOf(plan({ machines: decided('Speculative'), needs: [risky] }))).toEqual(['Withdraw b c1']);
  });

  it('is not had of what serves already, though nobody has written down that Configure was sent', () => {
    const result = plan({ machines: [machine('a', 'Configured', { intent: bindTo(gone) })], needs: [need()] });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ a: 'Serving' });
  });

  it.each<[string, WorldSpec, MachineReason]>([
    ['before its cluster has reported', { unreported: ['c1'] }, { code: 'ExcessNoRollupYet', cluster: 'c1' }],
    ['while supply is not trusted', { supplyTrusted: false }, { code: 'SupplyUntrusted' }],
    ['before its cluster has reported, which is said first', { unreported: ['c1'], supplyTrusted: false }, { code: 'ExcessNoRollupYet', cluster: 'c1' }],
  ])('does not happen %s', (_, spec, reason) => {
    const result = plan({ machines: [machine('a', 'Creating', { intent: bindTo(gone) })], ...spec });
    expect(result.actions).toEqual([]);
    expect(result.machineReasons.get('a')).toEqual(reason);
  });

  it.each<[EngineMachine, MachineReason]>([
    [machine('a', 'Failed'), { code: 'Failed' }],
    [machine('a', 'Creating', { stuck: true }), { code: 'Stuck', state: 'Creating' }],
    [machine('a', 'Draining', { cluster: 'c2' }), { code: 'Leaving', cluster: 'c2' }],
    [machine('a', 'Deleting'), { code: 'Leaving', cluster: '' }],
  ])('of a machine that counts for nobody is for what the machine is, not for the demand: $state', (one, reason) => {
    const result = plan({ machines: [{ ...one, intent: bindTo(gone) }], needs: [need()] });
    expect(result.actions.map(({ kind, cluster, reason: why }) => [kind, cluster, why])).toEqual([['Withdraw', 'c1', reason]]);
    expect(result.machineReasons.get('a')).toEqual(reason);
  });

  it('that may not happen yet hides nothing that is known of a machine which counts for nobody', () => {
    const machines = [machine('failed', 'Failed', { intent: bindTo(gone) }), machine('stuck', 'Creating', { stuck: true, intent: bindTo(gone) }), machine('leaving', 'Draining', { intent: bindTo(gone) })];
    const result = plan({ machines, unreported: ['c1'] });
    expect(result.actions).toEqual([]);
    expect(codesOf(result)).toEqual({ failed: 'Failed', stuck: 'Stuck', leaving: 'Leaving' });
  });

  it('does not happen to what its provider has begun, while that one is not to be relied on', () => {
    const result = plan({ machines: [machine('a', 'Creating', { intent: bindTo(gone), untrusted: true }), machine('b', 'Creating', { intent: bindTo(gone) })] });
    expect(actionsOf(result)).toEqual(['Withdraw b c1']);
    expect(codesOf(result)).toEqual({ a: 'SupplyUntrusted', b: 'NoLongerNeeded' });
  });

  it('needs no session', () => {
    expect(actionsOf(plan({ machines: [machine('a', 'Idle', { intent: bindTo(gone) })], sessions: [] }))).toEqual(['Withdraw a c1']);
  });

  it('frees bindings of machines that count for nobody, even if the demand is still there', () => {
    const machines = [
      machine('failed', 'Failed', { intent: bindTo(gone) }), machine('stuck', 'Creating', { stuck: true, intent: bindTo(gone) }),
      machine('held', 'Idle', { hold: true, intent: bindTo(gone) }),
    ];
    const result = plan({ machines, needs: [need({ units: 9 })] });
    expect(actionsOf(result)).toEqual(['Withdraw failed c1', 'Withdraw stuck c1']);
    expect(codesOf(result)).toEqual({ failed: 'Failed', stuck: 'Stuck', held: 'HeldByPerson' });
  });

  it('comes after acquisitions and before reclaims and deletes', () => {
    const machines = [
      machine('a-delete', 'Idle', { capacityType: 'Spot', instanceType: 'other' }), machine('b-reclaim', 'Configured'),
      machine('c-withdraw', 'Idle', { intent: bindTo(gone) }), machine('d-boot', 'Idle'),
    ];
    const wanted = need({ cluster: 'c2', requirements: [{ key: 'node.kubernetes.io/instance-type', operator: 'In', values: ['t1'] }] });
    const result = plan({ machines, needs: [wanted], memory: [{ what: 'idleSince', key: 'a-delete', at: 0 }] });
    expect(actionsOf(result)).toEqual(['Bootstrap d-boot c2', 'Withdraw c-withdraw c1', 'Reclaim b-reclaim c1', 'Delete a-delete']);
  });
});
