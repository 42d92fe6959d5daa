import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import type { Clock } from '../../lib/clock.ts';
import { seededRandom } from '../../lib/random.ts';
import { ApiError, TransportError } from '../client/api-error.ts';
import { ObservableClock } from '../testing/observable-clock.ts';
import { silentLog } from '../types.ts';
import type { CallOptions, KubeClient, Log } from '../types.ts';
import { LeadershipLostError } from './election-types.ts';
import type { LeaseElection, LeaseElectionOptions } from './election-types.ts';
import { createLeaseElection } from './lease-election.ts';
import type { Lease, LeaseSpec } from './lease-record.ts';

type Fault = 'none' | 'silent' | 'refuse' | 'answer lost';

/** One Lease behind the KubeClient interface, with compare-and-swap and the faults that matter to an election. */
class LeaseServer {
  lease: Lease | undefined;
  fault: Fault = 'none';
  writes: LeaseSpec[] = [];
  /** Runs once, between the next read and whatever the reader does then. */
  afterNextRead: (() => void) | undefined;
  private revision = 0;
  private uids = 0;

  put(spec: LeaseSpec): Lease {
    const metadata = this.lease?.metadata ?? { name: 'lock', namespace: 'ns', uid: `uid-${++this.uids}` };
    this.lease = { metadata: { ...metadata, resourceVersion: String(++this.revision) }, spec };
    return this.lease;
  }

  readonly client = {
    get: (_type: unknown, _ref: unknown, call?: CallOptions) =>
      this.serve('read', call, () => {
        const lease = this.lease && structuredClone(this.lease);
        this.afterNextRead?.();
        this.afterNextRead = undefined;
        return lease;
      }),
    create: (_type: unknown, object: Lease, call?: CallOptions) =>
      this.serve('write', call, () => {
        if (this.lease) throw new ApiError('POST', 409, { reason: 'AlreadyExists' });
        return this.write(object);
      }),
    update: (_type: unknown, object: Lease, call?: CallOptions) =>
      this.serve('write', call, () => {
        if (!this.lease) throw new ApiError('PUT', 404, { reason: 'NotFound' });
        const { uid, resourceVersion } = this.lease.metadata;
        const isStale = object.metadata.resourceVersion !== resourceVersion || object.metadata.uid !== uid;
        if (isStale) throw new ApiError('PUT', 409, { reason: 'Conflict' });
        return this.write(object);
      }),
  } as unknown as KubeClient;

  private write(object: Lease): Lease {
    const spec = structuredClone(object.spec!);
    this.writes.push(spec);
    return structuredClone(this.put(spec));
  }

  private async serve<R>(kind: 'read' | 'write', call: CallOptions | undefined, act: () => R): Promise<R> {
    expect(call).toMatchObject({ unthrottled: true });
    if (this.fault === 'refuse') throw new TransportError('GET', 'ECONNREFUSED', 'refused', { sent: false });
    if (this.fault === 'silent') return await untilTimeout(call);
    const result = act();
    if (this.fault === 'answer lost' && kind === 'write') throw new TransportError('PUT', 'ECONNRESET', 'reset', { sent: true });
    return result;
  }
}

/** What a client does with a server that does not answer. */
function untilTimeout(call: CallOptions | undefined): Promise<never> {
  return new Promise((_, reject) => {
    clock.after(call!.timeoutMs!, () => reject(new TransportError('GET', 'TIMEOUT', 'silence', { sent: true })));
    call?.signal?.addEventListener('abort', () => reject(call.signal!.reason), { once: true });
  });
}

/** What the clock of the test looks like from inside a virtual machine: the wall time goes on while it is suspended, nothing else does. */
class SuspendableMachine implements Clock {
  private suspendedAt: number | undefined;
  private missedMs = 0;
  private waiting: (() => void)[] = [];

  now(): number {
    return clock.now();
  }

  monotonic(): number {
    return (this.suspendedAt ?? clock.monotonic()) - this.missedMs;
  }

  after(ms: number, fn: () => void): () => void {
    let isCancelled = false;
    const dueAt = this.monotonic() + ms;
    const fire = (): void => {
      if (isCancelled) return;
      if (this.suspendedAt !== undefined) this.waiting.push(fire);
      else if (this.monotonic() < dueAt) clock.after(dueAt - this.monotonic(), fire);
      else fn();
    };
    clock.after(ms, fire);
    return () => void (isCancelled = true);
  }

  suspend(): void {
    this.suspendedAt = clock.monotonic();
  }

