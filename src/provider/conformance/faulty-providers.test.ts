import { describe, expect, it } from 'vitest';
import { GrpcCode, GrpcError } from '../../api/grpc.ts';
import { catalogue } from './catalogue.ts';
import { explanation } from './report.ts';
import { select } from './select.ts';
import { brokenCalls } from './testing/broken-calls.ts';
import { brokenFences } from './testing/broken-fences.ts';
import { brokenLifecycles } from './testing/broken-lifecycles.ts';
import { brokenLists } from './testing/broken-lists.ts';
import { brokenOutcomes } from './testing/broken-outcomes.ts';
import { brokenRecords } from './testing/broken-records.ts';
import type { Fault } from './testing/fault.ts';
import { state } from './testing/model-provider.ts';
import { tryModel, type Break } from './testing/try-model.ts';

const faults: readonly Fault[] = [...brokenFences, ...brokenCalls, ...brokenLifecycles, ...brokenRecords, ...brokenLists, ...brokenOutcomes];

/** A little of everything: what is wrong in one way passes these, unless the table says otherwise. */
const SENTINELS = ['B105', 'B206', 'B303', 'B504'];

/** The promise that counts here is that the measuring works; how fast this computer is at the moment does not. */
const unhurried = { getMs: 60_000, createMs: 60_000, listMs: 60_000, oneListMs: 60_000 };

describe('the suite itself', () => {
  it('finds nothing wrong with a provider that keeps every promise', { timeout: 120_000 }, async () => {
    const result = await tryModel(select('core,cloud,spot,fault,scale,durable'), { isKept: false, latency: unhurried });
    expect(result.outcomes.map(explanation).join('')).toBe('');
    expect([result.verdict, result.outcomes.length, result.applicable]).toEqual(['CERTIFIED', 25 + 93, 25 + 93]);
  });

  it('certifies a provider that cannot delete as bare-metal, and not as core', { timeout: 120_000 }, async () => {
    const fixed: Break = (m) => {
      const dispatch = m.dispatch.bind(m);
      m.dispatch = (call) => {
        if (call.kind === 'delete' && call.id !== '') throw new GrpcError(GrpcCode.UNIMPLEMENTED, 'these machines stay');
        return dispatch(call);
      };
    };
    const bareMetal = await tryModel(select('bare-metal'), { breakIt: fixed });
    expect(bareMetal.outcomes.map(explanation).join('')).toBe('');
    expect([bareMetal.verdict, bareMetal.applicable]).toEqual(['CERTIFIED', 25 + 66]);
    const core = await tryModel(select('core', 'FullLifecycle,B109,B310'), { breakIt: fixed });
    expect(core.outcomes.map((o) => [o.behaviour.id, o.result])).toEqual([['FullLifecycle', 'passed'], ['B109', 'skipped'], ['B310', 'failed']]);
  });

  it.each<[string, string, string, Break]>([
    ['has no SPECULATIVE slot', 'FullLifecycle,B101', 'the provider lists no SPECULATIVE machine', (m) => m.slots.forEach(({ machine }) => (machine.state = state.failed))],
    ['has no machine at all', 'ListMaxResults,LabelShape,CostFieldBounds,B904,B906,B908,B909', 'the provider lists no machine', (m) => m.slots.clear()],
    ['gives out no revisions', 'B903', 'the provider gives out no revisions', (m) => (m.revisionBytes = () => new Uint8Array())],
    ['has nothing to compare', 'B804', 'no machine has both resources and allocatable', (m) => m.slots.forEach(({ machine }) => (machine.allocatable = undefined))],
    ['has no slot that fails', 'B702', 'no SPECULATIVE slot is labelled', (m) => m.slots.forEach(({ machine }) => machine.labels.clear())],
  ])('takes no skip for a pass: a provider that %s', async (_what, only, reason, breakIt) => {
    const result = await tryModel(select('core', only), { breakIt });
    expect(result.outcomes.map((o) => [o.result, o.reason])).toEqual(only.split(',').map(() => ['skipped', expect.stringContaining(reason)]));
    expect([result.verdict, result.reasons[0]]).toEqual(['INCOMPLETE', expect.stringContaining(reason)]);
  });

  it('tells a provider that takes up again what a crash cut off how it can show that it does no harm', async () => {
    const takesUp: Break = (m) => void (m.recover = () => m.slots.forEach(({ machine }) => machine.state === state.configuring && (machine.state = state.configured)));
    const { outcomes } = await tryModel(select('core', 'B1006'), { breakIt: takesUp, reachMs: 600_000 });
    expect(outcomes).toMatchObject([{ result: 'failed', expected: expect.stringContaining('by --start-stuck') as string, got: expect.stringContaining('CONFIGURED') as string }]);
  });

  it('stops when it is told to, and certifies nothing', async () => {
    const result = await tryModel(select('core'), { signal: AbortSignal.abort() });
    expect([result.verdict, result.outcomes.length, result.reasons[0]]).toEqual(['INCOMPLETE', 0, 'nothing was tried']);
  });

  it.each(faults)('catches a provider where $name', { timeout: 60_000 }, async ({ caughtBy, also = [], breakIt, reachMs, isAlone = false }) => {
    const ids = new Set([...caughtBy, ...also, ...(isAlone ? [] : SENTINELS)]);
    const { outcomes } = await tryModel(select('core', [...ids].join(',')), { breakIt, reachMs });
    expect(outcomes.map((o) => o.behaviour.id).toSorted()).toEqual([...ids].toSorted());
    const failed = outcomes.filter((o) => o.result === 'failed').map((o) => o.behaviour.id);
    const unexpected = outcomes.filter((o) => o.result !== 'passed' && !caughtBy.includes(o.behaviour.id) && !also.includes(o.behaviour.id));
    expect(unexpected.map(explanation).join('')).toBe('');
    expect(caughtBy.filter((id) => !failed.includes(id)), 'not caught by').toEqual([]);
  });

  it('has a faulty provider for every behaviour', () => {
    const caught = new Set(faults.flatMap((f) => f.caughtBy));
    expect(catalogue.map((b) => b.id).filter((id) => !caught.has(id))).toEqual([]);
    expect(new Set(faults.map((f) => f.name)).size).toBe(faults.length);
    expect(faults.length).toBeGreaterThanOrEqual(40);
    console.info(`conformance: ${faults.length} faulty providers caught, for ${caught.size} behaviours`);
  });
});
