import { join } from 'node:path';
import { seededRandom } from '../../src/lib/random.ts';
import { expect } from '../promise.ts';
import type { Promised } from '../promise.ts';
import { Pair } from '../takeover/pair.ts';
import type { Round } from '../takeover/pair.ts';

/** Short Leases: what is checked is the same, and a round takes seconds. */
const SHORT = ['--lease-duration', '4s', '--lease-renew', '3s', '--lease-retry', '400ms'];
const DEFAULT_LEASE_LIMIT_MS = 20_000;
/** A process is seldom paused between its last look at the Lease and the call; so often, though, that it happens. */
const MANY_PAUSES = 200;

/** D16: a process that was replaced while it stood still changes nothing any more, wherever it stood still. */
export const takeover: Promised = {
  id: 'takeover',
  promise: 'the standby takes over in under 20 s with a higher epoch; no call of the old process, paused anywhere and resumed, changes a machine',
  controlPlane: 'embedded',
  onRealServers: ['shard-failover', 'hub-down'],
  async run({ dir, log, pauses }) {
    const seed = Date.now() % 1_000_000;
    log(`seed ${seed}`);
    const pair = await Pair.start(join(dir, 'pair'), seededRandom(seed), SHORT);
    const rounds: Round[] = [];
    try {
      while (rounds.length < pauses) {
        rounds.push(await pair.round());
        if (rounds.length % 5 === 0) log(`${rounds.length} of ${pauses} pauses, ${rounds.reduce((sum, round) => sum + round.refusedLate, 0)} late calls refused`);
      }
    } finally {
      await pair.stop();
    }
    const calls = pair.calls.length;
    expect(calls > pauses * 10, `only ${calls} calls were made`);
    const refusedLate = rounds.reduce((total, round) => total + round.refusedLate, 0);
    expect(pauses < MANY_PAUSES || refusedLate > 0, `no call came late in ${pauses} pauses (seed ${seed}): it was not tried whether one would be refused`);

    const one = await Pair.start(join(dir, 'default-lease'), seededRandom(seed), []);
    let withDefaults: Round;
    try {
      withDefaults = await one.round();
    } finally {
      await one.stop();
    }
    expect(withDefaults.takeoverMs < DEFAULT_LEASE_LIMIT_MS, `with the default Lease the standby took ${Math.round(withDefaults.takeoverMs)} ms to take over`);

    const times = rounds.map((r) => r.takeoverMs).sort((a, b) => a - b);
    const at = (share: number): number => Math.round(times[Math.min(times.length - 1, Math.floor(times.length * share))]!);
    const sum = (of: (round: Round) => number): number => rounds.reduce((total, round) => total + of(round), 0);
    return [
      `${rounds.length} pauses (seed ${seed}), ${sum((r) => Number(r.isSuccessorIdle))} with a successor that touched nothing`,
      `0 late calls obeyed, ${refusedLate} refused`,
      `taken over after ${at(0.5)} ms p50, ${at(1)} ms at most (Lease of 4 s), after ${Math.round(withDefaults.takeoverMs)} ms with the default Lease`,
      `${calls} calls to the provider`,
    ].join('; ');
  },
};