  resume(): void {
    this.missedMs += clock.monotonic() - this.suspendedAt!;
    this.suspendedAt = undefined;
    for (const fire of this.waiting.splice(0)) fire();
  }
}

interface Candidate {
  readonly election: LeaseElection;
  readonly acquired: number[];
  readonly lost: string[];
  readonly stop: AbortController;
  /** How the run ended: 'stopped', or the error. */
  readonly ended: Promise<unknown>;
}

let clock: ObservableClock;
let server: LeaseServer;
let candidates: Candidate[];

beforeEach(() => {
  clock = new ObservableClock();
  server = new LeaseServer();
  candidates = [];
});

afterEach(async () => {
  for (const { stop } of candidates) stop.abort(new Error('the test is over'));
  await clock.advance(10_000);
  await Promise.all(candidates.map(({ ended }) => ended));
});

function start(identity: string, options: Partial<LeaseElectionOptions> = {}): Candidate {
  const acquired: number[] = [];
  const lost: string[] = [];
  const stop = new AbortController();
  const election = createLeaseElection({
    client: server.client,
    name: 'lock',
    namespace: 'ns',
    identity,
    clock,
    random: () => 0,
    log: silentLog,
    onAcquired: (transitions) => acquired.push(transitions),
    onLost: (other) => lost.push(other),
    ...options,
  });
  const ended = election.run(stop.signal).then(
    () => 'stopped',
    (error: unknown) => error,
  );
  const candidate = { election, acquired, lost, stop, ended };
  candidates.push(candidate);
  return candidate;
}

async function elected(identity: string): Promise<Candidate> {
  const candidate = start(identity);
  await clock.advance(0);
  expect(candidate.election.isLeader).toBe(true);
  return candidate;
}

function heldBy(holderIdentity: string, leaseTransitions: number, more: LeaseSpec = {}): LeaseSpec {
  return { holderIdentity, leaseTransitions, leaseDurationSeconds: 15, renewTime: '2026-01-01T00:00:00.000000Z', acquireTime: 'then', ...more };
}

describe('winning', () => {
  test('the first to come creates the Lease, with six-digit times', async () => {
    const { election, acquired } = start('a');
    await election.waitUntilLeader();
    expect(acquired).toEqual([0]);
    expect(election.transitions).toBe(0);
    expect(server.lease!.spec).toEqual({
      holderIdentity: 'a',
      leaseDurationSeconds: 15,
      leaseTransitions: 0,
      acquireTime: '2026-01-01T00:00:00.000000Z',
      renewTime: '2026-01-01T00:00:00.000000Z',
    });
  });

  test('of two at the same moment one wins', async () => {
    const a = start('a');
    const b = start('b');
    await clock.advance(5_000);
    expect([a, b].map(({ election }) => election.isLeader)).toEqual([true, false]);
    expect([...a.acquired, ...b.acquired]).toEqual([0]);
  });

  test('a released Lease is taken at once, with one more transition', async () => {
    server.put(heldBy('', 4, { leaseDurationSeconds: 1 }));
    const { acquired } = await elected('a');
    expect(acquired).toEqual([5]);
  });

  test('a Lease that is not renewed is taken after its own duration on our clock, whatever its times say', async () => {
    server.put(heldBy('dead', 4, { leaseDurationSeconds: 30 }));
    const { election, acquired } = start('a');
    await clock.advance(29_999);
    expect(election.isLeader).toBe(false);
    await clock.advance(2_001);
    expect(acquired).toEqual([5]);
  });

  test('a Lease deleted under a holder is not taken before the time of that holder has run out', async () => {
    const { election, acquired } = start('b');
    server.put(heldBy('a', 3));
    await clock.advance(1_000);
    server.lease = undefined;
    await clock.advance(13_000);
    expect(election.isLeader).toBe(false);
    await clock.advance(2_000);
    expect(acquired).toEqual([0]);
  });

  test('a Lease that is renewed is not taken, even if the wall clock jumps by days', async () => {
    const { election } = start('b');
    server.put(heldBy('a', 0));
    for (let i = 0; i < 20; i++) {
      clock.jumpWall(86_400_000 * (i % 2 ? -1 : 1));
      await clock.advance(5_000);
      server.put(heldBy('a', 0, { renewTime: `renewal ${i}` }));
    }
    expect(election.isLeader).toBe(false);
  });

  test('a claim whose answer was lost is recognised as ours', async () => {
    server.fault = 'answer lost';
    const { election, acquired } = start('a');
    await clock.advance(0);
    expect(election.isLeader).toBe(false);
    expect(server.lease!.spec!.holderIdentity).toBe('a');
    server.fault = 'none';
    await clock.advance(2_000);
    expect(acquired).toEqual([0]);
  });

  test('a stranger under our name is waited for like anybody else', async () => {
    server.put(heldBy('a', 3));
    const { election } = start('a');
    await clock.advance(14_000);
    expect(election.isLeader).toBe(false);
    await clock.advance(2_000);
    expect(election.transitions).toBe(4);
  });

  test('a failing API server is asked again', async () => {
    server.fault = 'refuse';
    const { election } = start('a');
    await clock.advance(60_000);
    expect(election.isLeader).toBe(false);
    server.fault = 'none';
    await clock.advance(2_000);
    expect(election.isLeader).toBe(true);
  });

  test('waiting ends with the signal', async () => {
    server.put(heldBy('other', 0));
    const { election } = start('a');
    const abort = new AbortController();
    const waiting = election.waitUntilLeader(abort.signal);
    abort.abort(new Error('enough'));
    await expect(waiting).rejects.toThrow('enough');
  });

  test('a throwing onAcquired ends the run with its error', async () => {
    const onAcquired = (): void => {
      throw new Error('cannot lead');
    };
    const { election, ended } = start('a', { onAcquired });
    expect(await ended).toMatchObject({ message: 'cannot lead' });
    expect(election.isLeader).toBe(false);
    expect(server.lease!.spec!.holderIdentity).toBe('');
  });
});

