import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { arrivalKey, changesOf, createEngine, planOnce } from '../engine/engine.ts';
import { worlds } from '../engine/testing/arbitraries.ts';
import { assignmentOf, hint, machine, need, policy, requirement, T0, world } from '../engine/testing/builders.ts';
import type { MemoryChange, Snapshot } from '../engine/types.ts';
import { compareText } from '../lib/compare-text.ts';
import { formatSnapshot } from './format.ts';
import { parseSnapshot } from './parse.ts';
import { formatPlan } from './plan-report.ts';

const RUNS = { seed: Number(process.env['SEED'] ?? 20_260_301), numRuns: Number(process.env['RUNS'] ?? 300) };

/** What order means nothing in, in one order. */
function ordered(snapshot: Snapshot): Snapshot {
  const byId = <T extends { readonly id: string }>(items: readonly T[]): T[] => [...items].sort((a, b) => compareText(a.id, b.id));
  const byText = <T>(items: readonly T[]): T[] => [...items].sort((a, b) => compareText(sortedText(a), sortedText(b)));
  return {
    ...snapshot,
    machines: byId(snapshot.machines),
    needs: new Map([...snapshot.needs].map(([cluster, needs]) => [cluster, byText(needs)])),
    hints: new Map([...snapshot.hints].map(([cluster, hints]) => [cluster, hints && byText(hints)])),
    memory: byText(snapshot.memory),
  };
}

function sortedText(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) =>
    typeof inner === 'object' && inner !== null && !Array.isArray(inner) ? Object.fromEntries(Object.entries(inner).sort(([a], [b]) => compareText(a, b))) : inner,
  );
}

describe('a snapshot that is written and read', () => {
  it('says the same, and plans the same, byte for byte', () => {
    fc.assert(
      fc.property(worlds(), (drawn) => {
        const snapshot = withReservation(drawn);
        const text = formatSnapshot(snapshot, T0 + 7);
        const read = parseSnapshot(text);
        expect(ordered(read.snapshot)).toEqual(ordered(snapshot));
        expect(read.at).toBe(T0 + 7);
        expect(formatSnapshot(read.snapshot, read.at)).toBe(text);
        expect(formatPlan(planOnce(read.snapshot, T0))).toBe(formatPlan(planOnce(snapshot, T0)));
      }),
      RUNS,
    );
  });

  it('is what a running engine knows, and plans what it plans', () => {
    fc.assert(
      fc.property(worlds(), (drawn) => {
        const engine = createEngine(drawn.policy);
        for (const change of changesOf(drawn)) engine.apply(change);
        const read = parseSnapshot(formatSnapshot(engine.snapshot(), T0));
        expect(formatPlan(planOnce(read.snapshot, T0))).toBe(formatPlan(engine.plan(T0)));
      }),
      RUNS,
    );
  });

  it('is the same text in whatever order the facts are held', () => {
    fc.assert(
      fc.property(worlds(), (drawn) => {
        const backwards: Snapshot = {
          ...drawn,
          machines: drawn.machines.toReversed(),
          needs: new Map([...drawn.needs].reverse().map(([cluster, needs]) => [cluster, needs.toReversed()])),
          hints: new Map([...drawn.hints].reverse().map(([cluster, hints]) => [cluster, hints && hints.toReversed()])),
          sessions: new Set([...drawn.sessions].reverse()),
          memory: drawn.memory.toReversed(),
        };
        expect(formatSnapshot(backwards, T0)).toBe(formatSnapshot(drawn, T0));
      }),
      RUNS,
    );
  });

  it('keeps names that look like patterns, odd keys and what has no default', () => {
    const odd = need({ cluster: '__proto__', group: 'g', requirements: [requirement('a', 'In', 'x', 'y'), requirement('b', 'NotIn'), requirement('c', 'In')], priority: -5 });
    const snapshot = world({
      machines: [
        machine('a{1..3}', 'Idle', { labels: { ['__proto__']: 'x', b: '' } }), machine('{', 'Idle', { hold: true }), machine('n07', 'Idle'), machine('n08', 'Idle'), machine('n9', 'Idle', { stuck: true }),
        machine('n010', 'Configured', { cluster: 'lost', assigned: { ...assignmentOf(odd), fingerprint: 'gone', cluster: 'other' } }),
        machine('n011', 'Configured', { cluster: 'lost', intent: { kind: 'unbind' } }), machine('n13', 'Configured', { cluster: 'lost', drainRefused: true }), machine('n14', 'Idle', { untrusted: true }), machine('n15', 'Failed', { hasHost: true }), machine('n12', 'Idle', { intent: { kind: 'release' } }),
      ],
      needs: [{ ...odd, fingerprint: 'mine', unitClass: 'a%3d=2,cpu=9' }, need({ units: 0 })],
      unreported: ['c1'],
      hints: { c1: null, c2: [], c3: [hint('{x}', { pods: 3, disruptionCost: 9, ready: false, doNotDisrupt: true })] },
      policy: policy({ reclaimCapMs: 10_000, limits: { machines: 3 }, preemptionGraceSeconds: [1, 2, 3, 4] }),
      memory: [
        { what: 'arrival', key: 'no parts', at: 3.5 }, { what: 'arrival', key: arrivalKey('__proto__', 'gone', ''), at: 4 },
        { what: 'reservation', key: 'n{', to: assignmentOf(odd) }, { what: 'reclaims', key: '__proto__', at: [1, 2] },
      ],
    });
    const read = parseSnapshot(formatSnapshot(snapshot, 5));
    expect(ordered(read.snapshot)).toEqual(ordered({ ...snapshot, needs: new Map([...snapshot.needs].filter(([c]) => c !== 'c1')) }));
  });

  it('writes machines that differ in nothing but their names once', () => {
    const machines = Array.from({ length: 64 }, (_, i) => machine(`gpu${String(i).padStart(3, '0')}`, 'Idle'));
    expect(formatSnapshot(world({ machines }), T0).match(/"gpu.*"/g)).toEqual([expect.stringContaining('"gpu{000..063}"')]);
  });
});

function withReservation(snapshot: Snapshot): Snapshot {
  const [first] = [...snapshot.needs.values()].flat();
  const held = snapshot.machines.find((m) => m.state === 'Draining');
  if (first === undefined || held === undefined) return snapshot;
  // A machine is reserved once; the world that was drawn may have done so already.
  if (snapshot.memory.some(({ what, key }) => what === 'reservation' && key === held.id)) return snapshot;
  const change: MemoryChange = { what: 'reservation', key: held.id, to: assignmentOf(first) };
  return { ...snapshot, memory: [...snapshot.memory, change] };
}
