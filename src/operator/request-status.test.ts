import { describe, expect, it } from 'vitest';
import { kstatusOf } from '../api/testing/kstatus.ts';
import type { CapacityRequest, CapacityRequestStatus, Condition } from '../api/types.ts';
import { nextStatus, unmetReasonName, type RequestFacts, type Verdict } from './request-status.ts';

const T0 = Date.UTC(2026, 0, 1);
const nothing: RequestFacts = { rejection: undefined, acknowledgedAtMs: undefined, settled: false, bound: false, verdict: undefined };
const satisfied: Verdict = { satisfied: true, reason: '', text: '', inFlight: 2, lasting: false, steady: false, steadyText: false };
const unmet: Verdict = { satisfied: false, reason: 'NoMatchingSupply', text: 'No machine fits.', inFlight: 0, lasting: true, steady: true, steadyText: true };

function request(status?: CapacityRequestStatus): CapacityRequest {
  return { metadata: { name: 'r' }, spec: { resources: {}, priority: 0 }, ...(status ? { status } : {}) };
}

function condition(type: string, status: Condition['status'], reason: string): Condition {
  return { type, status, reason, message: '', lastTransitionTime: '2025-01-01T00:00:00Z' };
}

const acknowledged = (...conditions: Condition[]): CapacityRequest => request({ phase: 'Acknowledged', acknowledgedAt: '2025-01-01T00:00:00Z', conditions });