describe('standing by', () => {
  test('is over at the moment in which the Lease ends, not a pause later', async () => {
    server.put(heldBy('dead', 0));
    const { election } = start('a', { random: () => 0.999 }); // pauses of 2.4 s: the Lease ends between two of them
    await clock.advance(14_999);
    expect(election.isLeader).toBe(false);
    await clock.advance(1);
    expect(election.isLeader).toBe(true);
  });

  test('is said once, and of whom', async () => {
    const told: unknown[] = [];
    server.put(heldBy('other', 0));
    start('a', { log: { ...silentLog, info: (fields, message) => told.push([message, (fields as { holder?: string }).holder]) } });
    await clock.advance(5_000);
    server.put(heldBy('other', 0, { renewTime: 'later' }));
    await clock.advance(5_000);
    expect(told).toEqual([['another process holds the Lease: standing by', 'other']]);
  });
});

describe('holding', () => {
  test('the Lease is renewed every 2 s and keeps its transitions and acquire time', async () => {
    await elected('a');
    await clock.advance(6_000);
    expect(server.writes.map(({ renewTime }) => renewTime!.slice(17))).toEqual(['00.000000Z', '02.000000Z', '04.000000Z', '06.000000Z']);
    expect(new Set(server.writes.map(({ acquireTime }) => acquireTime)).size).toBe(1);
    expect(new Set(server.writes.map(({ leaseTransitions }) => leaseTransitions))).toEqual(new Set([0]));
  });

  test('proof lasts until 2 s before the Lease would expire, counted from the sending of the renewal', async () => {
    const { election } = await elected('a');
    expect(election.provenUntil()).toBe(13_000);
    server.fault = 'refuse';
    await clock.advance(12_999);
    expect(election.isProven()).toBe(true);
    await clock.advance(1);
    expect(election.isProven()).toBe(false);
  });

  test.each([
    { leaseMs: 3_000, proofMs: 1_500 },
    { leaseMs: 6_000, proofMs: 4_000 },
  ])('with a Lease of $leaseMs ms the proof lasts $proofMs ms', async ({ leaseMs, proofMs }) => {
    const { election } = start('a', { durations: { leaseMs, renewDeadlineMs: leaseMs - 1, retryMs: 500 } });
    await clock.advance(0);
    expect(election.provenUntil()).toBe(proofMs);
  });

  test('an answer that takes its time shortens the proof', async () => {
    const { election } = await elected('a');
    const { update } = server.client;
    let sentAt = 0;
    server.client.update = (async (...args: Parameters<typeof update>) => {
      sentAt = clock.monotonic();
      await new Promise<void>((resolve) => clock.after(3_000, resolve));
      return await update.apply(server.client, args);
    }) as typeof update;
    await clock.advance(5_000);
    expect(sentAt).toBe(2_000);
    expect(election.provenUntil()).toBe(2_000 + 13_000);
  });

  test.each([86_400_000, 1_001, -1_001, -86_400_000])('a wall clock that is set by %i ms ends the proof until the next renewal', async (ms) => {
    const { election } = await elected('a');
    clock.jumpWall(ms);
    expect([election.isProven(), election.provenUntil()]).toEqual([false, 0]);
    clock.jumpWall(-ms); // right again, but for how long it was wrong nobody knows
    expect([election.isProven(), election.isLeader]).toEqual([false, true]);
    await clock.advance(2_000);
    expect([election.isProven(), election.provenUntil()]).toEqual([true, 2_000 + 13_000]);
  });

  test.each([1_000, -1_000])('a wall clock that is set by %i ms changes no proof, nor how long it lasts', async (ms) => {
    const { election } = await elected('a');
    clock.jumpWall(ms);
    expect([election.isProven(), election.provenUntil()]).toEqual([true, 13_000]);
  });

  test('a step of the clock is told once', async () => {
    const told: string[] = [];
    const log: Log = { ...silentLog, warn: (_fields, message) => void told.push(message) };
    const { election } = start('a', { log });
    await clock.advance(0);
    clock.jumpWall(60_000);
    for (let i = 0; i < 3; i++) election.isProven();
    expect(told).toEqual([expect.stringContaining('not proven before its next renewal')]);
  });

  describe('in a virtual machine that is suspended, which takes its monotonic clock along', () => {
    test('the proof has ended when it goes on, though little of its time has passed', async () => {
      const machine = new SuspendableMachine();
      const a = start('a', { clock: machine });
      await clock.advance(1_000);
      machine.suspend();
      const b = start('b');
      await clock.advance(60_000);
      machine.resume();
      expect(b.election.isProven()).toBe(true);
      expect([machine.monotonic(), a.election.isLeader, a.election.isProven()]).toEqual([1_000, true, false]);
      expect(await a.election.recheck()).toBe('lost');
    });

    test('a renewal that was under way proves nothing', async () => {
      const { election } = await elected('a');
      const { update } = server.client;
      server.client.update = (async (...args: Parameters<typeof update>) => {
        const renewed = await update.apply(server.client, args);
        clock.jumpWall(60_000);
        return renewed;
      }) as typeof update;
      await clock.advance(2_000);
      expect(election.isProven()).toBe(false);
      server.client.update = update;
      await clock.advance(2_000);
      expect(election.isProven()).toBe(true);
    });
  });

  test.each(['silent', 'refuse'] as const)('an API server that is %s for an hour costs the proof, not the leadership', async (fault) => {
    const { election, lost } = await elected('a');
    server.fault = fault;
    await clock.advance(3_600_000);
    expect(election.isLeader).toBe(true);
    expect(election.isProven()).toBe(false);
    server.fault = 'none';
    await clock.advance(7_000);
    expect(election.isProven()).toBe(true);
    expect(election.transitions).toBe(0);
    expect(lost).toEqual([]);
  });

  test('a renewal whose answer was lost is followed by another', async () => {
    const { election } = await elected('a');
    server.fault = 'answer lost';
    await clock.advance(2_000);
    server.fault = 'none';
    await clock.advance(2_000);
    expect(election.isLeader).toBe(true);
    expect(election.provenUntil()).toBe(4_000 + 13_000);
  });

  test('somebody who edits labels of the Lease disturbs nothing', async () => {
    const { election } = await elected('a');
    server.put(server.lease!.spec!);
    await clock.advance(2_000);
    expect(election.provenUntil()).toBe(2_000 + 13_000);
  });

  test('a deleted Lease is created again with our transitions', async () => {
    server.put(heldBy('', 6));
    const { election, lost } = await elected('a');
    server.lease = undefined;
    await clock.advance(2_000);
    expect(election.isLeader).toBe(true);
    expect(lost).toEqual([]);
    expect(server.lease!.spec).toMatchObject({ holderIdentity: 'a', leaseTransitions: 7 });
  });

  test('an emptied Lease is taken back', async () => {
    const { election } = await elected('a');
    server.put({ ...server.lease!.spec, holderIdentity: '' });
    await clock.advance(2_000);
    expect(election.isLeader).toBe(true);
    expect(server.lease!.spec!.holderIdentity).toBe('a');
  });
});

