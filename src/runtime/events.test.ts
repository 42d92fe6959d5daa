import { beforeEach, describe, expect, test } from 'vitest';
import { VirtualClock } from '../lib/virtual-clock.ts';
import { createEventRecorder } from './events.ts';
import type { EventRecorder, EventRecorderOptions, KubeEvent } from './events.ts';
import { silentLog } from './types.ts';
import type { KubeClient, KubeObject } from './types.ts';

interface Written extends KubeObject {
  reason: string;
  message: string;
  involvedObject: object;
}

let clock: VirtualClock;
let written: Written[];
let dropped: string[];
let stop: AbortController;
let fail: boolean;

beforeEach(() => {
  clock = new VirtualClock();
  written = [];
  dropped = [];
  stop = new AbortController();
  fail = false;
});

function recorder(options: Partial<EventRecorderOptions> = {}): { events: EventRecorder; ended: Promise<void> } {
  const client = {
    create: async (_type: unknown, object: Written) => {
      if (fail) throw new Error('no');
      written.push(object);
      return object;
    },
  } as unknown as KubeClient;
  const onDropped = (reason: string): void => void dropped.push(reason);
  const events = createEventRecorder({ client, clock, random: () => 0.5, log: silentLog, component: 'tester', instance: 'tester-0', onDropped, ...options });
  return { events, ended: events.run(stop.signal) };
}

function event(name: string, more: Partial<KubeEvent> = {}): KubeEvent {
  const regarding = { apiVersion: 'v1', kind: 'Node', metadata: { name, uid: `uid-${name}` } };
  return { regarding, type: 'Normal', reason: 'Reclaimed', message: `${name} was reclaimed`, ...more };
}

describe('event recorder', () => {
  test('an event becomes an Event about its object', async () => {
    const { events } = recorder();
    events.publish(event('n1'));
    await clock.advance(0);
    expect(written).toEqual([
      {
        metadata: { name: expect.stringMatching(/^n1\.[0-9a-f]+$/), namespace: 'default' },
        involvedObject: { apiVersion: 'v1', kind: 'Node', name: 'n1', namespace: undefined, uid: 'uid-n1', resourceVersion: undefined },
        type: 'Normal',
        reason: 'Reclaimed',
        message: 'n1 was reclaimed',
        count: 1,
        firstTimestamp: '2026-01-01T00:00:00Z',
        lastTimestamp: '2026-01-01T00:00:00Z',
        source: { component: 'tester' },
        reportingComponent: 'tester',
        reportingInstance: 'tester-0',
      },
    ]);
  });

  test('repeats within two minutes are one event; other objects, reasons and values are others', async () => {
    const { events } = recorder();
    for (let i = 0; i < 10; i++) events.publish(event('n1'));
    events.publish(event('n2'));
    events.publish(event('n1', { reason: 'Drained' }));
    events.publish(event('n1', { message: 'other words' }));
    events.publish(event('n1', { message: 'with values', dedupeValues: ['x'] }));
    events.publish(event('n1', { message: 'same values, other words', dedupeValues: ['x'] }));
    await clock.advance(0);
    expect(written).toHaveLength(5);
    await clock.advance(119_999);
    events.publish(event('n1'));
    await clock.advance(0);
    expect(written).toHaveLength(5);
    await clock.advance(1);
    events.publish(event('n1'));
    await clock.advance(0);
    expect(written).toHaveLength(6);
  });

  test('the rate is limited after the burst', async () => {
    const { events } = recorder({ qps: 2, burst: 3 });
    for (let i = 0; i < 6; i++) events.publish(event(`n${i}`));
    await clock.advance(0);
    expect(written).toHaveLength(3);
    await clock.advance(1_000);
    expect(written).toHaveLength(5);
    await clock.advance(1_000);
    expect(written).toHaveLength(6);
  });

  test('a full queue drops the newest and says so', async () => {
    const { events } = recorder({ maxQueued: 2 });
    for (let i = 0; i < 5; i++) events.publish(event(`n${i}`));
    await clock.advance(0);
    expect(written.map(({ message }) => message)).toEqual(['n0 was reclaimed', 'n1 was reclaimed']);
    expect(dropped).toEqual(['queue_full', 'queue_full', 'queue_full']);
  });

  test('what a full queue dropped was not told: it is no repeat the next time', async () => {
    const { events } = recorder({ maxQueued: 1, burst: 1, qps: 1 });
    for (const name of ['n1', 'n2', 'n2']) events.publish(event(name));
    expect(dropped).toEqual(['queue_full', 'queue_full']);
    await clock.advance(1_000);
    events.publish(event('n2'));
    await clock.advance(1_000);
    expect(written.map(({ message }) => message)).toEqual(['n1 was reclaimed', 'n2 was reclaimed']);
  });

  test('an API server that refuses costs the event, not the recorder', async () => {
    const { events } = recorder();
    fail = true;
    events.publish(event('n1'));
    await clock.advance(0);
    fail = false;
    events.publish(event('n2'));
    await clock.advance(0);
    expect(dropped).toEqual(['api_error']);
    expect(written).toHaveLength(1);
  });

  test('long messages are cut to what the API takes', async () => {
    const { events } = recorder();
    events.publish(event('n1', { message: 'x'.repeat(5_000) }));
    await clock.advance(0);
    expect(written[0]!.message).toHaveLength(1_024);
  });

  test('it stops with its signal', async () => {
    const { ended } = recorder();
    stop.abort(new Error('stop'));
    await ended;
  });
});
