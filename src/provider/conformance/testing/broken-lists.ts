import type { ListFilter, Machine } from '../../../api/gen/bigfleet/v1alpha1/provider.ts';
import { GrpcCode, GrpcError } from '../../../api/grpc.ts';
import type { Fault } from './fault.ts';
import { state, type ModelProvider, type Slot } from './model-provider.ts';
import { bound } from './rules.ts';

const resting: readonly number[] = [state.speculative, state.idle, state.configured, state.failed];

export const brokenLists: readonly Fault[] = [
  {
    name: 'List ignores the states',
    caughtBy: ['B901', 'ListFiltersByState'],
    also: ['B902'],
    breakIt: (m) => void (m.isWanted = () => true),
  },
  {
    name: 'List looks at the first state alone',
    caughtBy: ['B901'],
    breakIt(m) {
      const { isWanted } = bound(m);
      m.isWanted = (slot, filter) => isWanted(slot, { ...filter, states: filter.states.slice(0, 1) });
    },
  },
  {
    name: 'List of several states holds a machine twice',
    caughtBy: ['B901'],
    breakIt(m) {
      const { list } = bound(m);
      m.list = (filter) => {
        const found = list(filter) as Awaited<ReturnType<ModelProvider['list']>>;
        return filter.states.length > 1 ? { ...found, machines: [...found.machines, ...found.machines.slice(0, 1)] } : found;
      };
    },
  },
  {
    name: 'max_results is ignored',
    caughtBy: ['B902', 'B907', 'ListMaxResults'],
    also: ['B1103'],
    breakIt(m) {
      const { list } = bound(m);
      m.list = (filter) => list({ ...filter, maxResults: 0 });
    },
  },
  {
    name: 'a capped List holds one too few',
    caughtBy: ['B902'],
    also: ['B907', 'B302'],
    breakIt(m) {
      const { page } = bound(m);
      m.page = (slots, max) => page(slots, Math.max(1, max - 1));
    },
  },
  {
    name: 'a capped List starts elsewhere every time, and does not wrap',
    caughtBy: ['B902'],
    breakIt: (m) => void (m.page = (slots, max) => {
      const start = m.rotation % slots.length;
      m.rotation = start + max;
      return slots.slice(start, start + max);
    }),
  },
  {
    name: 'a page holds a machine twice',
    caughtBy: ['B902', 'B1103'],
    breakIt(m) {
      const { page } = bound(m);
      m.page = (slots, max) => (max < 2 ? page(slots, max) : [...page(slots, max - 1), page(slots, max)[0]!].map((slot, i, all) => (i === all.length - 1 ? all[0]! : slot)));
    },
  },
  {
    name: 'a Create moves no revision',
    caughtBy: ['B903', 'B905', 'B1102', 'ListRevisionAdvances'],
    also: ['B907'],
    breakIt(m) {
      const { touch } = bound(m);
      m.touch = (slot) => {
        const isCreate = slot.machine.state === state.creating || (slot.machine.state === state.idle && !slot.operations.has('drain'));
        if (!isCreate) touch(slot);
      };
    },
  },
  ...(['create', 'configure', 'drain'] as const).map((kind): Fault => ({
    name: `the end of a ${kind} moves no revision`,
    caughtBy: ['B905'],
    breakIt(m) {
      const { finish } = bound(m);
      m.finish = (call, slot) => (call.kind === kind ? unmoved(m, () => finish(call, slot)) : finish(call, slot));
    },
  })),
  {
    name: 'a failure moves no revision',
    caughtBy: ['B701', 'B703'],
    also: ['B707'],
    breakIt(m) {
      const { fail } = bound(m);
      m.fail = (slot, reason) => unmoved(m, () => fail(slot, reason));
    },
  },
  {
    name: 'deltas show a machine as it was before its newest change',
    caughtBy: ['B905'],
    also: ['B907'],
    breakIt(m) {
      const { touch, delta } = bound(m);
      const [former, newest] = [new Map<string, Machine>(), new Map<string, Machine>()];
      m.touch = (slot) => {
        touch(slot);
        former.set(slot.machine.id, newest.get(slot.machine.id) ?? m.shown(slot));
        newest.set(slot.machine.id, m.shown(slot));
      };
      m.delta = (wanted, since, max) => {
        const found = delta(wanted, since, max);
        return { ...found, machines: found.machines.map((machine) => former.get(machine.id) ?? machine) };
      };
    },
  },
  {
    name: 'a delta lacks the machine that changed first',
    caughtBy: ['B903', 'B905', 'B1102'],
    breakIt(m) {
      const { delta } = bound(m);
      m.delta = (wanted, since, max) => {
        const found = delta(wanted, since, max);
        return { ...found, machines: found.machines.slice(1) };
      };
    },
  },
  {
    name: 'a delta holds the newest change alone',
    caughtBy: ['B905', 'B1102'],
    breakIt(m) {
      const { delta } = bound(m);
      m.delta = (wanted, since, max) => {
        const found = delta(wanted, since, max);
        return { ...found, machines: found.machines.slice(-1) };
      };
    },
  },
  {
    name: 'a delta holds a neighbour, too',
    caughtBy: ['B1102'],
    breakIt(m) {
      const { delta } = bound(m);
      m.delta = (wanted, since, max) => {
        const found = delta(wanted, since, max);
        const other = [...wanted].reverse().find((slot) => !found.machines.some((machine) => machine.id === slot.machine.id));
        return found.machines.length < 3 || !other ? found : { ...found, machines: [...found.machines, m.shown(other)] };
      };
    },
  },
  {
    name: 'the delta since the newest revision repeats the newest change',
    caughtBy: ['B904', 'B908', 'B909'],
    also: ['B907'],
    breakIt(m) {
      const { delta } = bound(m);
      m.delta = (wanted, since, max) => delta(wanted, since - 1, max);
    },
  },
  {
    name: 'an unknown cursor is an error',
    caughtBy: ['B906', 'B909'],
    breakIt(m) {
      const { cursor } = bound(m);
      m.cursor = (bytes) => {
        const known = cursor(bytes);
        if (known === undefined && bytes.length > 0) throw new GrpcError(GrpcCode.INVALID_ARGUMENT, 'no such revision');
        return known;
      };
    },
  },
  {
    name: 'an unknown cursor counts as the newest',
    caughtBy: ['B906', 'B909'],
    breakIt(m) {
      const { cursor } = bound(m);
      m.cursor = (bytes) => cursor(bytes) ?? (bytes.length > 0 ? m.revision : undefined);
    },
  },
  {
    name: 'cursors are read as far as they are numbers',
    caughtBy: ['B909'],
    breakIt: (m) => void (m.cursor = (bytes) => {
      const number = Number.parseInt(Buffer.from(bytes).toString('latin1'), 10);
      return Number.isNaN(number) ? undefined : number;
    }),
  },
  {
    name: 'a cut delta is continued one too far',
    caughtBy: ['B907'],
    breakIt: (m) => cutDelta(m, 1),
  },
  {
    name: 'a cut delta is continued one too early',
    caughtBy: ['B907'],
    breakIt: (m) => cutDelta(m, -1),
  },
  {
    name: 'reading changes a machine',
    caughtBy: ['B908'],
    also: ['B905', 'B907', 'B909'],
    breakIt(m) {
      const { list } = bound(m);
      const [first] = m.slots.values();
      m.list = (filter) => {
        const found = list(filter);
        if (filter.sinceRevision.length > 0) m.touch(first!);
        return found;
      };
    },
  },
  {
    name: 'machines are not listed while they are under way',
    caughtBy: ['B901', 'B1105'],
    also: ['B407'],
    breakIt: (m) => hides(m, (slot) => !resting.includes(slot.machine.state)),
  },
  {
    name: 'machines that are under way are listed by their states alone',
    caughtBy: ['B901', 'B1105'],
    also: ['B407'],
    breakIt: (m) => hides(m, (slot, { states }) => states.length === 0 && !resting.includes(slot.machine.state)),
  },
  {
    name: 'machines that are DRAINING are not listed',
    caughtBy: ['B901'],
    breakIt: (m) => hides(m, (slot) => slot.machine.state === state.draining),
  },
  {
    name: 'CONFIGURED machines are listed by their state alone',
    caughtBy: ['B901', 'MetadataEchoedOnGetAndList'],
    breakIt: (m) => hides(m, (slot, { states }) => states.length === 0 && slot.machine.state === state.configured),
  },
  {
    name: 'FAILED machines are listed by their state, and in deltas, alone',
    caughtBy: ['B707'],
    breakIt: (m) => hides(m, (slot, { states, sinceRevision }) => states.length + sinceRevision.length === 0 && slot.machine.state === state.failed),
  },
  {
    name: 'every other List forgets a machine',
    caughtBy: ['B1109'],
    isAlone: true,
    breakIt(m) {
      const { list } = bound(m);
      let lists = 0;
      m.list = (filter) => {
        const found = list(filter) as Awaited<ReturnType<ModelProvider['list']>>;
        return filter.maxResults === 0 && lists++ % 2 === 1 ? { ...found, machines: found.machines.slice(1) } : found;
      };
    },
  },
];

/** Lets a change happen without a new revision. */
function unmoved(m: ModelProvider, change: () => void): void {
  const { touch } = m;
  m.touch = () => {};
  change();
  m.touch = touch;
}

function hides(m: ModelProvider, isHidden: (slot: Slot, filter: ListFilter) => boolean): void {
  const { isWanted } = bound(m);
  m.isWanted = (slot, filter) => isWanted(slot, filter) && !isHidden(slot, filter);
}

/** Hands out the cursor of a record `by` places from where a cut delta really ends. */
function cutDelta(m: ModelProvider, by: number): void {
  m.delta = (wanted, since, max) => {
    const changed = wanted.filter((slot) => slot.revision > since).sort((a, b) => a.revision - b.revision);
    const page = changed.slice(0, max);
    const end = changed.length > page.length ? (changed[page.length - 1 + by]?.revision ?? m.revision) : m.revision;
    return { machines: page.map((slot) => m.shown(slot)), revision: m.revisionBytes(end) };
  };
}
