import { beforeEach, describe, expect, it } from 'vitest';
import type { NeedStatus } from '../api/gen/bigfleet/v1alpha1/shard.ts';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { FateLedger } from './fate-ledger.ts';

const ROW = 'fp\u0000\u0000cpu=1';

function item(satisfied: boolean, reason = 0, reasonText = ''): NeedStatus {
  return { fingerprint: 'fp', group: '', minUnit: new Map([['cpu', '1m']]), satisfied, reason: reason as 0, reasonText, machines: 0, inFlight: 0 };
}

describe('the fate ledger', () => {
  let clock: VirtualClock;
  let changed: string[];
  let rows: string[];
  let fallbacks: number[];
  let ledger: FateLedger;
  let timestamp: bigint;

  beforeEach(() => {
    clock = new VirtualClock();
    changed = [];
    rows = [];
    fallbacks = [];
    timestamp = 0n;
    ledger = new FateLedger({
      clock, intervalMs: 1_000, requestsChanged: (keys) => changed.push(...keys), rowChanged: (key) => rows.push(key), onFallback: (n) => fallbacks.push(n),
    });
    ledger.sessionChanged(true);
  });

  function send(): bigint {
    ledger.rollupSent(++timestamp, ledger.newcomers());
    return timestamp;
  }

  it('acknowledges with each Ack what the oldest roll-up under way brought', () => {
    ledger.track('a', false);
    send();
    ledger.track('b', false);
    send();
    ledger.rollupAcked();
    expect([ledger.acknowledgedAtMs('a'), ledger.acknowledgedAtMs('b')]).toEqual([clock.now(), undefined]);
    expect(changed).toEqual(['a']);
    ledger.rollupAcked();
    expect(ledger.acknowledgedAtMs('b')).toBe(clock.now());
  });

  it('does not acknowledge what came after the roll-up was built, was withdrawn, or was acknowledged before', () => {
    ledger.track('gone', false);
    ledger.track('old', true);
    const newcomers = ledger.newcomers();
    ledger.track('late', false);
    ledger.rollupSent(1n, newcomers);
    ledger.forget('gone');
    ledger.rollupAcked();
    expect(changed).toEqual([]);
    expect(ledger.acknowledgedAtMs('late')).toBeUndefined();
  });

  it('forgets roll-ups of a session that ended', () => {
    ledger.track('a', false);
    send();
    ledger.sessionChanged(false);
    ledger.sessionChanged(true);
    ledger.rollupAcked();
    expect(ledger.acknowledgedAtMs('a')).toBeUndefined();
    send();
    ledger.rollupAcked();
    expect(ledger.acknowledgedAtMs('a')).toBeDefined();
  });

  it('falls back after three intervals without any Ack, and counts it', async () => {
    ledger.track('a', false);
    send();
    await clock.advance(2_999);
    send();
    expect(fallbacks).toEqual([]);
    await clock.advance(1);
    send();
    expect(fallbacks).toEqual([1]);
    expect(ledger.acknowledgedAtMs('a')).toBeDefined();
  });

  it('speaks a verdict over a request only if it was computed with it, or has stood for a while', async () => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 0n, items: [item(true)] });
    ledger.track('a', false);
    expect(ledger.verdictFor('a', ROW)).toBeUndefined();
    send();
    ledger.rollupAcked();
    expect(ledger.verdictFor('a', ROW)).toBeUndefined();
    changed = [];
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [] }); // nothing changed: the verdict stands for the newcomer, too
    expect(changed).toEqual(['a']);
    expect(ledger.verdictFor('a', ROW)).toMatchObject({ satisfied: true });

    ledger.track('b', false);
    send();
    ledger.rollupAcked();
    expect(ledger.verdictFor('b', ROW)).toBeUndefined();
    changed = [];
    await clock.advance(800);
    expect(changed).toContain('b');
    expect(ledger.isSettled('b')).toBe(true);
    expect(ledger.verdictFor('b', ROW)).toMatchObject({ satisfied: true });
  });

  it('calls a row unmet worth telling after five seconds, and a new reason after five of its own', async () => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(false, 2, 'no machine fits')] });
    expect(rows).toEqual([ROW]);
    await clock.advance(4_999);
    expect(ledger.verdictFor('any', ROW)).toEqual({ satisfied: false, reason: 'NoMatchingSupply', text: 'no machine fits', inFlight: 0, lasting: false, steady: false, steadyText: false });
    rows = [];
    await clock.advance(1);
    expect(rows).toEqual([ROW]);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ lasting: true, steady: true });
    ledger.needStatuses({ rollupTimestampUnixNanos: 2n, items: [item(false, 104)] });
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ reason: 'LimitReached', lasting: true, steady: false });
    await clock.advance(5_000);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ steady: true });
    ledger.needStatuses({ rollupTimestampUnixNanos: 3n, items: [item(true)] });
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ satisfied: true, reason: '', lasting: false });
  });

  it.each<[string, Partial<NeedStatus>, bigint, boolean | undefined]>([
    ['served', {}, 1n, true],
    ['not served while a machine is on its way', { inFlight: 1 }, 1n, false],
    ['not served while it is unmet', { satisfied: false }, 1n, false],
    ['of no known state as of a later roll-up', {}, 2n, undefined],
  ])('calls a row %s', (_, fields, timestampAsked, served) => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(true)] });
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [{ ...item(true), ...fields }] });
    expect(ledger.isServed(ROW, timestampAsked)).toBe(served);
  });

  it('adds up the machines of the rows that there are, as of the last word', () => {
    const machines = (group: string, count: number): void =>
      ledger.needStatuses({ rollupTimestampUnixNanos: 5n, items: [{ ...item(true), group, machines: count }] });
    machines('a', 2);
    machines('b', 3);
    machines('b', 4);
    expect([ledger.machinesInDemand(5n), ledger.machinesInDemand(6n)]).toEqual([6, undefined]);
    ledger.retainRows((key) => key.includes('a'));
    expect(ledger.machinesInDemand(5n)).toBe(2);
    ledger.retainRows(() => true);
    expect(ledger.machinesInDemand(5n)).toBe(6);
  });

  it('calls for the requests of a row of which other words are said, at once and when they have stood for five seconds', async () => {
    const tell = (text: string): void => ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(false, 2, text)] });
    tell('no credentials');
    await clock.advance(5_000);
    rows = [];
    tell('no network');
    expect(rows).toEqual([ROW]);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ text: 'no network', lasting: true, steady: true, steadyText: false });
    await clock.advance(5_000);
    expect(rows).toEqual([ROW, ROW]);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ steadyText: true });
  });

  it('keeps the newest numbers of an unmet row, and calls nobody for them', () => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(false, 2, 'Lacks cpu 4.')] });
    rows = [];
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(false, 2, 'Lacks cpu 12.')] });
    expect(rows).toEqual([]);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ text: 'Lacks cpu 12.' });
  });

  it('does not call for the requests of a row whose numbers alone changed', () => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(true)] });
    rows = [];
    ledger.needStatuses({ rollupTimestampUnixNanos: 2n, items: [{ ...item(true), machines: 7, inFlight: 2 }] });
    expect(rows).toEqual([]);
    expect(ledger.verdictFor('any', ROW)).toMatchObject({ inFlight: 2 });
  });

  it('keeps no verdicts of rows that are gone and no timers when it has nothing to wait for', async () => {
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items: [item(false, 2)] });
    for (let i = 0; i < 30; i++) ledger.retainRows(() => false);
    expect(ledger.verdictFor('any', ROW)).toBeDefined();
    ledger.retainRows(() => true);
    for (let i = 0; i < 31; i++) ledger.retainRows(() => false);
    expect(ledger.verdictFor('any', ROW)).toBeUndefined();
    expect(clock.pending).toBe(1);
    await clock.advance(5_000);
    expect(clock.pending).toBe(0);
  });

  it('makes one appointment per message, however many rows it calls unmet', async () => {
    let armed = 0;
    const after = clock.after.bind(clock);
    clock.after = (ms, fn) => (armed++, after(ms, fn));
    const items = Array.from({ length: 20_000 }, (_, i) => ({ ...item(false, 2), fingerprint: `fp-${i}` }));
    ledger.needStatuses({ rollupTimestampUnixNanos: 1n, items });
    expect(armed).toBe(1);
    expect(ledger.appointments).toBe(1);
    await clock.advance(1_000);
    for (let i = 0; i < 1_000; i++) ledger.needStatuses({ rollupTimestampUnixNanos: 2n, items: [{ ...item(false, 2), fingerprint: `more-${i}` }] });
    expect(armed).toBe(1); // an earlier appointment stands
    rows = [];
    await clock.advance(4_000);
    expect(new Set(rows).size).toBe(20_000);
    expect(armed).toBe(2);
    await clock.advance(1_000);
    expect(new Set(rows).size).toBe(21_000);
    expect(clock.pending).toBe(0);
  });

  it('keeps a nearer appointment that was made after a farther one, and both', async () => {
    ledger.track('a', false);
    send();
    ledger.needStatuses({ rollupTimestampUnixNanos: 0n, items: [item(false, 2)] }); // due after 5,000 ms
    await clock.advance(100);
    ledger.rollupAcked(); // due 800 ms from here
    ledger.needStatuses({ rollupTimestampUnixNanos: 0n, items: [{ ...item(false, 2), fingerprint: 'other' }] });
    changed = [];
    rows = [];
    await clock.advance(799);
    expect(changed).toEqual([]);
    await clock.advance(1);
    expect(changed).toEqual(['a']);
    await clock.advance(4_100);
    expect(rows).toEqual([ROW]);
    await clock.advance(100);
    expect(rows).toEqual([ROW, 'other\u0000\u0000cpu=1']);
  });
});