describe('the status of a request', () => {
  it('is written once in the good case: acknowledged and satisfied together', () => {
    const change = nextStatus(request(), { ...nothing, acknowledgedAtMs: T0, verdict: satisfied }, T0 + 500);
    expect(change?.status).toMatchObject({ phase: 'Acknowledged', acknowledgedAt: '2026-01-01T00:00:00Z' });
    expect(change?.status.conditions).toMatchObject([
      { type: 'Satisfied', status: 'True', reason: 'CapacityAssigned', lastTransitionTime: '2026-01-01T00:00:00Z' }, { type: 'Ready', status: 'True', reason: 'Satisfied' },
    ]);
    expect(change?.complaints).toEqual([]);
    const after = { ...request(), ...(change ? { status: change.status } : {}) };
    expect(nextStatus(after, { ...nothing, acknowledgedAtMs: T0, settled: true, verdict: { ...satisfied, inFlight: 0 } }, T0 + 9_000)).toBeUndefined();
  });

  it('waits a moment for the verdict, then does without', () => {
    expect(nextStatus(request(), { ...nothing, acknowledgedAtMs: T0 }, T0)).toBeUndefined();
    expect(nextStatus(request(), { ...nothing, acknowledgedAtMs: T0, settled: true }, T0)?.status).toEqual({ phase: 'Acknowledged', acknowledgedAt: '2026-01-01T00:00:00Z' });
  });

  it('says nothing while nothing is known', () => {
    expect(nextStatus(request(), nothing, T0)).toBeUndefined();
    expect(nextStatus(request({ phase: 'Pending' }), nothing, T0)).toBeUndefined();
  });

  it('is satisfied for good once the Pod is bound', () => {
    expect(nextStatus(acknowledged(), { ...nothing, bound: true }, T0)?.status.conditions).toMatchObject([{ status: 'True', reason: 'Bound' }, { type: 'Ready', status: 'True' }]);
    const [bound] = nextStatus(acknowledged(condition('Satisfied', 'True', 'CapacityAssigned')), { ...nothing, bound: true, verdict: unmet }, T0)?.status.conditions ?? [];
    expect(bound).toEqual({ type: 'Satisfied', status: 'True', reason: 'Bound', message: 'The Pod has a Node.', lastTransitionTime: '2025-01-01T00:00:00Z' });
    expect(nextStatus(acknowledged(bound!), { ...nothing, bound: true, verdict: unmet }, T0)).toBeUndefined();
    expect(nextStatus(acknowledged(condition('Satisfied', 'False', 'X')), { ...nothing, bound: true, verdict: unmet }, T0)?.status.conditions).toMatchObject([{ status: 'True' }, { type: 'Ready', status: 'True' }]);
  });

  it('complains when it turns False, and once more of another reason, each only if it lasts', () => {
    const before = acknowledged(condition('Satisfied', 'True', 'CapacityAssigned'));
    expect(nextStatus(before, { ...nothing, verdict: { ...unmet, lasting: false } }, T0)).toBeUndefined();
    const change = nextStatus(before, { ...nothing, verdict: unmet }, T0);
    expect(change?.status.conditions).toMatchObject([
      { type: 'Satisfied', status: 'False', reason: 'NoMatchingSupply', message: 'No machine fits.' }, { type: 'Ready', status: 'False', reason: 'NoMatchingSupply', message: 'No machine fits.' },
    ]);
    expect(change?.complaints).toHaveLength(1);
    const told = acknowledged(condition('Satisfied', 'False', 'NoMatchingSupply'));
    expect(nextStatus(told, { ...nothing, verdict: { ...unmet, reason: 'LimitReached', steady: false } }, T0)).toBeUndefined();
    const corrected = nextStatus(told, { ...nothing, verdict: { ...unmet, reason: 'LimitReached' } }, T0);
    expect(corrected?.status.conditions).toMatchObject([{ reason: 'LimitReached', lastTransitionTime: '2025-01-01T00:00:00Z' }, { type: 'Ready' }]);
    expect(corrected?.complaints).toMatchObject([{ type: 'Satisfied', reason: 'LimitReached' }]);
  });

  describe('that is unmet', () => {
    const told = acknowledged({ ...condition('Satisfied', 'False', 'NoMatchingSupply'), message: 'Lacks cpu 2, memory 1.5Gi: no machine fits.' });
    const next = (verdict: Partial<Verdict>) => nextStatus(told, { ...nothing, verdict: { ...unmet, ...verdict } }, T0);

    it('is told other words once they stand, and no event comes of it', () => {
      expect(next({ text: 'disk broken', steadyText: false })).toBeUndefined();
      const change = next({ text: 'disk broken', steady: false });
      expect(change?.status.conditions).toMatchObject([{ status: 'False', message: 'disk broken', lastTransitionTime: '2025-01-01T00:00:00Z' }, { type: 'Ready', message: 'disk broken' }]);
      expect(change?.complaints).toEqual([]);
    });

    it('is not written for other numbers alone: they change with every machine', () => {
      expect(next({ text: 'Lacks cpu 17500m, memory 3Gi: no machine fits.' })).toBeUndefined();
      expect(next({ text: 'Lacks cpu 2: no machine fits.' })).toBeDefined();
    });
  });

  it('names the field of a request that cannot be expressed, and takes it back when it is mended (D4)', () => {
    const rejection = { field: 'spec.topologySpread[0].maxSkew', problem: '0 is below 1' };
    const change = nextStatus(request(), { ...nothing, rejection }, T0);
    expect(change?.status).toMatchObject({ phase: 'Pending', conditions: [{ type: 'Accepted', status: 'False', reason: 'InvalidSpread', message: 'spec.topologySpread[0].maxSkew: 0 is below 1' }, { type: 'Ready', status: 'False' }, { type: 'Stalled', status: 'True' }] });
    expect(change?.complaints).toHaveLength(1);
    const mended = nextStatus(request({ phase: 'Pending', conditions: [condition('Accepted', 'False', 'InvalidSpread')] }), nothing, T0);
    expect(mended?.status).toMatchObject({ phase: 'Pending', conditions: [{ type: 'Accepted', status: 'True' }, { type: 'Ready', status: 'False', reason: 'NotYetKnown' }] });
  });

  it('says that a Pod does not fit with the scheduler’s words, and takes that back', () => {
    const change = nextStatus(acknowledged(), { ...nothing, unfitting: '0/3 nodes are available' }, T0);
    expect(change?.status.conditions).toMatchObject([{ type: 'Fits', status: 'False', reason: 'UnschedulableDespiteCapacity', message: '0/3 nodes are available' }, { type: 'Ready', status: 'False' }]);
    expect(nextStatus(acknowledged(condition('Fits', 'False', 'X')), nothing, T0)?.status.conditions).toMatchObject([{ type: 'Fits', status: 'True' }, { type: 'Ready' }]);
  });

  it('is said again of a wish that was changed, once something is known of the new one', () => {
    const changed: CapacityRequest = { ...request({ ...nextStatus({ ...request(), metadata: { name: 'r', generation: 1 } }, { ...nothing, acknowledgedAtMs: T0, verdict: satisfied }, T0)!.status }), metadata: { name: 'r', generation: 2 } };
    expect(kstatusOf(changed)).toBe('InProgress');
    expect(nextStatus(changed, { ...nothing, acknowledgedAtMs: T0 }, T0)).toBeUndefined();
    const change = nextStatus(changed, { ...nothing, acknowledgedAtMs: T0, verdict: satisfied }, T0 + 9_000);
    expect(change?.status).toMatchObject({ observedGeneration: 2, conditions: [{ type: 'Satisfied', observedGeneration: 2, lastTransitionTime: '2026-01-01T00:00:00Z' }, { type: 'Ready', status: 'True', observedGeneration: 2 }] });
    const after = { ...changed, status: change!.status };
    expect([kstatusOf(after), nextStatus(after, { ...nothing, acknowledgedAtMs: T0, verdict: satisfied }, T0)]).toEqual(['Current', undefined]);
  });

  it('is waited for by the rules of kstatus: until it is satisfied, and not where it cannot be', () => {
    const waited = (facts: Partial<RequestFacts>) => kstatusOf({ metadata: {}, ...nextStatus(request(), { ...nothing, ...facts }, T0) });
    expect(waited({ acknowledgedAtMs: T0, verdict: satisfied })).toBe('Current');
    expect(waited({ verdict: unmet })).toBe('InProgress');
    expect(waited({ unfitting: '0/3 nodes are available' })).toBe('InProgress');
    expect(waited({ rejection: { field: 'spec.resources', problem: 'x' } })).toBe('Failed');
  });

  it('knows the names of all reasons', () => {
    expect([2, 101, 0, 999].map(unmetReasonName)).toEqual(['NoMatchingSupply', 'PreemptionInProgress', 'Unmet', 'Unmet']);
  });
});
