import { beforeEach, describe, expect, it } from 'vitest';
import { Ground } from './ground.ts';
import type { Mutation } from './ground.ts';
import { Timeline } from './timeline.ts';
import { Transcript } from './transcript.ts';

let timeline: Timeline;
let ground: Ground;

beforeEach(() => {
  timeline = new Timeline();
  ground = new Ground(timeline, new Transcript(timeline));
  ground.leads('shard-a#1');
});

const call = (sequence: number, fields: Partial<Mutation> = {}): Mutation =>
  ({ kind: 'configure', id: 'm', cluster: 'east', shard: 'shard-0', token: { epoch: 1n, sequence: BigInt(sequence) }, sender: 'shard-a#1', sentAt: timeline.now, ...fields });
const accept = (mutation: Mutation): void => ground.accepted(mutation, -Infinity);
const marks = (sequence: number): ReadonlyMap<string, { epoch: bigint; sequence: bigint }> => new Map([['shard-0 m', { epoch: 1n, sequence: BigInt(sequence) }]]);
const machines = new Set(['m']);

describe('the order of calls', () => {
  it('is that in which they are accepted, in whatever order their answers arrive', () => {
    accept(call(1));
    accept(call(2));
    ground.acknowledged(call(2));
    ground.acknowledged(call(1));
    expect(ground.violations).toEqual([]);
    accept(call(2));
    expect(ground.violations).toEqual(['m: configure of shard-a#1 was accepted under a token that is not above one accepted before']);
  });

  it('begins anew with what a crash has left, of which nobody was told anything else', () => {
    accept(call(1));
    ground.acknowledged(call(1));
    accept(call(3));
    ground.restored(machines, marks(1));
    accept(call(2));
    expect(ground.violations).toEqual([]);
    accept(call(1));
    expect(ground.violations).toHaveLength(1);
  });

  it('must not be forgotten where somebody was told, by the machines of that provider', () => {
    accept(call(3));
    ground.acknowledged(call(3));
    ground.acknowledged(call(2));
    ground.restored(new Set(['other']), new Map());
    expect(ground.violations).toEqual([]);
    ground.restored(machines, marks(2));
    expect(ground.violations).toEqual(["shard-0 m: a call was acknowledged, and after the crash the provider's disk does not know it"]);
  });
});

describe('an epoch', () => {
  const speaks = (sender: string, apiTroubleAt = -Infinity): void => ground.spoke(sender, 5n, 'create', 'm', apiTroubleAt);
  const VIOLATION = 'shard-b#1 speaks under epoch 5, which was that of shard-a#1';

  it('is nobody else’s', () => {
    speaks('shard-a#1');
    speaks('shard-b#1');
    expect(ground.violations).toEqual([VIOLATION]);
  });

  it('may be claimed a second time where no trace of the first was left, and stays claimed', async () => {
    speaks('shard-a#1');
    ground.leaseBrokenAt = timeline.now;
    speaks('shard-b#1', timeline.now);
    await timeline.run(3_600_000);
    speaks('shard-b#1');
    expect(ground.violations).toEqual([]);
  });
});

describe('a cluster that was told that a machine never comes', () => {
  it.each([
    ['gets it by a Configure that was sent before', {}, 1],
    ['gets it by one that was sent afterwards', { sentAt: 2 }, 0],
    ['sees it join another cluster', { cluster: 'west' }, 0],
    ['sees it created', { kind: 'create', cluster: '' }, 0],
    ['gets it by a process that was succeeded, which is looked at elsewhere', { sender: 'shard-b#1' }, 0],
  ] as const)('%s', async (_what, fields, violations) => {
    const sent = call(1, fields);
    await timeline.run(1);
    ground.toldGone('m', 'east');
    await timeline.run(3);
    accept(sent);
    expect(ground.violations).toHaveLength(violations);
  });
});

describe('a machine that a person holds', () => {
  const later = (ms: number): Promise<void> => timeline.run(timeline.now + ms);

  it('is not to be changed by a process that has read so', async () => {
    ground.read('shard-a#1', 'm', true);
    await later(500);
    ground.wanted('shard-a#1', 'drain', 'm');
    expect(ground.violations).toEqual([]);
    ground.read('shard-a#1', 'm', true); // it reads so again: it has known it since before
    await later(1);
    ground.wanted('shard-a#1', 'drain', 'm');
    expect(ground.violations).toEqual(['m: shard-a#1 wants drain, and has read 0.5 s before that a person holds it']);
  });

  it('is any other’s, or that of whoever has not read it, or has read that it is over', async () => {
    ground.read('shard-a#1', 'm', true);
    ground.read('shard-a#1', 'n', true);
    ground.read('shard-a#1', 'n', false);
    await later(60_000);
    ground.wanted('shard-b#1', 'drain', 'm');
    ground.wanted('shard-a#1', 'drain', 'o');
    ground.wanted('shard-a#1', 'drain', 'n');
    expect(ground.violations).toEqual([]);
  });
});
