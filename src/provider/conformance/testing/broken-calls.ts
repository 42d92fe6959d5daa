import { GrpcCode, GrpcError } from '../../../api/grpc.ts';
import type { Fault } from './fault.ts';
import { state, steps, type Call, type Kind, type ModelProvider, type Slot } from './model-provider.ts';
import { bound } from './rules.ts';

/** Wrong about which calls are legal, what is the same operation, and what goes on at the same moment. */
export const brokenCalls: readonly Fault[] = [
  {
    name: 'a call in the wrong state is FAILED_PRECONDITION',
    caughtBy: ['B201', 'B202', 'B203', 'B204', 'B311', 'B404', 'B1203', 'B1205', 'DrainOnSpeculative', 'DeleteOnConfigured'],
    breakIt: (m) => void (m.illegal = ({ id }) => {
      throw new GrpcError(GrpcCode.FAILED_PRECONDITION, `${id} is in the wrong state`);
    }),
  },
  {
    name: 'Create starts over on a CONFIGURED machine',
    caughtBy: ['B201'],
    breakIt: (m) => instead(m, 'create', state.configured, (call, slot) => {
      m.unbind(slot);
      return m.start(call, slot);
    }),
  },
  {
    name: 'Configure of a SPECULATIVE machine is refused after it was bound',
    caughtBy: ['B202'],
    breakIt: (m) => instead(m, 'configure', state.speculative, (call, slot) => {
      m.bind(call, slot);
      throw new GrpcError(GrpcCode.ABORTED, 'not now');
    }),
  },
  {
    name: 'Drain of an IDLE machine takes its host away',
    caughtBy: ['B203'],
    breakIt: (m) => instead(m, 'drain', state.idle, (call, slot) => m.start({ ...call, kind: 'delete' }, slot)),
  },
  {
    name: 'Delete takes a CONFIGURED machine',
    caughtBy: ['B204', 'DeleteOnConfigured'],
    breakIt: (m) => instead(m, 'delete', state.configured, (call, slot) => m.start(call, slot)),
  },
  {
    name: 'the ack of a repeat shows the machine as it was during the operation',
    caughtBy: ['B205'],
    breakIt(m) {
      const { repeat } = bound(m);
      m.repeat = (call, slot) => {
        const ack = repeat(call, slot);
        if (ack.machine) ack.machine.state = steps[call.kind].during;
        return ack;
      };
    },
  },
  {
    name: 'a Configure for another cluster rewrites the binding of a CONFIGURED machine',
    caughtBy: ['B205'],
    also: ['B505'],
    breakIt: (m) => rebindsIn(m, state.configured),
  },
  {
    name: 'a Configure for another cluster rewrites the binding of a CONFIGURING machine',
    caughtBy: ['B505'],
    breakIt: (m) => rebindsIn(m, state.configuring),
  },
  {
    name: 'a Configure for another cluster takes a CONFIGURED machine over by a new operation',
    caughtBy: ['B205'],
    breakIt(m) {
      const { isRepeat } = bound(m);
      m.isRepeat = (call, slot) => isRepeat(call, slot) && !(call.kind === 'configure' && call.cluster !== slot.machine.cluster);
      instead(m, 'configure', state.configured, (call, slot) => m.start(call, slot));
    },
  },
  {
    name: 'a Configure for another cluster has an operation id of its own, though nothing is done',
    caughtBy: ['B205'],
    breakIt(m) {
      const { repeat } = bound(m);
      m.repeat = (call, slot) => (call.kind === 'configure' && call.cluster !== slot.machine.cluster ? m.ack(m.mint(call, slot), slot) : repeat(call, slot));
    },
  },
  {
    name: 'a repeat has an operation id of its own',
    caughtBy: ['B206', 'B214', 'B306', 'B307', 'B401', 'CreateIdempotent', 'ConfigureIdempotent', 'DrainIdempotent', 'DeleteIdempotent'],
    breakIt: (m) => void (m.repeat = (call, slot) => m.ack(m.mint(call, slot), slot)),
  },
  {
    name: 'a machine has one operation id for everything',
    caughtBy: ['B206', 'B214', 'B1108'],
    breakIt: (m) => void (m.mint = ({ id }) => `op-${id}`),
  },
  {
    name: 'the operation ids of a machine are the same in every cycle',
    caughtBy: ['B214'],
    breakIt: (m) => void (m.mint = ({ id, kind }) => `op-${id}-${kind}`),
  },
  {
    name: 'operation ids are made of the kind and the hour',
    caughtBy: ['B214', 'B407', 'B1108'],
    breakIt: (m) => void (m.mint = ({ kind }) => `op-${kind}-${new Date().getUTCHours()}`),
  },
  {
    name: 'Create makes up machines that are not there',
    caughtBy: ['B207', 'B301', 'B1205'],
    breakIt(m) {
      const { unknown } = bound(m);
      m.unknown = (call) => {
        if (call.kind !== 'create') return unknown(call);
        const [like] = m.slots.values();
        const slot: Slot = { machine: { ...structuredClone(like!.machine), id: call.id, state: state.speculative }, operations: new Map(), running: undefined, revision: 0 };
        m.slots.set(call.id, slot);
        return m.start(call, slot);
      };
    },
  },
  {
    name: 'Get of an unknown machine is OK and empty',
    caughtBy: ['B207', 'B215', 'GetUnknownMachine'],
    breakIt(m) {
      const { get } = bound(m);
      const [like] = m.slots.values();
      m.get = (id) => (id === '' || m.slots.has(id) ? get(id) : { ...structuredClone(like!.machine), id: '' });
    },
  },
  {
    name: 'Delete of an unknown machine is OK',
    caughtBy: ['B215', 'B1205', 'DeleteUnknownMachine'],
    breakIt(m) {
      const { unknown } = bound(m);
      m.unknown = (call) => (call.kind === 'delete' ? { operationId: 'op-none', machine: undefined } : unknown(call));
    },
  },
  {
    name: 'an empty id is NOT_FOUND',
    caughtBy: ['B208', 'B1205'],
    breakIt: (m) => void (m.emptyId = () => {
      throw new GrpcError(GrpcCode.NOT_FOUND, 'no machine');
    }),
  },
  {
    name: 'a negative grace period is an internal error',
    caughtBy: ['B210'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        if (call.grace < 0n) throw new GrpcError(GrpcCode.INTERNAL, 'cannot wait for a negative time');
        return start(call, slot);
      };
    },
  },
  {
    name: 'a large blob is refused after the machine was bound',
    caughtBy: ['B213'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        if (call.blobBytes < 1_000_000) return start(call, slot);
        m.bind(call, slot);
        throw new GrpcError(GrpcCode.RESOURCE_EXHAUSTED, 'too large');
      };
    },
  },
  ...(['create', 'configure', 'drain', 'delete'] as const).map((kind): Fault => ({
    name: `a ${kind} that is repeated while it is under way starts again`,
    caughtBy: { create: ['B401', 'CreateIdempotent'], configure: ['B402', 'ConfigureIdempotent'], drain: ['B403', 'DrainIdempotent'], delete: ['B409', 'DeleteIdempotent'] }[kind],
    breakIt: (m) => startsAgain(m, kind),
  })),
  {
    name: 'a repeat over another connection is another operation',
    caughtBy: ['B406'],
    breakIt(m) {
      const { isRepeat, start, illegal } = bound(m);
      const peers = new Map<string, string>();
      m.start = (call, slot) => {
        peers.set(call.id, call.peer);
        return start(call, slot);
      };
      const isElsewhere = (call: Call): boolean => peers.get(call.id) !== call.peer;
      m.isRepeat = (call, slot) => isRepeat(call, slot) && !isElsewhere(call);
      m.illegal = (call, slot) => (isRepeat(call, slot) && isElsewhere(call) ? m.start(call, slot) : illegal(call, slot));
    },
  },
  {
    name: 'an ack shows the machine that was acknowledged before',
    caughtBy: ['B407'],
    also: ['B204', 'B504'],
    breakIt(m) {
      const { ack } = bound(m);
      let before: Slot | undefined;
      m.ack = (operation, slot) => {
        const shown = ack(operation, before ?? slot);
        before = slot;
        return shown;
      };
    },
  },
  {
    name: 'the ack of a repeated Configure is put together while the binding is written',
    caughtBy: ['B408'],
    breakIt(m) {
      const { repeat } = bound(m);
      m.repeat = (call, slot) => {
        const ack = repeat(call, slot);
        if (call.kind === 'configure' && ack.machine?.state === state.configuring) Object.assign(ack.machine, { state: state.configured, cluster: '' });
        return ack;
      };
    },
  },
];

/** Does something else where a call of this kind meets a machine in this state. */
function instead(m: ModelProvider, kind: Kind, where: number, what: ModelProvider['illegal']): void {
  const { illegal } = bound(m);
  m.illegal = (call, slot) => (call.kind === kind && slot.machine.state === where ? what(call, slot) : illegal(call, slot));
}

function rebindsIn(m: ModelProvider, where: number): void {
  const { repeat } = bound(m);
  m.repeat = (call, slot) => {
    if (call.kind === 'configure' && slot.machine.state === where) slot.machine.cluster = call.cluster;
    return repeat(call, slot);
  };
}

function startsAgain(m: ModelProvider, kind: Kind): void {
  const { isRepeat } = bound(m);
  const isUnderWay = (call: Call, slot: Slot): boolean => call.kind === kind && slot.machine.state === steps[kind].during;
  m.isRepeat = (call, slot) => isRepeat(call, slot) && !isUnderWay(call, slot);
  instead(m, kind, steps[kind].during, (call, slot) => m.start(call, slot));
}
