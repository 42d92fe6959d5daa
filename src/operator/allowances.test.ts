import { beforeEach, describe, expect, it } from 'vitest';
import { Allowances, type EmptyMachine, type RowView, type Surroundings, type UnplacedPod } from './allowances.ts';
import { seededRandom } from '../lib/random.ts';
import { LoopWorld } from './testing/loop-world.ts';

const CORE = 1_000_000_000n;

function unplaced(requestKey: string, cores: number): UnplacedPod {
  return { requestKey, amounts: [['cpu', BigInt(cores) * CORE]], message: `no place for ${requestKey}` };
}

function machine(machineId: string, cores: number): EmptyMachine {
  return { machineId, allocatable: [['cpu', BigInt(cores) * CORE]] };
}

describe('allowances (D3)', () => {
  let allowances: Allowances;
  let timestamp: bigint;
  let taken: number;

  beforeEach(() => {
    allowances = new Allowances();
    timestamp = 0n;
    taken = 0;
  });

  interface Step {
    key?: string;
    requests?: number;
    waiting?: UnplacedPod[];
    satisfied?: boolean | ((since: bigint) => boolean | undefined);
    onItsWay?: boolean;
    /** Cores that Pods will lack, and whether the shard has given what was asked for before. */
    lacking?: number;
    granted?: (since: bigint) => boolean;
    awaited?: boolean;
  }

  function row({ key = 'row', requests = 12, waiting = [], satisfied = true, onItsWay = false, lacking = 0, granted = () => true, awaited = false }: Step): RowView {
    return {
      key, requests: () => [['cpu', BigInt(requests) * CORE]], unplaced: waiting,
      satisfied: typeof satisfied === 'function' ? satisfied : () => satisfied, onItsWay: () => onItsWay, matches: () => true,
      granted, isAwaited: () => awaited, ...(lacking > 0 && { rest: { amounts: [['cpu', BigInt(lacking) * CORE]], taken: () => (taken += 1) } }),
    };
  }

  /** One roll-up; returns sigma of the (first) row in milli-cores. */
  function step(steps: Step | Step[], empty: EmptyMachine[] = [], inUse: string[] = [], surplus: Surroundings['surplus'] = () => 0): number {
    const rows = (Array.isArray(steps) ? steps : [steps]).map(row);
    const sigma = allowances.step(rows, empty, ++timestamp, { inUse: (machineId) => inUse.includes(machineId), surplus }).get(rows[0]?.key ?? '');
    return Number(sigma?.find(([dimension]) => dimension === 'cpu')?.[1] ?? 0n) / 1e6;
  }

  const p3 = unplaced('p', 3);

  it('asks for more once a Pod has found no place for two roll-ups although the row is satisfied', () => {
    expect(step({ waiting: [p3] })).toBe(0);
    expect(step({ waiting: [p3] })).toBe(3000);
  });

  it.each<[string, Step]>([['is not satisfied', { satisfied: false }], ['has no verdict yet', { satisfied: () => undefined }], ['has a machine on its way', { onItsWay: true }]])(
    'waits while the row %s', (_, more) => {
      for (let i = 0; i < 5; i++) expect(step({ waiting: [p3], ...more })).toBe(0);
    });

  it('starts counting anew for a Pod that had a place in between', () => {
    step({ waiting: [p3] });
    step({});
    expect(step({ waiting: [p3] })).toBe(0);
  });

  it('waits for a verdict on what it reports now, before it reports more', () => {
    let judged = 0n;
    const satisfied = (since: bigint): boolean | undefined => (judged >= since ? true : undefined);
    step({ waiting: [p3], satisfied });
    judged = 1n;
    expect(step({ waiting: [p3], satisfied })).toBe(3000); // reported first in roll-up 2
    expect(step({ waiting: [p3], satisfied })).toBe(3000);
    judged = 2n;
    expect(step({ waiting: [p3], satisfied })).toBe(6000);
  });

  it('doubles, or asks for all who wait if that is more, and gives up after four times', () => {
    step({ waiting: [p3] });
    expect([3000, 6000, 12_000, 24_000, 48_000, 48_000, 48_000]).toEqual(Array.from({ length: 7 }, () => step({ waiting: [p3] })));
    expect(allowances.misfitOf('p')).toBe('no place for p');
    const many = ['q', 'r', 's'].map((key) => unplaced(key, 20));
    allowances = new Allowances();
    step({ waiting: [p3] });
    step({ waiting: [p3, ...many] });
    expect(step({ waiting: [p3, ...many] })).toBe(63_000);
  });

  it('gives up while a matching machine stands empty, says so, and takes the allowance back machine by machine', () => {
    step({ waiting: [p3] });
    expect(step({ waiting: [p3] })).toBe(3000);
    expect(step({ waiting: [p3] }, [machine('m', 1)])).toBe(3000); // it may have joined this moment, and be what is missing
    expect(allowances.misfitOf('p')).toBeUndefined();
    expect(step({ waiting: [p3] }, [machine('m', 1)])).toBe(2000);
    expect(allowances.misfitOf('p')).toBe('no place for p');
    expect(step({ waiting: [p3] }, [])).toBe(2000); // given up in this episode
    expect(step({ waiting: [p3], satisfied: () => undefined })).toBe(2000);
    expect(allowances.misfitOf('p')).toBe('no place for p'); // a missing verdict takes nothing back
    step({});
    expect(allowances.misfitOf('p')).toBeUndefined();
    step({ waiting: [p3] });
    expect(step({ waiting: [p3] })).toBe(4000); // a new episode
  });

  it('lets the scheduler have its turn with an empty machine before that says anything, and takes nothing back meanwhile', () => {
    allowances = new Allowances({ turnNanos: 5n });
    step({ waiting: [p3] });
    expect(step({ waiting: [p3] })).toBe(3000);
    for (let i = 0; i < 5; i++) expect(step({ waiting: [p3] }, [machine('m', 1)])).toBe(3000);
    expect(allowances.misfitOf('p')).toBeUndefined();
    expect(step({ waiting: [p3] }, [machine('m', 1)])).toBe(2000);
    expect(allowances.misfitOf('p')).toBe('no place for p');
    // Where nobody waits, there is nobody to wait for.
    allowances = new Allowances({ turnNanos: 1_000n });
    step({ waiting: [p3] });
    step({ waiting: [p3] });
    step({}, [machine('m', 1)]);
    expect(step({}, [machine('m', 1)])).toBe(2000);
  });

  it('takes up again what it gave up for a machine that is used after all, not for one that went away empty', () => {
    const giveUp = (): void => {
      step({ waiting: [p3] });
      step({ waiting: [p3] }, [machine('m', 1)]);
      step({ waiting: [p3] }, [machine('m', 1)]);
      expect(allowances.misfitOf('p')).toBe('no place for p');
    };
    giveUp();
    expect(step({ waiting: [p3] })).toBe(0);
    for (let i = 0; i < 2; i++) expect(step({ waiting: [p3] }, [machine('other', 1)], ['m'])).toBe(0);
    expect(allowances.misfitOf('p')).toBe('no place for p');
    expect(step({ waiting: [p3] }, [], ['m'])).toBe(3000);
    expect(allowances.misfitOf('p')).toBeUndefined();
    // Not for ever: an episode has so many doublings, and each change of mind is one.
    allowances = new Allowances();
    let changes = 0;
    for (let i = 0; i < 20; i++) {
      step({ waiting: [p3] }, [machine('m', 100)]);
      step({ waiting: [p3] }, [machine('m', 100)]); // takes all of it back
      expect(allowances.misfitOf('p')).toBe('no place for p');
      if (step({ waiting: [p3] }, [], ['m']) > 0) changes++;
    }
    expect(changes).toBeGreaterThan(1);
    expect(changes).toBeLessThanOrEqual(4);
  });

  describe('after four doublings', () => {
    /** Roll-ups 1 to 7: the last doubling is the fifth growth, and the seventh gives up. */
    const giveUp = (): void => {
      allowances = new Allowances({ retryNanos: 10n });
      for (let i = 0; i < 7; i++) step({ waiting: [p3] });
      expect(allowances.misfitOf('p')).toBe('no place for p');
    };

    it('asks for those who wait once more now and then: what came for them, others may have used', () => {
      giveUp();
      const asked = Array.from({ length: 21 }, () => step({ waiting: [p3] }));
      expect([asked.indexOf(51_000), asked.indexOf(54_000), asked.at(-1)]).toEqual([9, 19, 54_000]);
      expect(allowances.misfitOf('p')).toBe('no place for p');
    });

    it('does so while none is on its way and the shard has served what was asked for', () => {
      giveUp();
      for (let i = 0; i < 30; i++) expect(step({ waiting: [p3], ...(i % 2 === 0 ? { onItsWay: true } : { satisfied: false }) })).toBe(48_000);
    });

    it('does so no more once a machine for them has stood empty, though that has gone', () => {
      giveUp();
      for (let i = 0; i < 3; i++) step({ waiting: [p3] }, [machine('m', 8)]);
      const less = step({ waiting: [p3] });
      expect(less).toBeLessThan(48_000);
      for (let i = 0; i < 40; i++) expect(step({ waiting: [p3] })).toBe(less);
    });
  });

  it('shrinks with the demand, in proportion', () => {
    step({ waiting: [p3], requests: 12 });
    step({ waiting: [p3], requests: 12 });
    expect(step({ requests: 8 })).toBe(2000);
    expect(step({ requests: 8 })).toBe(2000);
    expect(step({ requests: 20 })).toBe(2000);
    expect(step([])).toBe(0);
    expect(step({ requests: 8 })).toBe(0);
  });

  it('lets an empty machine shrink only the first row it matches', () => {
    const other = unplaced('q', 3);
    const both = (waiting: boolean): Step[] => [{ key: 'a', waiting: waiting ? [p3] : [] }, { key: 'b', waiting: waiting ? [other] : [] }];
    step(both(true));
    step(both(true));
    step(both(false), [machine('m', 1)]);
    step(both(false), [machine('m', 1)]);
    expect(allowances.save()).toMatchObject({ a: { sigma: { cpu: String(2n * CORE) } }, b: { sigma: { cpu: String(3n * CORE) } } });
  });

  it('waits for the scheduler’s turn with what was on its way last, whoever runs on that by now', () => {
    allowances = new Allowances({ turnNanos: 5n });
    step({ waiting: [p3] });
    step({ waiting: [p3], onItsWay: true });
    for (let i = 0; i < 4; i++) expect(step({ waiting: [p3] })).toBe(0);
    expect(step({ waiting: [p3] })).toBe(3000);
    step({ waiting: [p3], onItsWay: true });
    const q3 = unplaced('q', 3);
    const said = (what: string): UnplacedPod => ({ ...p3, message: what });
    expect(step({ waiting: [said('0/7 nodes are available'), q3] })).toBe(6000); // it has looked again
    step({ waiting: [said('0/7 nodes are available'), q3], onItsWay: true });
    for (let i = 0; i < 3; i++) expect(step({ waiting: [said('0/8 nodes are available'), q3] })).toBe(6000); // not at each of them
  });

  describe('with machines that stand empty', () => {
    const [m, n] = [machine('m', 1), machine('n', 1)];

    /** Sigma is 3 cores, nobody waits, and both machines have stood empty for long enough. */
    beforeEach(() => {
      step({ waiting: [p3] });
      step({ waiting: [p3] });
      step({}, [m, n], [], () => 2);
    });

    it('takes nothing back for those that the shard has no use for already', () => {
      for (let i = 0; i < 10; i++) expect(step({}, [m, n], [], () => 2)).toBe(3000);
      expect(step({}, [m, n], [], () => 1)).toBe(2000);
    });

    it('takes back no more before the shard has answered, and the machine has left or was none too many', () => {
      const silent = (): undefined => undefined;
      expect(step({}, [m, n], [], silent)).toBe(3000);
      expect(step({}, [m, n])).toBe(2000);
      const since = timestamp;
      for (let i = 0; i < 10; i++) expect(step({}, [m, n], [], silent)).toBe(2000);
      const asked: bigint[] = [];
      const surplus = (of: bigint): number => {
        asked.push(of);
        return 1;
      };
      expect(step({}, [m, n], [], surplus)).toBe(2000);
      expect(asked).toEqual([since]);
      expect(step({}, [n], [], () => 0)).toBe(1000);
      expect(step({}, [n], [], () => 0)).toBe(0); // none was too many: the row had asked for more than its machines have
    });

    it('takes it all back again if others are to go in their stead, and leaves it at that for a while', () => {
      expect(step({}, [m, n])).toBe(2000);
      for (let i = 0; i < 3; i++) expect(step({}, [m, n], [], () => 1)).toBe(2000);
      expect(step({}, [m, n], [], () => 1)).toBe(3000);
      for (let i = 0; i < 59; i++) expect(step({}, [m, n], [], () => 0)).toBe(3000);
      expect(step({}, [m, n], [], () => 0)).toBe(2000);
    });

    it('leaves it at that once one of them has left, whatever else is too many', () => {
      expect(step({}, [m, n])).toBe(2000);
      for (let i = 0; i < 10; i++) expect(step({}, [n], [], () => 1)).toBe(2000);
    });

    it('takes nothing again of what demand has changed meanwhile', () => {
      expect(step({ requests: 12 }, [m, n])).toBe(2000);
      for (let i = 0; i < 3; i++) expect(step({ requests: 6 }, [m, n], [], () => 1)).toBe(1000);
      expect(step({ requests: 6 }, [m, n], [], () => 1)).toBe(1000);
    });
  });

  describe('with room that is foreseen to lack', () => {
    it('asks for it at once, and again only after the shard has given it', () => {
      let answered = 0n;
      const granted = (since: bigint): boolean => answered >= since;
      expect(step({ lacking: 5, granted })).toBe(5000);
      expect(step({ lacking: 5, granted })).toBe(5000);
      expect(taken).toBe(1);
      answered = timestamp;
      expect(step({ lacking: 2, granted })).toBe(7000);
      expect(taken).toBe(2);
    });

    it('doubles only what it had to learn', () => {
      expect(step({ lacking: 20 })).toBe(20_000);
      step({ waiting: [p3] });
      expect(step({ waiting: [p3] })).toBe(23_000);
      step({ waiting: [p3] });
      expect(step({ waiting: [p3] })).toBe(20_000 + 2 * 6_000);
    });

    it('does not ask for the same twice over when the scheduler says it, too', () => {
      step({ waiting: [p3] });
      expect(step({ waiting: [p3], lacking: 3 })).toBe(3000);
      expect(taken).toBe(0);
    });

    it('keeps what stands empty while a scheduler may be about to use it', () => {
      const m = machine('m', 4);
      step({ lacking: 5 });
      for (let i = 0; i < 5; i++) expect(step({ awaited: true, waiting: i % 2 === 0 ? [] : [p3] }, [m])).toBe(5000);
      expect(step({}, [m])).toBe(1000);
    });

    it('is a matter of those that do not fit anywhere, too: they are given up, and nothing more is asked for them', () => {
      const m = machine('m', 4);
      const all = (): number => 1;
      for (let i = 0; i < 3; i++) step({ waiting: [p3] }, [m], [], all);
      const sigma = step({ waiting: [p3] }, [m], [], all);
      expect(step({ waiting: [p3], lacking: 3 }, [m], [], all)).toBe(sigma);
      expect(taken).toBe(0);
    });
  });

  it('survives a restart', () => {
    step({ waiting: [p3] });
    step({ waiting: [p3] });
    const saved = JSON.parse(JSON.stringify(allowances.save())) as ReturnType<Allowances['save']>;
    allowances = new Allowances();
    allowances.restore(saved);
    expect(step({ requests: 8 })).toBe(2000); // demand that shrank meanwhile counts
  });
});

