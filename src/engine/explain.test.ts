import { describe, expect, it } from 'vitest';
import { explainMachine, explainNeed } from './explain.ts';
import { formatDuration, formatInstant } from './instant.ts';
import { amounts, machine, need, sameZone, T0, world } from './testing/builders.ts';
import type { NeedSpec } from './testing/builders.ts';
import { planOnce } from './engine.ts';
import type { EngineMachine, MachineReason, Need } from './types.ts';

const at = Date.UTC(2026, 1, 28, 23, 59, 59);
const served = { cluster: 'c1', fingerprint: 'f', group: '', unitClass: 'cpu=1', priority: 7 };

describe('sentences about machines', () => {
  it.each<[MachineReason, string]>([
    [{ code: 'Serving', ...served }, 'Serves demand f of cluster c1 (priority 7).'],
    [{ code: 'InFlight', ...served, group: 'g' }, 'On its way for demand f of cluster c1 (priority 7, group g).'],
    [{ code: 'Serving', ...served, foldedAs: 'f|cpu=1' }, 'Serves demand f of cluster c1 (priority 7, gangs that fit on one machine each).'],
    [{ code: 'AcquiredIdle', ...served, effectiveMicroUsdPerHour: 1_234_500 }, 'Chosen among the idle machines for demand f of cluster c1 (priority 7) at $1.2345 per hour effective.'],
    [{ code: 'Preempted', cluster: 'c2', victimPriority: 3, forCluster: 'c1', fingerprint: 'f', priority: 7 }, 'Taken from cluster c2 (priority 3) for demand f of cluster c1 (priority 7).'],
    [{ code: 'Preempted', cluster: 'c2', victimPriority: 0, forCluster: 'c1', fingerprint: 'f', priority: 7 }, 'Taken from cluster c2 (priority 0) for demand f of cluster c1 (priority 7).'],
    [{ code: 'Preempted', cluster: 'c2', forCluster: 'c1', fingerprint: 'f', priority: 7 }, 'Taken from cluster c2 (nobody there needed it) for demand f of cluster c1 (priority 7).'],
    [{ code: 'Reserved', ...served }, 'Promised to demand f of cluster c1 (priority 7) and on its way to it.'],
    [{ code: 'Excess', cluster: 'c1', sinceMs: at }, 'Taken back: no demand of cluster c1 has needed it since 2026-02-28T23:59:59Z.'],
    [{ code: 'NoLongerNeeded', cluster: 'c1', fingerprint: 'f' }, 'Its binding was withdrawn: cluster c1 no longer needs it for f.'],
    [{ code: 'IdleHeld', untilMs: at }, 'Idle; kept for new demand until 2026-02-28T23:59:59Z.'],
    [{ code: 'ExcessDrainRefused', cluster: 'c1' }, 'No demand of cluster c1 needs it; kept for now because its provider refused to drain it.'],
    [{ code: 'AcquiredSpeculative', ...served, effectiveMicroUsdPerHour: 1_234_500 }, 'To be bought for demand f of cluster c1 (priority 7) at $1.2345 per hour effective.'],
    [{ code: 'ExcessWithinPatience', cluster: 'c1', sinceMs: at, untilMs: at + 1000, pods: 1 }, 'No demand of cluster c1 has needed it since 2026-02-28T23:59:59Z, but it still runs 1 Pod; kept until 2026-03-01T00:00:00Z.'],
    [{ code: 'ExcessCapped', cluster: 'c1', rail: 'perMinute' }, 'No demand of cluster c1 needs it; not taken back yet because of the limit on how many machines may be taken back per minute.'],
    [{ code: 'HoldExpired', heldMs: 600_000 }, 'Released: idle for 10m without any demand for it.'],
    [{ code: 'Leaving', cluster: '' }, 'On its way out.'],
    [{ code: 'Leaving', cluster: 'c1' }, 'On its way out of cluster c1.'],
  ])('%j', (reason, sentence) => {
    expect(explainMachine(reason)).toBe(sentence);
  });

  it('have the words of the provider that refused, where they are known', () => {
    expect(explainMachine({ code: 'ExcessDrainRefused', cluster: 'c1' }, 'drain: no way')).toBe('No demand of cluster c1 needs it; kept for now because its provider refused to drain it (drain: no way).');
  });
});

describe('sentences about Needs', () => {
  it('say what lacks and why', () => {
    const lacking = planOnce(world({ machines: [machine('a', 'Idle', { allocatable: amounts({ cpu: 1, memory: 1 }) })], needs: [need({ aggregate: amounts({ cpu: 1, memory: 3 }) })] }), T0);
    expect(lacking.verdicts.map((verdict) => explainNeed(verdict))).toEqual(['Lacks memory 2Gi: every machine that matches is in use already, or has nothing of what lacks.']);
  });

  it('say that a gang is not spread', () => {
    const spread = [{ topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'DoNotSchedule' as const }];
    const gang = (over: NeedSpec) => need({ units: 2, group: 'g', requirements: [sameZone()], ...over });
    const said = (machines: EngineMachine[], of: Need): string[] => planOnce(world({ machines, needs: [of] }), T0).verdicts.map((verdict) => explainNeed(verdict));
    const not = ' Its spread over rack is not heeded, because all of it is to be in one place of topology.kubernetes.io/zone.';
    expect(said([machine('a', 'Configured'), machine('b', 'Configured')], gang({ spread }))).toEqual([`Satisfied with 2 machines.${not}`]);
    expect(said([], gang({ spread }))).toEqual([`Lacks cpu 2: no single domain has room for the whole gang.${not}`]);
    expect(said([machine('a', 'Configured', { labels: { rack: 'r' }, allocatable: amounts({ cpu: 2 }) })], gang({ spread }))).toEqual(['Satisfied with 1 machine.']);
    expect(said([], gang({ spread: [{ topologyKey: 'rack', maxSkew: 1, whenUnsatisfiable: 'ScheduleAnyway' }] }))).toEqual(['Lacks cpu 2: no single domain has room for the whole gang.']);
  });

  it('say what serves and what is on its way', () => {
    const served = planOnce(world({ machines: [machine('a', 'Idle'), machine('b', 'Configured')], needs: [need({ units: 2 }), need({ units: 0, priority: 1 })] }), T0);
    expect(served.verdicts.map((verdict) => explainNeed(verdict))).toEqual(['Satisfied with 2 machines, 1 of them on the way.', 'Satisfied with 0 machines.']);
  });
});

describe('times', () => {
  it.each([0, at, at + 1000, Date.UTC(2000, 1, 29), Date.UTC(2100, 2, 1), Date.UTC(1999, 11, 31, 23, 59, 59, 999), Date.UTC(2026, 6, 5, 4, 3, 2), T0])('%i prints as the calendar says', (ms) => {
    expect(formatInstant(ms)).toBe(new Date(Math.floor(ms / 1000) * 1000).toISOString().replace('.000Z', 'Z'));
  });

  it.each([[0, '0s'], [59_400, '59s'], [60_000, '1m'], [3_661_000, '1h1m'], [7_200_000, '2h'], [90_061_000, '1d1h']])('%i ms is %s', (ms, text) => {
    expect(formatDuration(ms)).toBe(text);
  });
});