test('each time of trouble is told once, and its end', async () => {
  const told: string[] = [];
  const log: Log = { ...silentLog, warn: (_fields, message) => told.push(message), info: (_fields, message) => told.push(message) };
  start('a', { log });
  await clock.advance(2_000);
  for (let i = 0; i < 2; i++) {
    server.fault = 'refuse';
    await clock.advance(20_000);
    server.fault = 'none';
    await clock.advance(10_000);
  }
  const trouble = ['the Lease cannot be read or written', 'the Lease can be read and written again'];
  expect(told).toEqual(['elected', ...trouble, ...trouble]);
});

describe('losing', () => {
  test('another holder ends it: onLost once, and run rejects', async () => {
    const { election, lost, ended } = await elected('a');
    server.put(heldBy('b', 1));
    await clock.advance(2_000);
    const error = (await ended) as LeadershipLostError;
    expect(error).toBeInstanceOf(LeadershipLostError);
    expect(error).toMatchObject({ otherHolder: 'b', message: 'lease ns/lock is now held by "b"' });
    expect(lost).toEqual(['b']);
    expect(election.isLeader).toBe(false);
    expect(election.isProven()).toBe(false);
    expect(server.lease!.spec!.holderIdentity).toBe('b');
  });

  test.each([
    ['deleted and taken by another', () => ((server.lease = undefined), server.put(heldBy('b', 0)))],
    ['taken by a stranger under our name', () => server.put(heldBy('a', 1))],
    ['taken in the same transition by a stranger under our name', () => server.put(heldBy('a', 0, { acquireTime: 'another' }))],
    ['taken and released by another', () => server.put(heldBy('', 1))],
    ['deleted, taken and released by another', () => ((server.lease = undefined), server.put(heldBy('', 0)))],
  ])('a Lease %s is lost', async (_how, act) => {
    const { election, lost } = await elected('a');
    act();
    await clock.advance(2_000);
    expect(election.isLeader).toBe(false);
    expect(lost).toHaveLength(1);
  });

  test('a standby takes over after a holder has stopped without a word', async () => {
    const a = await elected('a');
    const b = start('b');
    const { update, get } = server.client;
    // From now on only b is heard.
    const deaf = (call?: CallOptions): boolean => call?.signal === undefined || call.signal !== b.stop.signal;
    server.client.update = (async (...args: Parameters<typeof update>) =>
      deaf(args[2]) ? Promise.reject(new TransportError('PUT', 'ECONNREFUSED', 'cut off', { sent: false })) : update.apply(server.client, args)) as typeof update;
    server.client.get = (async (...args: Parameters<typeof get>) =>
      deaf(args[2]) ? Promise.reject(new TransportError('GET', 'ECONNREFUSED', 'cut off', { sent: false })) : get.apply(server.client, args)) as typeof get;
    await clock.advance(20_000);
    expect(b.acquired).toEqual([1]);
    expect(a.election.isLeader).toBe(true);
    expect(a.election.isProven()).toBe(false);
    server.client.update = update;
    server.client.get = get;
    await clock.advance(2_000);
    expect(a.lost).toEqual(['b']);
  });

  test('two holders are never proven at the same time, whatever the server does and whoever is suspended', async () => {
    const machines = [1, 2, 3].map(() => new SuspendableMachine());
    const all = machines.map((machine, i) => start('abc'[i]!, { clock: machine, random: seededRandom(i) }));
    const faults: Fault[] = ['none', 'refuse', 'silent', 'answer lost'];
    let state = 12_345;
    for (let step = 0; step < 300; step++) {
      state = (state * 1_103_515_245 + 12_345) % 2_147_483_648;
      server.fault = faults[Math.floor(state / 65_536) % faults.length]!;
      const suspended = machines[step % 7];
      suspended?.suspend();
      await clock.advance(500 + (state % 40_000));
      suspended?.resume();
      expect(all.filter(({ election }) => election.isProven()).length).toBeLessThanOrEqual(1);
    }
    expect(all.filter(({ acquired }) => acquired.length > 0).length).toBeGreaterThan(1);
  });
});

