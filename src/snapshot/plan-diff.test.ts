import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { planOnce } from '../engine/engine.ts';
import { worlds } from '../engine/testing/arbitraries.ts';
import { T0 } from '../engine/testing/builders.ts';
import { parseSnapshot } from './parse.ts';
import { diffPlans, firstDifference, parsePlanReport } from './plan-diff.ts';
import { formatPlan, formatReport, planReport } from './plan-report.ts';
import { whatIf } from './what-if.ts';

const known = parseSnapshot({ machines: [{ id: 'm{1..4}' }], clusters: { c: { needs: [{ units: 3 }] } } });
const plan = (changes = {}) => {
  const { snapshot, at } = whatIf(known, changes);
  return planReport(planOnce(snapshot, at));
};

describe('two plans', () => {
  it('that are equal have no difference, with or without sentences', () => {
    expect(diffPlans(plan(), plan())).toEqual([]);
    expect(diffPlans(plan(), parsePlanReport(JSON.parse(formatReport(plan()))))).toEqual([]);
  });

  it('differ exactly where their data does', () => {
    fc.assert(
      fc.property(worlds(), worlds(), fc.boolean(), (world, other, same) => {
        const [a, b] = [planOnce(world, T0), planOnce(same ? world : other, T0)];
        const equal = formatPlan(a) === formatPlan(b);
        expect(diffPlans(planReport(a), planReport(b)).length === 0).toBe(equal);
        expect(diffPlans(planReport(a), parsePlanReport(JSON.parse(formatPlan(a))))).toEqual([]);
        expect(firstDifference(formatPlan(a), formatPlan(b)) === undefined).toBe(equal);
      }),
      { numRuns: 200, seed: 20_260_302 },
    );
  });

  it('say of each machine and need what is different, machines that differ alike together', () => {
    const differences = diffPlans(plan(), plan({ withoutSession: ['c'] }));
    expect(differences.map(({ section, of }) => `${section} ${of}`)).toEqual([
      'action m1', 'action m2', 'action m3', 'verdict c p=0|ipb=1|rpb=1|reqs=|spr= unit cpu=6', 'reason m{1..3}', 'plan stats.actions', 'plan stats.unmet',
    ]);
    expect(differences.find(({ section }) => section === 'action')).not.toHaveProperty('b');
    expect(differences.find(({ section }) => section === 'verdict')).toMatchObject({ a: { satisfied: true }, b: { reason: 'NO_SESSION' } });
    expect(differences.find(({ section }) => section === 'reason')).toMatchObject({ of: 'm{1..3}', a: { code: 'AcquiredIdle' }, b: { code: 'IdleKept' } });
  });

  it('that differ only in the order of their actions differ', () => {
    const report = plan();
    expect(diffPlans(report, { ...report, actions: report.actions.toReversed() })).toEqual([{ section: 'plan', of: 'order of actions', a: 'm1', b: 'm3' }]);
  });

  it('have a first line in which they differ', () => {
    expect(firstDifference('a\n  b\n', 'a\n  c\n')).toEqual({ line: 2, a: 'b', b: 'c' });
    expect(firstDifference('a\n', 'a\nb')).toEqual({ line: 2, a: '', b: 'b' });
  });
});

it.each([[[], 'found [], expected an object'], [{}, 'format: found nothing'], [{ format: 'bigfleet.engine.plan/v1' }, 'actions: found nothing, expected a list'],
  [{ ...plan(), format: 'bigfleet.engine.plan/v2' }, 'format: found "bigfleet.engine.plan/v2", expected "bigfleet.engine.plan/v1"'],
  [{ ...plan(), actions: [{}] }, 'actions[0].machineId: found nothing'], [{ ...plan(), verdicts: [null] }, 'verdicts[0]: found null, expected an object'],
  [{ ...plan(), actions: [{ machineId: 'm', kind: 'Delete', cluster: '' }] }, 'actions[0].reason: found nothing, expected an object'],
  [{ ...plan(), actions: [{ machineId: 'm', kind: 'Delete' }] }, 'actions[0].cluster: found nothing, expected a text'],
  [{ ...plan(), actions: [...plan().actions, plan().actions[0]] }, 'actions[3]: "m1" occurs twice among the actions; a plan says of each one thing'],
  [{ ...plan(), verdicts: [...plan().verdicts, ...plan().verdicts] }, 'verdicts[1]: '], [{ ...plan(), memory: [...plan().memory, ...plan().memory] }, ' occurs twice among the memory'],
  [{ ...plan(), reasons: [{ machines: ['m{1..3}', 'm2'], reason: { code: 'Failed' } }] }, 'reasons[0]: "m2" occurs twice among the reasons'],
  [{ ...plan(), reasons: [{ machines: ['m'], reason: { code: 'Excess', cluster: 'c' } }] }, 'reasons[0].reason.sinceMs: found nothing, expected Unix milliseconds'],
  [{ ...plan(), reasons: [{ machines: ['m'], reason: { code: 'IdleHeld', untilMs: 1e300 } }] }, 'reasons[0].reason.untilMs: found 1e+300'],
  [{ ...plan(), reasons: [{ machines: ['m'], reason: { code: 'Serving', cluster: 'c', fingerprint: '', group: '', unitClass: '' } }] }, 'reasons[0].reason.priority: found nothing'],
  [{ ...plan(), actions: [{ machineId: 'm', kind: 'Delete', cluster: '', reason: { code: 'HoldExpired' } }] }, 'actions[0].reason.heldMs: found nothing'], [{ ...plan(), reasons: [{ machines: ['m'], reason: {} }] }, 'reasons[0].reason.code: found nothing'],
  [{ ...plan(), reasons: [{ machines: ['m{1..'], reason: { code: 'Failed' } }] }, 'reasons[0].machines'],
  [{ ...plan(), reasons: [{ reason: { code: 'Failed' } }] }, 'reasons[0].machines: found nothing, expected a list'], [{ ...plan(), memory: [{ what: 'x' }] }, 'memory[0].key'], [{ ...plan(), stats: 1 }, 'stats: found 1']])('%j is no plan', (value, message) => {
  expect(() => parsePlanReport(value)).toThrow(expect.objectContaining({ name: 'SnapshotError', message: expect.stringContaining(message) as string }));
});

it('a plan of another version may have reasons that are not known here', () => {
  const reasons = [{ machines: ['m'], reason: { code: 'Borrowed', until: 'noon' } }];
  expect(parsePlanReport({ ...plan(), reasons }).reasons).toEqual(reasons);
});
