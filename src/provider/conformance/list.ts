import type { Machine, TransitionAck } from '../../api/gen/bigfleet/v1alpha1/provider.ts';
import type { MachineState } from '../kit/machine.ts';
import { inArea, type Behaviour, type BehaviourOfArea } from './behaviour.ts';
import type { Reply } from './caller.ts';
import { accepted, check } from './expectation.ts';
import { follow } from './follow.ts';
import { stateOf, type Trial } from './trial.ts';
import { bytesText, machineText, stateText } from './wire-text.ts';

const QUIET_POLL_MS = 50;

const filters: readonly BehaviourOfArea[] = [
  {
    id: 'B901',
    promise: 'List returns exactly the machines in the states asked for, each once; without states it leaves out nobody, also none that is under way',
    isQuiet: true,
    async run(t) {
      const bound = await t.speculative();
      await listedThroughout(t, bound, () => t.create(bound), ['Creating', 'Idle']);
      await listedThroughout(t, bound, () => t.configure(bound), ['Configuring', 'Configured']);
      const idle = await t.configured();
      await listedThroughout(t, idle, () => t.drain(idle), ['Draining', 'Idle']);
      await t.speculative();
      const all = await t.inventory();
      for (const states of [['Speculative'], ['Idle'], ['Configured'], ['Failed'], ['Idle', 'Configured'], ['Speculative', 'Idle', 'Configured']] as const) {
        const names = states.map(stateText).join(', ');
        const got = await t.inventory(states);
        noDuplicates(got, `List of ${names}`);
        const stray = got.find((m) => !(states as readonly MachineState[]).includes(stateOf(m)));
        check(stray === undefined, `List of ${names} to hold nothing else`, machineText(stray));
        const missing = all.find((m) => (states as readonly MachineState[]).includes(stateOf(m)) && !got.some((g) => g.id === m.id));
        check(missing === undefined, `List of ${names} to hold every one of them`, `without ${machineText(missing)}`);
        const hidden = got.find((m) => !all.some((a) => a.id === m.id));
        check(hidden === undefined, `List without states to hold what List of ${names} holds`, `without ${machineText(hidden)}`);
      }
    },
  },
  {
    id: 'B902',
    isQuiet: true,
    promise: 'max_results is a ceiling and is reached when there are so many; 0 is none',
    async run(t) {
      const all = await t.inventory(['Speculative']);
      if (all.length < 3) t.notTestable(`there are ${all.length} SPECULATIVE machines; this takes 3`);
      const ids = new Set(all.map((m) => m.id));
      // Several times each: one that starts elsewhere every time must wrap at the end of the fleet.
      const most = all.length - 1;
      for (const max of [1, 2, 3, most, 2, most, 1]) {
        const { machines } = accepted(await t.list({ states: ['Speculative'], max }), 'List with max_results');
        noDuplicates(machines, `List with max_results ${max}`);
        check(machines.length === max, `${max} machines with max_results ${max}, as there are ${all.length}`, `${machines.length}`);
        const stray = machines.find((m) => !ids.has(m.id));
        check(stray === undefined, 'a part of the full List', `also ${machineText(stray)}`);
      }
      const uncapped = accepted(await t.list({ states: ['Speculative'], max: 0 }), 'List with max_results 0').machines;
      check(uncapped.length === all.length, `all ${all.length} machines with max_results 0`, `${uncapped.length}`);
    },
  },
];