describe('rechecking', () => {
  test('held: the Lease is renewed on the spot', async () => {
    const { election } = await elected('a');
    server.fault = 'refuse';
    await clock.advance(20_000);
    server.fault = 'none';
    expect(election.isProven()).toBe(false);
    expect(await election.recheck()).toBe('held');
    expect(election.isProven()).toBe(true);
  });

  test('lost: known at once, before the next renewal', async () => {
    const { election, lost, ended } = await elected('a');
    server.put(heldBy('b', 1));
    expect(await election.recheck()).toBe('lost');
    expect(lost).toEqual(['b']);
    expect(await ended).toBeInstanceOf(LeadershipLostError);
    expect(await election.recheck()).toBe('lost');
    expect(lost).toEqual(['b']);
  });

  test('lost: a take-over between the reading and the renewing is not overlooked', async () => {
    const { election, lost } = await elected('a');
    server.afterNextRead = () => server.put(heldBy('b', 1));
    expect(await election.recheck()).toBe('lost');
    expect(lost).toEqual(['b']);
    expect(server.lease!.spec!.holderIdentity).toBe('b');
  });

  test('unknown: no answer', async () => {
    const { election, lost } = await elected('a');
    server.fault = 'refuse';
    expect(await election.recheck()).toBe('unknown');
    expect(election.isLeader).toBe(true);
    expect(lost).toEqual([]);
  });

  test('it does not take back what is being released, nor prove it', async () => {
    const { election, stop, ended } = await elected('a');
    const asking = election.recheck();
    stop.abort(new Error('stop'));
    const late = election.recheck();
    await ended;
    expect([await asking, await late]).toEqual(['held', 'held']);
    expect(server.lease!.spec!.holderIdentity).toBe('');
    expect(election.provenUntil()).toBe(0);
    expect(await election.recheck()).toBe('lost');
  });

  test('the signal of the caller ends it, also while a renewal is on its way', async () => {
    const { election } = await elected('a');
    server.fault = 'silent';
    await clock.advance(2_000);
    const abort = new AbortController();
    const asking = election.recheck(abort.signal);
    abort.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });

  test('the signal of the caller ends the reading', async () => {
    const { election } = await elected('a');
    server.fault = 'silent';
    const abort = new AbortController();
    const asking = election.recheck(abort.signal);
    await clock.advance(0);
    abort.abort(new Error('enough'));
    await expect(asking).rejects.toThrow('enough');
  });
});

