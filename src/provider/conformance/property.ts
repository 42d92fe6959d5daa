import type { MachineState } from '../kit/machine.ts';
import { inArea, type Behaviour } from './behaviour.ts';
import type { Reply, Token } from './caller.ts';
import { accepted, check, notFenced, refused } from './expectation.ts';
import { FenceOracle } from './fence-oracle.ts';
import { hasMetadata } from './metadata-check.ts';
import { stateOf, type Trial } from './trial.ts';
import { machineText, stateText } from './wire-text.ts';

const kinds = ['create', 'configure', 'drain', 'delete'] as const;
type Kind = (typeof kinds)[number];

const legal: Readonly<Record<Kind, { readonly from: MachineState; readonly target: MachineState }>> = {
  create: { from: 'Speculative', target: 'Idle' },
  configure: { from: 'Idle', target: 'Configured' },
  drain: { from: 'Configured', target: 'Idle' },
  delete: { from: 'Idle', target: 'Speculative' },
};

/** B12xx: seeded random walks against small models (spec: provider 1.4). The same --seed gives the same walk. */
export const property: readonly Behaviour[] = inArea('property', 'core', [
  {
    id: 'B1201',
    promise: 'over 240 random tokens, negative ones among them, the fence agrees with a running maximum',
    async run(t) {
      const id = await t.speculative();
      const oracle = new FenceOracle();
      for (let step = 0; step < 240; step++) {
        await oracle.expect(randomToken(t, t.shard, step), id, (token) => t.create(id, token));
      }
    },
  },
  {
    id: 'B1202',
    promise: '20 random maps of metadata, one after the other on one machine, come back byte for byte',
    async run(t) {
      const id = await t.idle();
      for (let round = 0; round < 20; round++) {
        const sent = randomMap(t);
        await t.toConfigured(id, { metadata: sent });
        hasMetadata(await t.look(id), sent);
        await t.toDrained(id);
      }
    },
  },
  {
    id: 'B1203',
    promise: 'in 5 walks of 9 random steps, legal or not, machines are where a model says',
    async run(t) {
      for (let walk = 0; walk < 5; walk++) {
        const id = await t.speculative();
        let state: MachineState = 'Speculative';
        for (let step = 0; step < 9; step++) state = await randomStep(t, id, state);
      }
    },
  },
  {
    id: 'B1204',
    promise: 'over 200 random tokens of 3 shards for 4 machines the marks of each pair are its own',
    async run(t) {
      const ids: string[] = [];
      while (ids.length < 4) ids.push(await t.speculative());
      const oracle = new FenceOracle();
      for (let step = 0; step < 200; step++) {
        const id = ids[t.pick(4)]!;
        await oracle.expect(randomToken(t, `${t.shard}-${t.pick(3)}`, step), id, (token) => t.create(id, token));
      }
    },
  },
  {
    id: 'B1205',
    promise: 'refusals have the right code: INVALID_ARGUMENT without an id, NOT_FOUND for an unknown one, FAILED_PRECONDITION only when fenced',
    async run(t) {
      const id = await t.speculative();
      for (let step = 0; step < 40; step++) {
        const kind = kinds[t.pick(4)]!;
        const target = t.pick(3);
        if (target === 0) refused(await send(t, kind, ''), 'machine_id is empty', ['INVALID_ARGUMENT', ...unimplemented(kind)]);
        else if (target === 1) refused(await send(t, kind, t.named(`ghost-${step}`)), 'there is no such machine', ['NOT_FOUND', ...unimplemented(kind)]);
        else {
          notFenced(await send(t, kind, id), 'the token is fresh');
          await t.reachOneOf(id, ['Speculative', 'Idle', 'Configured']);
        }
      }
    },
  },
]);

function send(t: Trial, kind: Kind, id: string): Promise<Reply<unknown>> {
  return t[kind](id);
}

/** A provider of fixed capacity says so before it looks at anything else. */
function unimplemented(kind: Kind): readonly string[] {
  return kind === 'delete' ? ['UNIMPLEMENTED'] : [];
}

async function randomStep(t: Trial, id: string, state: MachineState): Promise<MachineState> {
  const kind = kinds[t.pick(4)]!;
  const { from, target } = legal[kind];
  const reply = await send(t, kind, id);
  if (reply.code === 'UNIMPLEMENTED' && kind === 'delete') return state;
  if (state === from) {
    accepted(reply, `${kind} of a machine that is ${stateText(state)}`);
    await t.reach(id, target);
    return target;
  }
  // At its target an operation may count as repeated; anywhere else it must be refused. Either way nothing moves.
  if (state === target) notFenced(reply, 'the token is fresh');
  else refused(reply, `${kind} starts from ${stateText(from)}, and ${id} is ${stateText(state)}`);
  const machine = await t.look(id);
  check(stateOf(machine) === state, `${id} still ${stateText(state)}`, machineText(machine));
  return state;
}

/** Near the highest so far more often than not, so that both sides of the fence are met. */
function randomToken(t: Trial, shard: string, step: number): Token {
  return t.at(t.pick(5 + Math.floor(step / 20)) - 2, t.pick(9) - 2, shard);
}

const ALPHABET = ['a', 'Z', '0', '/', '.', ' ', '\0', '\u001f', '\u0085', '\n', '"', '\\', 'é', '漢', '\u{1f680}', '_'];

function randomMap(t: Trial): ReadonlyMap<string, string> {
  const text = (max: number): string => Array.from({ length: t.pick(max) }, () => ALPHABET[t.pick(ALPHABET.length)]).join('');
  return new Map(Array.from({ length: t.pick(12) }, (_, i) => [`${text(10)}${i}`, text(30)] as const));
}