const deltas: readonly BehaviourOfArea[] = [
  {
    id: 'B903',
    promise: 'a mutation moves the revision, and the delta since the one before holds the machine',
    async run(t) {
      const id = await t.speculative();
      const before = await t.head();
      await t.toIdle(id);
      const delta = await t.since(before, 'a delta since a known revision');
      check(!sameBytes(before, delta.revision), 'another revision than before the Create', bytesText(delta.revision));
      check(delta.machines.some((m) => m.id === id), `${id} in the delta`, ids(delta.machines));
    },
  },
  {
    id: 'B904',
    isQuiet: true,
    promise: 'the delta since the newest revision is empty',
    async run(t) {
      await t.fleet();
      const delta = await t.since(await t.head(), 'a delta since the newest revision');
      check(delta.machines.length === 0, 'no machines', ids(delta.machines));
    },
  },
  {
    id: 'B905',
    promise: 'a delta holds every change since its revision, however long ago that was: the end of a transition as well as its beginning',
    async run(t) {
      const walked = await t.speculative();
      await followed(t, walked, () => t.create(walked), 'Idle');
      await followed(t, walked, () => t.configure(walked, { cluster: 'conf-b905' }), 'Configured');
      await followed(t, walked, () => t.drain(walked), 'Idle');
      const rounds: { readonly cursor: Uint8Array; readonly id: string }[] = [];
      for (const _round of [1, 2, 3, 4]) {
        const id = await t.speculative();
        const cursor = await t.head();
        await t.toIdle(id);
        rounds.push({ cursor, id });
      }
      for (const [i, { cursor }] of rounds.entries()) {
        const { machines } = await t.since(cursor, 'a delta since a known revision');
        for (const { id } of rounds.slice(i)) {
          check(machines.some((m) => m.id === id), `${id} in the delta since ${bytesText(cursor)}, after which it was created`, ids(machines));
        }
      }
    },
  },
  {
    id: 'B907',
    promise: 'a capped delta can be continued from the revision it returns, or returns the newest; no machine comes twice',
    isQuiet: true,
    async run(t) {
      const before = await t.head();
      const changed: string[] = [];
      while (changed.length < 5) changed.push(await t.idle());
      const whole = await t.since(before, 'a delta');
      const seen: Machine[] = [];
      let cursor = before;
      for (let pages = 0; pages < whole.machines.length + 2; pages++) {
        const page = await t.since(cursor, 'a capped delta', 2);
        check(page.machines.length <= 2, 'at most 2 machines with max_results 2', ids(page.machines));
        seen.push(...page.machines);
        noDuplicates(seen, 'the pages together');
        // Whoever answers a cut page with its newest revision says: take an uncapped delta instead.
        if (pages === 0 && sameBytes(page.revision, whole.revision)) return;
        if (page.machines.length === 0 || sameBytes(page.revision, cursor)) break;
        cursor = page.revision;
      }
      const missing = whole.machines.find((m) => !seen.some((s) => s.id === m.id));
      check(missing === undefined, 'the pages to hold what the uncapped delta holds', `without ${missing?.id ?? ''}`);
    },
  },
  {
    id: 'B908',
    isQuiet: true,
    promise: 'while nothing happens deltas stay empty',
    async run(t) {
      await t.fleet();
      const cursor = await t.head();
      const end = t.clock.monotonic() + t.pace.quietMs;
      do {
        const delta = await t.since(cursor, 'a delta since the newest revision');
        check(delta.machines.length === 0, `nothing to change within ${t.pace.quietMs} ms of quiet`, ids(delta.machines));
        await t.pause(QUIET_POLL_MS);
      } while (t.clock.monotonic() < end);
    },
  },
  {
    id: 'B909',
    isQuiet: true,
    promise: 'a damaged cursor counts as none: it gives the full List, not a delta and not an error',
    async run(t) {
      const all = await t.fleet();
      const cursor = await t.head();
      const empty = await t.since(cursor, 'a delta since the newest revision');
      check(empty.machines.length === 0, 'an empty delta for the cursor as it was given out', ids(empty.machines));
      const damaged: Record<string, Uint8Array> = {
        'with "!" behind it': Buffer.concat([cursor, Buffer.from('!')]),
        'with "~" before it': Buffer.concat([Buffer.from('~'), cursor]),
        'with bytes 00 ff behind it': Buffer.concat([cursor, Buffer.from([0x00, 0xff])]),
      };
      for (const [how, bytes] of Object.entries(damaged)) {
        const { machines } = await t.since(bytes, `a cursor that nobody gave out counts as none`);
        check(machines.length === all.length, `the full List of ${all.length} for the cursor ${how}`, `${machines.length} machines`);
      }
      const flipped = Buffer.from(cursor);
      flipped[flipped.length - 1]! ^= 1;
      const known = new Set(all.map((m) => m.id));
      const stray = (await t.since(flipped, 'a cursor that may have been given out')).machines.find((m) => !known.has(m.id));
      check(stray === undefined, 'only machines of the fleet', machineText(stray));
    },
  },
];

const cursors: readonly BehaviourOfArea[] = [
  {
    id: 'B906',
    isQuiet: true,
    promise: 'a cursor that was never given out gives the full List',
    async run(t) {
      const all = await t.fleet();
      const unknown = [new Uint8Array(), Buffer.from('not-a-real-cursor'), Buffer.from([0x00, 0xff, 0x80, 0x01]), Buffer.alloc(4096, 0xde)];
      for (const bytes of unknown) {
        const { machines } = await t.since(bytes, 'an unknown cursor counts as none');
        check(machines.length === all.length, `the full List of ${all.length} for the cursor ${bytesText(bytes)}`, `${machines.length} machines`);
      }
    },
  },
];

/** B9xx (spec: provider 1.4). */
export const list: readonly Behaviour[] = [
  ...inArea('list', 'core', filters),
  ...inArea('list', 'core', cursors),
  ...inArea('list', 'core', deltas.map((behaviour) => ({ ...behaviour, needs: ['revisions'] as const }))),
].sort((a, b) => (a.id < b.id ? -1 : 1));

/** Starts a transition and checks that the machine is listed all the way, by state and without. One that is over at once cannot hide. */
async function listedThroughout(t: Trial, id: string, start: () => Promise<Reply<TransitionAck>>, [during, target]: readonly [MachineState, MachineState]): Promise<void> {
  accepted(await start(), 'a legal transition with a fresh token');
  for (const states of [[], [during, target]]) {
    const isListed = (await t.inventory(states)).some((m) => m.id === id);
    const names = states.length === 0 ? 'without states' : `of ${states.map(stateText).join(', ')}`;
    check(isListed, `${id} in List ${names}, on its way to ${stateText(target)}`, 'it is not there');
  }
  await t.reach(id, target);
}

/** Starts a transition, and asks for deltas during it and after its end, as shards do. */
async function followed(t: Trial, id: string, start: () => Promise<Reply<TransitionAck>>, target: MachineState): Promise<void> {
  const follower = await follow(t, id);
  accepted(await start(), 'a legal transition with a fresh token');
  await follower.catchUp();
  await follower.knows(await t.reach(id, target));
}

export function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return Buffer.compare(a, b) === 0;
}

export function noDuplicates(machines: readonly Machine[], what: string): void {
  const seen = new Set<string>();
  for (const { id } of machines) {
    check(!seen.has(id), `each machine once in ${what}`, `${id} twice`);
    seen.add(id);
  }
}

function ids(machines: readonly Machine[]): string {
  return machines.length === 0 ? 'an empty list' : machines.slice(0, 10).map((m) => m.id).join(', ') + (machines.length > 10 ? `, … (${machines.length})` : '');
}
