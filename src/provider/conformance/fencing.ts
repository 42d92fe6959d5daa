import { inArea, type Behaviour } from './behaviour.ts';
import { unfenced, type Token } from './caller.ts';
import { accepted, check, fenced, fencedDelete, notFenced, refused, Violation } from './expectation.ts';
import { FenceOracle } from './fence-oracle.ts';
import { CREATE_FAULT_LABEL } from './slot-pool.ts';
import { stateOf, type Trial } from './trial.ts';
import { machineText, quoted, stateText } from './wire-text.ts';

/** (epoch, sequence) in the order they are sent; each passes if it is above all before it. */
const LEXICOGRAPHIC: readonly (readonly [number, number])[] = [
  [2, 5], [2, 5], [2, 4], [2, 6], [1, 999], [3, 0], [2, 7], [3, 0], [3, 1], [10, 7], [9, 999], [10, 7], [10, 6], [10, 8], [11, 0], [10, 9_999],
];
const PICKS = 16;
/** More than a table that remembers the newest few holds: bounds are powers of two or ten. */
const CROWD = 300;
const CROWD_AT_ONCE = 30;

/** B3xx (spec: provider 1.4). A mark is kept per shard and machine; a mutation must be above it, epochs first. */
export const fencing: readonly Behaviour[] = inArea('fencing', 'core', [
  {
    id: 'B301',
    promise: 'the fence comes before the look-up, and its marks are kept for machines that do not exist',
    async run(t) {
      const ghost = t.named('ghost');
      refused(await t.create(ghost, t.at(5, 5)), 'there is no such machine', ['NOT_FOUND']);
      const why = `(1, 1) is below the mark (5, 5), which the call before has set though it failed`;
      fenced(await t.create(ghost, t.at(1, 1)), why);
      fenced(await t.configure(ghost, { token: t.at(1, 1) }), why);
      fenced(await t.drain(ghost, { token: t.at(1, 1) }), why);
      fencedDelete(await t.delete(ghost, t.at(1, 1)), why);
      refused(await t.create(ghost, t.at(9, 9)), '(9, 9) is above the mark, and there is no such machine', ['NOT_FOUND']);
    },
  },
  {
    id: 'B302',
    promise: 'marks are kept per shard, whose names differ by case, and per machine; capped Lists offer more than one machine',
    async run(t) {
      const [a, b, c] = await threeOffers(t);
      const shard = (name: string): string => `${t.shard}-${name}`;
      const first: readonly (readonly [string, Token])[] = [[a, t.at(9, 9, shard('a'))], [b, t.at(7, 3, shard('b'))], [c, t.at(1, 1, shard('c'))]];
      for (const [id, token] of first) accepted(await t.create(id, token), `the first contact of a shard with ${id}`);
      for (const [id, token] of first) fenced(await t.create(id, token), `the same token again`);
      accepted(await t.create(a, t.at(1, 1, shard('A'))), `the first contact of a shard with ${a}; (9, 9) was of one whose name ends in a small letter`);
      accepted(await t.create(b, t.at(7, 4, shard('b'))), `(7, 4) is above the mark (7, 3)`);
      accepted(await t.create(a, t.at(5, 30)), `the first contact of this shard with ${a}; (9, 9) was another shard's`);
      accepted(await t.create(b, t.at(5, 7)), `the first contact of this shard with ${b}; (5, 30) was about ${a}`);
      fenced(await t.create(a, t.at(5, 30)), 'the same token again');
      fenced(await t.create(b, t.at(5, 7)), 'the same token again');
      fenced(await t.create(b, t.at(4, 999)), '(4, 999) is below the mark (5, 7): epochs first');
    },
  },
  {
    id: 'B303',
    promise: 'tokens are compared by epoch, then by sequence, and must be strictly above',
    async run(t) {
      const id = await t.speculative();
      const oracle = new FenceOracle();
      for (const [epoch, sequence] of LEXICOGRAPHIC) await oracle.expect(t.at(epoch, sequence), id, (token) => t.create(id, token));
    },
  },
  {
    id: 'B305',
    promise: 'Get and List work for a shard that is fenced out, whose calls change nothing',
    async run(t) {
      const id = await t.configured({ cluster: 'conf-b305' });
      notFenced(await t.create(id, t.at(10, 10)), 'the token is fresh, and moves the mark');
      const stale = t.at(1, 1);
      for (const mutate of [() => t.create(id, stale), () => t.configure(id, { token: stale }), () => t.drain(id, { token: stale })]) {
        fenced(await mutate(), '(1, 1) is below the mark (10, 10)');
        await readable(t, id);
      }
      fencedDelete(await t.delete(id, stale), '(1, 1) is below the mark (10, 10)');
      await readable(t, id);
    },
  },
  {
    id: 'B306',
    promise: 'a Configure that was done and is sent again with its old token is fenced, not answered as a repeat',
    async run(t) {
      const id = await t.idle();
      const original = accepted(await t.configure(id, { token: t.at(5, 5) }), 'a fresh token').operationId;
      await t.reach(id, 'Configured');
      fenced(await t.configure(id, { token: t.at(5, 5) }), 'the fence comes before the check for repeats');
      const again = accepted(await t.configure(id, { token: t.at(5, 6) }), 'a repeat with a fresh token');
      check(again.operationId === original, `the original operation_id ${quoted(original)}`, quoted(again.operationId));
    },
  },
  {
    id: 'B307',
    promise: 'a Drain that was done and is sent again with its old token is fenced, not answered as a repeat',
    async run(t) {
      const id = await t.configured();
      const original = accepted(await t.drain(id, { token: t.at(5, 5) }), 'a fresh token').operationId;
      await t.reach(id, 'Idle');
      fenced(await t.drain(id, { token: t.at(5, 5) }), 'the fence comes before the check for repeats');
      const again = accepted(await t.drain(id, { token: t.at(5, 6) }), 'a repeat with a fresh token');
      check(again.operationId === original, `the original operation_id ${quoted(original)}`, quoted(again.operationId));
    },
  },
  {
    id: 'B308',
    promise: 'a call without shard, epoch and sequence is not fenced',
    async run(t) {
      const [one, other] = [await t.speculative(), await t.speculative()];
      accepted(await t.create(one, unfenced), 'no token, no fence');
      accepted(await t.create(one, unfenced), 'no token, no fence, however often');
      accepted(await t.create(other, unfenced), 'no token, no fence');
    },
  },
  {
    id: 'B309',
    promise: 'a shard that counts its calls is accepted throughout, and its tokens are stale in the end, some time and 300 other shards later',
    async run(t) {
      const id = await t.speculative();
      await t.toIdle(id);
      for (const _round of [1, 2]) {
        await t.toConfigured(id);
        await t.toDrained(id);
      }
      fenced(await t.configure(id, { token: t.at(1, 1) }), '(1, 1) was used for the Create');
      await crowd(t, id);
      await t.pause(t.pace.markMs);
      fenced(await t.configure(id, { token: t.at(1, 1) }), `(1, 1) was used for the Create; since then ${CROWD} other shards have spoken and ${t.pace.markMs} ms have passed`);
    },
  },
  {
    id: 'B310',
    promise: 'marks survive Delete and a new Create of the same slot',
    async run(t) {
      const id = await t.speculative();
      accepted(await t.create(id, t.at(1, 1)), 'a first contact');
      await t.reach(id, 'Idle');
      const gone = await t.delete(id, t.at(1, 2));
      if (t.claims.has('bare-metal') && gone.code === 'UNIMPLEMENTED') return;
      accepted(gone, 'Delete of an IDLE machine with a fresh token');
      await t.reach(id, 'Speculative');
      fenced(await t.create(id, t.at(1, 1)), '(1, 1) is below the mark (1, 2), which the Delete has set');
      accepted(await t.create(id, t.at(1, 3)), 'a new Create with a fresh token');
      await t.reach(id, 'Idle');
      fenced(await t.configure(id, { token: t.at(1, 1) }), '(1, 1) is below the mark (1, 3)');
      fenced(await t.configure(id, { token: t.at(1, 3) }), '(1, 3) equals the mark');
      accepted(await t.configure(id, { token: t.at(2, 1) }), '(2, 1) is above the mark (1, 3)');
    },
  },
  {
    id: 'B311',
    promise: 'a token that passes moves the mark, also when its call is then refused',
    async run(t) {
      const id = await t.speculative();
      refused(await t.drain(id, { token: t.at(5, 5) }), `${id} is SPECULATIVE`);
      fenced(await t.create(id, t.at(5, 4)), '(5, 4) is below (5, 5), which passed the fence before');
      accepted(await t.create(id, t.at(5, 6)), '(5, 6) is above the mark (5, 5)');
      await t.reach(id, 'Idle');
      await t.toConfigured(id, { token: t.at(6, 1) });
      const gone = await t.delete(id, t.at(6, 3));
      refused(gone, `${id} is CONFIGURED`);
      // Whoever has no Delete says so before the fence.
      if (gone.code !== 'UNIMPLEMENTED') fenced(await t.drain(id, { token: t.at(6, 2) }), '(6, 2) is below (6, 3), which passed the fence with the Delete');
      refused(await t.create(id, t.at(6, 5)), `${id} is CONFIGURED`);
      fenced(await t.drain(id, { token: t.at(6, 4) }), '(6, 4) is below (6, 5), which passed the fence with the Create');
      accepted(await t.drain(id, { token: t.at(6, 6) }), '(6, 6) is above the mark (6, 5)');
      const fresh = await t.speculative();
      refused(await t.configure(fresh, { token: t.at(5, 5) }), `${fresh} is SPECULATIVE`);
      fenced(await t.create(fresh, t.at(5, 4)), '(5, 4) is below (5, 5), which passed the fence with the Configure');
    },
  },
  {
    id: 'B312',
    promise: 'of 200 random tokens those pass that are above the highest so far; (0, 0) of a named shard is a token like any other',
    async run(t) {
      const id = await t.speculative();
      const oracle = new FenceOracle();
      const send = (token: Token): Promise<void> => oracle.expect(token, id, (fresh) => t.create(id, fresh));
      await send(t.at(0, 0));
      await send(t.at(0, 0));
      for (let i = 0; i < 200; i++) await send(t.at(t.pick(4 + i / 4), t.pick(12)));
    },
  },
]);