describe('stopping', () => {
  test('the Lease is released, and the next candidate has it at once', async () => {
    const { election, stop, ended } = await elected('a');
    stop.abort(new Error('stop'));
    expect(await ended).toBe('stopped');
    expect(election.isLeader).toBe(false);
    expect(election.isProven()).toBe(false);
    expect(server.lease!.spec).toMatchObject({ holderIdentity: '', leaseDurationSeconds: 1, leaseTransitions: 0 });
    const b = await elected('b');
    expect(b.acquired).toEqual([1]);
  });

  test('it is released even if the answer to the last renewal was lost', async () => {
    const { stop, ended } = await elected('a');
    server.fault = 'answer lost';
    await clock.advance(2_000);
    server.fault = 'none';
    stop.abort(new Error('stop'));
    await ended;
    expect(server.lease!.spec!.holderIdentity).toBe('');
  });

  test('another holder is not released', async () => {
    const { stop, ended } = await elected('a');
    server.put(heldBy('b', 1));
    stop.abort(new Error('stop'));
    await ended;
    expect(server.lease!.spec!.holderIdentity).toBe('b');
  });

  test('it is left to expire while what was done in its name may still take effect', async () => {
    let mayRelease = false;
    const { election, stop, ended } = start('a', { mayRelease: () => mayRelease });
    await clock.advance(0);
    stop.abort(new Error('stop'));
    expect(await ended).toBe('stopped');
    expect([election.isLeader, election.isProven()]).toEqual([false, false]);
    expect(server.lease!.spec!.holderIdentity).toBe('a');
    mayRelease = true;
    const b = start('b', { mayRelease: () => mayRelease });
    await clock.advance(14_999);
    expect(b.election.isLeader).toBe(false);
    await clock.advance(5_000);
    expect(b.election.isLeader).toBe(true);
    b.stop.abort(new Error('stop'));
    await b.ended;
    expect(server.lease!.spec!.holderIdentity).toBe('');
  });

  test('without an API server it stops all the same', async () => {
    const { stop, ended } = await elected('a');
    server.fault = 'silent';
    stop.abort(new Error('stop'));
    await clock.advance(3_000);
    expect(await ended).toBe('stopped');
  });

  test('a candidate that never led releases nothing', async () => {
    server.put(heldBy('b', 1));
    const { stop, ended } = start('a');
    await clock.advance(0);
    stop.abort(new Error('stop'));
    expect(await ended).toBe('stopped');
    expect(server.writes).toEqual([]);
  });
});

test('durations that cannot work are refused', () => {
  const bad = (durations: object) => () => start('a', { durations });
  expect(bad({ leaseMs: 1_500 })).toThrow('whole seconds');
  expect(bad({ renewDeadlineMs: 15_000 })).toThrow('retryMs < renewDeadlineMs < leaseMs');
});
