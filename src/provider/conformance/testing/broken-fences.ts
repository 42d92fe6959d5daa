import { GrpcCode, GrpcError } from '../../../api/grpc.ts';
import type { Fault } from './fault.ts';
import type { Kind, Mark, ModelProvider } from './model-provider.ts';
import { bound } from './rules.ts';

/** Shorter than B309 waits. */
const FORGETS_AFTER_MS = 50;

export const brokenFences: readonly Fault[] = [
  {
    name: 'the fence comes after the look-up',
    caughtBy: ['B301'],
    breakIt(m) {
      const { fence } = bound(m);
      m.fence = (call) => (m.slots.has(call.id) ? fence(call) : undefined);
    },
  },
  {
    name: 'a shard has one mark, whatever the machine',
    caughtBy: ['B302', 'B1204', 'FencingPerMachineIsolation'],
    breakIt: (m) => void (m.markKey = ({ shard }) => shard),
  },
  {
    name: 'a machine has one mark, whatever the shard',
    caughtBy: ['B302', 'B1204', 'B401'],
    also: ['B206', 'B303', 'B504'],
    breakIt: (m) => void (m.markKey = ({ id }) => id),
  },
  {
    name: 'capped Lists always begin at the first machine',
    caughtBy: ['B302'],
    breakIt: (m) => void (m.page = (slots, max) => slots.slice(0, max)),
  },
  {
    name: 'an equal token passes',
    caughtBy: ['B302', 'B303', 'B306', 'B307', 'B310', 'B312', 'FencingStaleSequenceRejected'],
    breakIt: (m) => void (m.isAbove = (a, b) => (a.epoch === b.epoch ? a.sequence >= b.sequence : a.epoch > b.epoch)),
  },
  {
    name: 'sequences are compared before epochs',
    caughtBy: ['B303', 'B310', 'FencingNewEpochResetsSequence', 'FencingStaleEpochRejected'],
    breakIt: (m) => void (m.isAbove = (a, b) => (a.sequence === b.sequence ? a.epoch > b.epoch : a.sequence > b.sequence)),
  },
  {
    name: 'epochs and sequences are floating-point numbers',
    caughtBy: ['B212'],
    breakIt: (m) => void (m.isAbove = (a, b) => (Number(a.epoch) === Number(b.epoch) ? Number(a.sequence) > Number(b.sequence) : Number(a.epoch) > Number(b.epoch))),
  },
  {
    name: 'epochs and sequences are compared as text',
    caughtBy: ['B303', 'B1201'],
    also: ['B401'],
    breakIt: (m) => void (m.isAbove = (a, b) => (a.epoch === b.epoch ? String(a.sequence) > String(b.sequence) : String(a.epoch) > String(b.epoch))),
  },
  {
    name: 'epochs and sequences are unsigned',
    caughtBy: ['B1201', 'B1204'],
    breakIt(m) {
      const unsigned = (n: bigint): bigint => BigInt.asUintN(64, n);
      m.isAbove = (a, b) => (a.epoch === b.epoch ? unsigned(a.sequence) > unsigned(b.sequence) : unsigned(a.epoch) > unsigned(b.epoch));
    },
  },
  {
    name: 'a first contact must have a positive token',
    caughtBy: ['B211', 'B1201', 'B1204'],
    also: ['B312'],
    breakIt: (m) => negative(m, GrpcCode.FAILED_PRECONDITION),
  },
  {
    name: 'a shard must be announced before it may speak',
    caughtBy: ['B211', 'B303', 'FencingUnknownShardAccepted'],
    isAlone: true,
    breakIt(m) {
      m.fence = () => {
        throw new GrpcError(GrpcCode.FAILED_PRECONDITION, 'who are you?');
      };
    },
  },
  {
    name: 'negative tokens are invalid',
    caughtBy: ['B1201', 'B1204'],
    breakIt: (m) => negative(m, GrpcCode.INVALID_ARGUMENT),
  },
  {
    name: 'a call that is refused for its state does not move the mark',
    caughtBy: ['B311'],
    breakIt(m) {
      const { illegal } = bound(m);
      m.illegal = (call, slot) => {
        m.marks.delete(m.markKey(call));
        return illegal(call, slot);
      };
    },
  },
  ...(['create', 'configure', 'drain', 'delete'] as const).map((kind): Fault => ({
    name: `a ${kind} that is refused for its state does not move the mark`,
    caughtBy: ['B311'],
    breakIt(m) {
      const { dispatch, illegal } = bound(m);
      let former: Mark | undefined;
      m.dispatch = (call) => {
        former = m.marks.get(m.markKey(call));
        return dispatch(call);
      };
      m.illegal = (call, slot) => {
        if (call.kind === kind && former) m.marks.set(m.markKey(call), former);
        else if (call.kind === kind) m.marks.delete(m.markKey(call));
        return illegal(call, slot);
      };
    },
  })),
  {
    name: 'shards are told apart without regard to case',
    caughtBy: ['B302'],
    breakIt: (m) => void (m.markKey = ({ shard, id }) => JSON.stringify([shard.toLowerCase(), id])),
  },
  {
    name: 'marks are forgotten once nobody has spoken for a while',
    caughtBy: ['B309'],
    isAlone: true,
    breakIt(m) {
      const { dispatch } = bound(m);
      let spokenAt = m.options.clock.monotonic();
      m.dispatch = (call) => {
        const now = m.options.clock.monotonic();
        if (now - spokenAt > FORGETS_AFTER_MS) m.marks.clear();
        spokenAt = now;
        return dispatch(call);
      };
    },
  },
  {
    name: 'only the newest 256 marks are kept',
    caughtBy: ['B309'],
    breakIt(m) {
      const { fence } = bound(m);
      m.fence = (call) => {
        fence(call);
        const [key, mark] = [m.markKey(call), m.marks.get(m.markKey(call))];
        m.marks.delete(key);
        if (mark) m.marks.set(key, mark);
        for (const oldest of m.marks.keys()) if (m.marks.size > 256) m.marks.delete(oldest);
      };
    },
  },
  {
    name: 'a token that is refused moves the mark, too',
    caughtBy: ['B303', 'B405', 'B312'],
    breakIt(m) {
      m.fenced = (call, mark) => {
        m.marks.set(m.markKey(call as never), { epoch: call.epoch, sequence: call.sequence });
        return new GrpcError(GrpcCode.FAILED_PRECONDITION, `not above ${mark.epoch}`);
      };
    },
  },
  ...(['configure', 'drain'] as const).map((kind): Fault => ({
    name: `a repeated ${kind} is answered before the fence`,
    caughtBy: [kind === 'configure' ? 'B306' : 'B307'],
    breakIt: (m) => repeatBeforeFence(m, kind),
  })),
  {
    name: 'a call without a token is fenced like any other',
    caughtBy: ['B308'],
    breakIt: (m) => void (m.isUnfenced = () => false),
  },
  {
    name: '(0, 0) counts as no token, also of a named shard',
    caughtBy: ['B312'],
    breakIt: (m) => void (m.isUnfenced = ({ epoch, sequence }) => epoch === 0n && sequence === 0n),
  },
  ...(['delete', 'drain'] as const).map((kind): Fault => ({
    name: `the end of a ${kind} drops the marks of the machine`,
    caughtBy: kind === 'delete' ? ['B310'] : ['B307', 'B309'],
    breakIt(m) {
      const { finish } = bound(m);
      m.finish = (call, slot) => {
        finish(call, slot);
        if (call.kind === kind) for (const key of m.marks.keys()) if (key.endsWith(JSON.stringify([call.id]).slice(1))) m.marks.delete(key);
      };
    },
  })),
  {
    name: 'whoever was fenced out may not read',
    caughtBy: ['B305', 'FencingReadsUnaffected'],
    also: ['B303'],
    breakIt(m) {
      const { fenced, get } = bound(m);
      let isShut = false;
      m.fenced = (call, mark) => {
        isShut = true;
        return fenced(call, mark);
      };
      m.get = (id) => {
        if (!isShut) return get(id);
        isShut = false;
        throw new GrpcError(GrpcCode.FAILED_PRECONDITION, 'your epoch is over');
      };
    },
  },
];

function negative(m: ModelProvider, code: GrpcCode): void {
  const { fence } = bound(m);
  m.fence = (call) => {
    if (call.epoch < 0n || call.sequence < 0n) throw new GrpcError(code, 'negative');
    fence(call);
  };
}

function repeatBeforeFence(m: ModelProvider, kind: Kind): void {
  const { dispatch } = bound(m);
  m.dispatch = (call) => {
    const slot = m.slots.get(call.id);
    return slot && call.kind === kind && m.isRepeat(call, slot) ? m.repeat(call, slot) : dispatch(call);
  };
}
