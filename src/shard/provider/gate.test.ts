import { describe, expect, it } from 'vitest';
import { VirtualClock } from '../../lib/virtual-clock.ts';
import type { CallKind } from '../record.ts';
import { ProviderGate } from './gate.ts';

const never = new AbortController().signal;

/** A gate whose calls end when the test says so. */
function setUp(limit = 1) {
  const clock = new VirtualClock();
  const settings = { limit };
  const gate = new ProviderGate({ clock, random: () => 0.5, limit: () => settings.limit });
  const begun: string[] = [];
  const running: (() => void)[] = [];
  const ask = (kind: CallKind, cluster: string, name = '', signal = never): Promise<string> =>
    gate.run(kind, cluster, signal, async () => {
      begun.push([kind, cluster, name].filter(Boolean).join(' '));
      await new Promise<void>((resolve) => running.push(resolve));
      return name;
    }).catch((error: unknown) => String(error));
  /** Ends the calls that run, one after the other, until none is left; what was begun by then. */
  const finish = async (): Promise<string[]> => {
    for (;;) {
      await clock.advance(0);
      const end = running.shift();
      if (!end) return begun;
      end();
    }
  };
  return { clock, gate, settings, begun, running, ask, finish };
}

describe('calls that wait for a provider', () => {
  it('are never more than the limit at a time, which may change', async () => {
    const t = setUp(2);
    for (let i = 0; i < 5; i++) void t.ask('Create', 'east', String(i));
    await t.clock.advance(0);
    expect([t.begun.length, t.gate.inFlight, t.gate.waiting]).toEqual([2, 2, 3]);
    t.settings.limit = 3;
    t.running.shift()!();
    await t.clock.advance(0);
    expect([t.begun.length, t.gate.inFlight, t.gate.waiting]).toEqual([4, 3, 1]);
    await t.finish();
    expect([t.begun.length, t.gate.inFlight, t.gate.waiting]).toEqual([5, 0, 0]);
  });

  it('keep their order within one kind and cluster', async () => {
    const t = setUp();
    for (let i = 0; i < 5; i++) void t.ask('Create', 'east', String(i));
    expect(await t.finish()).toEqual(['Create east 0', 'Create east 1', 'Create east 2', 'Create east 3', 'Create east 4']);
  });

  it('take turns by kind: one Drain does not wait for a thousand Creates', async () => {
    const t = setUp();
    for (let i = 0; i < 1_000; i++) void t.ask('Create', 'east', String(i));
    void t.ask('Drain', 'east');
    void t.ask('Delete', '');
    expect((await t.finish()).slice(0, 5)).toEqual(['Create east 0', 'Create east 1', 'Drain east', 'Delete', 'Create east 2']);
  });

  it('take turns by cluster within a kind: a small cluster does not wait for a large one', async () => {
    const t = setUp();
    for (let i = 0; i < 1_000; i++) void t.ask('Configure', 'large', String(i));
    void t.ask('Configure', 'small', '0');
    void t.ask('Configure', 'small', '1');
    void t.ask('Configure', 'third', '0');
    expect((await t.finish()).slice(1, 7)).toEqual(['Configure large 1', 'Configure small 0', 'Configure third 0', 'Configure large 2', 'Configure small 1', 'Configure large 3']);
  });

  it('leave when their signal aborts, and nobody waits behind them', async () => {
    const t = setUp();
    const abort = new AbortController();
    void t.ask('Create', 'east', 'first');
    const gone = t.ask('Create', 'east', 'gone', abort.signal);
    void t.ask('Create', 'east', 'last');
    await t.clock.advance(0);
    abort.abort(new Error('stopped'));
    expect(await gone).toBe('Error: stopped');
    expect(t.gate.waiting).toBe(1);
    expect(await t.finish()).toEqual(['Create east first', 'Create east last']);
    expect(await t.ask('Create', 'east', 'late', abort.signal)).toBe('Error: stopped');
  });

  it('go on after one that fails', async () => {
    const t = setUp();
    await expect(t.gate.run('Create', 'east', never, () => Promise.reject(new Error('no')))).rejects.toThrow('no');
    void t.ask('Create', 'east');
    expect(await t.finish()).toEqual(['Create east']);
  });
});

describe('a provider that lists its machines and does not answer one kind of call', () => {
  /** Ends the calls that run, each unanswered. For how long the kind rests then. */
  const unanswered = async (t: ReturnType<typeof setUp>): Promise<number> => {
    let restMs = 0;
    for (const end of t.running.splice(0)) {
      restMs = t.gate.unanswered('Create', 'create: no answer');
      end();
    }
    await t.clock.advance(0);
    return restMs;
  };

  it('is asked one at a time after five in a row, later and later, while other calls go on; all as before once one is answered', async () => {
    const t = setUp(5);
    for (let i = 0; i < 30; i++) void t.ask('Create', 'east', String(i));
    await t.clock.advance(0);
    expect([t.begun.length, t.gate.silent]).toEqual([5, []]);
    expect(await unanswered(t)).toBe(15_000);
    expect(t.gate.silent).toEqual([{ kind: 'Create', inARow: 5, words: 'create: no answer', until: t.clock.now() + 15_000 }]);
    for (let i = 0; i < 3; i++) void t.ask('Drain', 'east', String(i));
    await t.clock.advance(14_999);
    expect(t.begun.slice(5)).toEqual(['Drain east 0', 'Drain east 1', 'Drain east 2']);
    t.running.splice(0).forEach((end) => end());
    await t.clock.advance(1);
    expect(t.begun.slice(8)).toEqual(['Create east 5']);
    expect(await unanswered(t)).toBe(30_000);
    await t.clock.advance(30_000);
    expect(t.begun.slice(9)).toEqual(['Create east 6']);
    expect([t.gate.heard('Create'), t.gate.heard('Create'), t.gate.silent]).toEqual([true, false, []]);
    await t.clock.advance(0);
    expect(t.begun).toHaveLength(14);
  });

  it('is not silent as long as it answers some of them', async () => {
    const t = setUp(5);
    for (let i = 0; i < 20; i++) {
      expect(t.gate.unanswered('Create', 'no answer')).toBe(0);
      if (i % 4 === 3) t.gate.heard('Create');
    }
    for (let i = 0; i < 5; i++) void t.ask('Create', 'east', String(i));
    await t.clock.advance(0);
    expect(t.begun).toHaveLength(5);
  });
});

describe('a provider that is asked too much', () => {
  it('is asked nothing new for a second, then for two, and one after the other as before', async () => {
    const t = setUp(5);
    expect(t.gate.throttled()).toBe(1_000);
    for (let i = 0; i < 3; i++) void t.ask('Create', 'east', String(i));
    await t.clock.advance(999);
    expect(t.begun).toEqual([]);
    await t.clock.advance(1);
    expect(t.begun).toHaveLength(3);
    expect([t.gate.throttled(), t.gate.throttled()]).toEqual([2_000, 2_000]); // of calls under way the second counts no more
    t.gate.answered(); // one that was sent before
    expect(t.gate.throttled()).toBe(2_000);
    await t.clock.advance(2_000);
    t.gate.answered();
    expect(t.gate.throttled()).toBe(1_000);
  });
});
