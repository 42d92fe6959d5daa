import { GrpcCode, GrpcError } from '../../../api/grpc.ts';
import type { Fault } from './fault.ts';
import { state, type ModelProvider, type Saved } from './model-provider.ts';
import { bound } from './rules.ts';

/** Wrong about failures, about what survives a crash, or too slow. */
export const brokenOutcomes: readonly Fault[] = [
  {
    name: 'a failure has no reason',
    caughtBy: ['B701', 'B702', 'B703', 'B708'],
    breakIt(m) {
      const { fail } = bound(m);
      m.fail = (slot) => fail(slot, '');
    },
  },
  {
    name: 'a call that is going to fail is refused at once',
    caughtBy: ['B701'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        if (call.cluster === 'fault-error') throw new GrpcError(GrpcCode.INTERNAL, 'that will not work');
        return start(call, slot);
      };
    },
  },
  {
    name: 'a Create that fails gives the slot back without a word',
    caughtBy: ['B702'],
    breakIt(m) {
      const { fail } = bound(m);
      m.fail = (slot, reason) => {
        if (slot.machine.state !== state.creating) return fail(slot, reason);
        slot.machine.state = state.speculative;
        m.touch(slot);
      };
    },
  },
  {
    name: 'nothing ever times out',
    caughtBy: ['B703', 'B704', 'B708'],
    reachMs: 1_500,
    breakIt: (m) => void (m.hasTimeout = () => false),
  },
  {
    name: 'a late success revives a FAILED machine',
    caughtBy: ['B704'],
    breakIt(m) {
      const { fail } = bound(m);
      m.fail = (slot, reason) => {
        fail(slot, reason);
        if (slot.machine.cluster === 'fault-slow-ok') void m.after(m.options.timeoutMs / 2).then(() => (slot.machine.state = state.configured));
      };
    },
  },
  {
    name: 'Configure revives a FAILED machine',
    caughtBy: ['B705'],
    breakIt(m) {
      const { illegal } = bound(m);
      m.illegal = (call, slot) => (slot.machine.state === state.failed && call.kind === 'configure' ? m.start(call, slot) : illegal(call, slot));
    },
  },
  {
    name: 'a refused call on a FAILED machine changes its last_error',
    caughtBy: ['B705'],
    breakIt(m) {
      const { illegal } = bound(m);
      m.illegal = (call, slot) => {
        if (slot.machine.state === state.failed) slot.machine.lastError = `${call.kind} refused`;
        return illegal(call, slot);
      };
    },
  },
  {
    name: 'a Drain that fails is DRAINING for ever',
    caughtBy: ['B706'],
    reachMs: 1_500,
    breakIt(m) {
      const { fail } = bound(m);
      m.fail = (slot, reason) => (slot.machine.state === state.draining ? undefined : fail(slot, reason));
    },
  },
  {
    name: 'last_error counts how often it was read',
    caughtBy: ['B705', 'B707'],
    breakIt(m) {
      const { shown } = bound(m);
      let reads = 0;
      m.shown = (slot) => {
        const machine = shown(slot);
        if (machine.lastError !== '') machine.lastError += ` (${++reads})`;
        return machine;
      };
    },
  },
  {
    name: 'a machine is CONFIGURED before its Node is Ready',
    caughtBy: ['B708'],
    breakIt: (m) => void (m.ready = () => Promise.resolve()),
  },
  saves('fence marks are not saved', ['B1001'], (saved) => void (saved.marks = new Map())),
  saves('fence marks of machines that nobody knows are not saved', ['B1001'], ({ marks, slots }) => {
    for (const key of marks.keys()) if (!slots.has((JSON.parse(key) as [string, string])[1])) marks.delete(key);
  }),
  {
    name: 'fence marks are saved with what a call does, and a refused call does nothing',
    caughtBy: ['B1001'],
    breakIt(m) {
      const { illegal, save } = bound(m);
      const unsaved = new Set<string>();
      m.illegal = (call, slot) => {
        unsaved.add(m.markKey(call));
        return illegal(call, slot);
      };
      m.save = () => {
        const saved = save();
        for (const key of unsaved) saved.marks.delete(key);
        return saved;
      };
    },
  },
  saves('only the epochs of fence marks are saved', ['B1001'], ({ marks }) => marks.forEach(({ epoch }, key) => marks.set(key, { epoch, sequence: 0n }))),
  saves('fence marks are one epoch higher after a crash', ['B1001'], ({ marks }) => marks.forEach(({ epoch, sequence }, key) => marks.set(key, { epoch: epoch + 1n, sequence }))),
  saves('revisions begin again', ['B1005'], (saved) => {
    saved.revision = 1;
    saved.slots.forEach((slot) => (slot.revision = 1));
  }),
  saves('the newest revision is not saved, those of machines are', ['B1005'], (saved) => void (saved.revision = 1)),
  saves('no machine has changed before the restart', ['B1005'], (saved) => saved.slots.forEach((slot) => (slot.revision = 1))),
  saves('operation ids are not saved', ['B1002'], (saved) => saved.slots.forEach((slot) => slot.operations.clear())),
  saves('metadata is not saved', ['B1003'], (saved) => saved.slots.forEach(({ machine }) => machine.shardMetadata.clear())),
  saves('clusters are not saved', ['B1003'], (saved) => saved.slots.forEach(({ machine }) => (machine.cluster = ''))),
  saves('a restart brings more slots', ['B1004'], (saved) => {
    const [slot] = structuredClone([...saved.slots.values()].slice(-1));
    if (slot) saved.slots.set('slot-new', { ...slot, machine: { ...slot.machine, id: 'slot-new' } });
  }),
  saves('a restart takes IDLE machines for SPECULATIVE ones', ['B1004'], (saved) => saved.slots.forEach(({ machine }) => {
    if (machine.state === state.idle) Object.assign(machine, { state: state.speculative, host: undefined });
  })),
  saves('operation ids begin again', ['B1005'], (saved) => void (saved.minted = 0)),
  {
    name: 'there is no revision after a restart',
    caughtBy: ['B1005'],
    breakIt: (m) => afterRestart(m, () => (m.revisionBytes = () => new Uint8Array())),
  },
  {
    name: 'what a crash cut off is under way for ever',
    caughtBy: ['B1006'],
    reachMs: 1_000,
    breakIt: (m) => void (m.recover = () => {}),
  },
  {
    name: 'a Create that a crash cut off is under way for ever',
    caughtBy: ['B1006'],
    reachMs: 1_000,
    breakIt(m) {
      const { fail } = bound(m);
      afterRestart(m, () => (m.fail = (slot, reason) => (slot.machine.state === state.creating ? undefined : fail(slot, reason))));
    },
  },
  {
    name: 'after a restart only shards may speak that have spoken before',
    caughtBy: ['B1007'],
    breakIt(m) {
      const { fence } = bound(m);
      const isKnown = (shard: string): boolean => [...m.marks.keys()].some((key) => key.startsWith(JSON.stringify([shard]).slice(0, -1)));
      afterRestart(m, () => (m.fence = (call) => {
        if (call.shard !== '' && !isKnown(call.shard)) throw new GrpcError(GrpcCode.FAILED_PRECONDITION, 'who are you?');
        fence(call);
      }));
    },
  },
  {
    name: 'every thirtieth Get takes 300 ms',
    caughtBy: ['B1106'],
    isAlone: true,
    breakIt(m) {
      const { get } = bound(m);
      let gets = 0;
      m.get = async (id) => {
        if (++gets % 30 === 0) await m.after(300);
        return get(id);
      };
    },
  },
  {
    name: 'a full List takes more than three seconds',
    caughtBy: ['B1107'],
    isAlone: true,
    breakIt(m) {
      const { list } = bound(m);
      m.list = async (filter) => {
        if (filter.maxResults === 0) await m.after(3_010);
        return list(filter);
      };
    },
  },
];

function saves(name: string, caughtBy: readonly string[], spoil: (saved: Saved) => void): Fault {
  return {
    name, caughtBy,
    breakIt(m) {
      const { save } = bound(m);
      m.save = () => {
        const saved = save();
        spoil(saved);
        return saved;
      };
    },
  };
}

function afterRestart(m: ModelProvider, breakIt: () => void): void {
  if (m.options.saved) breakIt();
}