/** Three machines by three capped Lists with nothing between. One that repeats itself may be unlucky, not always. */
async function threeOffers(t: Trial): Promise<[string, string, string]> {
  const offers = new Set<string>();
  for (let i = 0; i < PICKS && offers.size < 3; i++) {
    const reply = await t.list({ states: ['Speculative'], max: 1 });
    const [machine] = accepted(reply, 'List').machines;
    if (!machine) t.notTestable('the provider lists no SPECULATIVE machine');
    if (!machine.labels.has(CREATE_FAULT_LABEL)) offers.add(machine.id);
  }
  const [a, b, c] = [...offers];
  if (c === undefined || b === undefined || a === undefined) {
    const slots = (await t.inventory(['Speculative'])).filter((m) => !m.labels.has(CREATE_FAULT_LABEL));
    if (slots.length < 3) t.notTestable(`the provider lists ${slots.length} SPECULATIVE machines; this takes 3`);
    throw new Violation(
      `List with max_results 1 to offer different machines when asked ${PICKS} times: shards that ask at the same moment would all get the same. Start each capped List where the last one ended`,
      `always ${[...offers].join(', ')}, of ${slots.length}`,
    );
  }
  for (const id of [a, b, c]) t.claim(id);
  return [a, b, c];
}

/** Many shards speak of one machine, each of which leaves a mark. */
async function crowd(t: Trial, id: string): Promise<void> {
  for (let first = 0; first < CROWD; first += CROWD_AT_ONCE) {
    const replies = await Promise.all(Array.from({ length: CROWD_AT_ONCE }, (_, i) => t.create(id, t.stranger(first + i))));
    for (const reply of replies) notFenced(reply, 'a first contact');
  }
}

async function readable(t: Trial, id: string): Promise<void> {
  const machine = await t.look(id);
  check(stateOf(machine) === 'Configured' && machine.cluster === 'conf-b305', `${id} CONFIGURED as before`, machineText(machine));
  const listed = (await t.inventory(['Configured'])).find((m) => m.id === id);
  check(listed !== undefined, `${id} in List of ${stateText('Configured')}`, 'it is not there');
}