describe('the closed loop of allowances, shard and scheduler', () => {
  it.each([[1_000, 1_000], [30_000, 1_000], [1_000, 10_000], [30_000, 10_000]])(
    'finds a place for every Pod and then rests, with Creates of %i ms and roll-ups every %i ms', (createMs, rollupMs) => {
      const world = new LoopWorld({ createMs, rollupMs, machineCores: 4 });
      for (let i = 0; i < 40; i++) world.add(3); // gross: 30 machines; in truth 40
      world.run(1_200_000);
      expect(world.waiting).toBe(0);
      expect(world.machines).toBe(40);
      const bought = world.bought;
      const sigma = world.sigma;
      world.run(600_000);
      expect([world.bought, world.machines, world.sigma]).toEqual([bought, 40, sigma]);
      expect(bought).toBeLessThanOrEqual(45); // the second doubling asks for more than the last two Pods need, and gives it back

      world.remove(20);
      world.run(1_200_000);
      expect(world.waiting).toBe(0);
      expect(world.machines).toBeLessThanOrEqual(21);
      expect(world.bought).toBe(bought);
      world.remove(20);
      world.run(600_000);
      expect([world.machines, world.sigma]).toEqual([0, 0]);
    });

  it.each([1_000, 30_000])('asks for all of it within seconds where it is foreseen, with Creates of %i ms', (createMs) => {
    const world = new LoopWorld({ createMs, rollupMs: 1_000, machineCores: 4, foresees: true });
    for (let i = 0; i < 40; i++) world.add(3);
    world.run(8_000);
    expect(world.bought).toBeGreaterThanOrEqual(40);
    world.run(createMs + 600_000);
    expect([world.waiting, world.machines]).toEqual([0, 40]);
    expect(world.bought).toBeLessThanOrEqual(45); // this scheduler is believed at once, too
    world.remove(40);
    world.run(600_000);
    expect([world.machines, world.sigma]).toEqual([0, 0]);
  });

  it.each([1, 2, 3, 4, 5, 6])('is calm when Pods of many sizes come and go, where it is foreseen (seed %i)', (seed) => {
    const run = (foresees: boolean): LoopWorld => {
      const random = seededRandom(seed);
      const world = new LoopWorld({ createMs: 2_000, rollupMs: 1_000, machineCores: 8, foresees });
      for (let wave = 0; wave < 30; wave++) {
        for (let i = 0; i < 12; i++) world.add(1 + Math.floor(random() * 6));
        world.run(5_000);
        world.remove(Math.floor(random() * 14));
        world.run(5_000);
      }
      world.run(120_000);
      return world;
    };
    const [foreseen, learnt] = [run(true), run(false)];
    expect([foreseen.waiting, learnt.waiting]).toEqual([0, 0]);
    expect(foreseen.machines).toBeLessThanOrEqual(learnt.machines * 1.1 + 2);
    const { bought } = foreseen;
    foreseen.run(600_000);
    expect(foreseen.bought).toBe(bought);
    foreseen.remove(1_000);
    foreseen.run(600_000);
    expect([foreseen.machines, foreseen.sigma]).toEqual([0, 0]);
  });

  it('does not buy for a Pod that fits nowhere, and says so', () => {
    const world = new LoopWorld({ createMs: 1_000, rollupMs: 1_000, machineCores: 4 });
    for (let i = 0; i < 4; i++) world.add(1);
    world.add(1, { unplaceable: true });
    world.run(300_000);
    expect(world.misfits).toBe(1);
    expect(world.bought).toBeLessThanOrEqual(4);
    const bought = world.bought;
    world.run(600_000);
    expect(world.bought).toBe(bought);
    expect(world.machines).toBeLessThanOrEqual(2);
  });

  it('asks for nothing more where everything fits', () => {
    const world = new LoopWorld({ createMs: 30_000, rollupMs: 1_000, machineCores: 4 });
    for (let i = 0; i < 40; i++) world.add(2);
    world.run(600_000);
    expect([world.waiting, world.machines, world.bought, world.sigma]).toEqual([0, 20, 20, 0]);
  });
});
