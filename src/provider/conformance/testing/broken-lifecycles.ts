import type { Fault } from './fault.ts';
import { state } from './model-provider.ts';
import { bound } from './rules.ts';

/** Wrong about what a machine goes through, and what it leaves behind. */
export const brokenLifecycles: readonly Fault[] = [
  {
    name: 'the cluster stays after a Drain',
    caughtBy: ['B101', 'B106', 'B403', 'MetadataAndBindingClearOnDrain'],
    breakIt: (m) => void (m.unbind = ({ machine }) => void (machine.shardMetadata = new Map())),
  },
  {
    name: 'the metadata stays after a Drain',
    caughtBy: ['B101', 'B403', 'B502', 'MetadataAndBindingClearOnDrain'],
    breakIt: (m) => void (m.unbind = ({ machine }) => void (machine.cluster = '')),
  },
  {
    name: 'the metadata goes only some time after the Drain has ended',
    caughtBy: ['B101', 'B502', 'MetadataAndBindingClearOnDrain'],
    also: ['B403'],
    breakIt: (m) => void (m.unbind = (slot) => {
      slot.machine.cluster = '';
      void m.seen(slot).then(() => slot.machine.shardMetadata.clear());
    }),
  },
  {
    name: 'a Drain is reported as done while it is under way',
    caughtBy: ['B101', 'B502', 'MetadataAndBindingClearOnDrain'],
    also: ['B106', 'B206', 'B105'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        const ack = start(call, slot);
        if (call.kind === 'drain') slot.machine.state = state.idle;
        return ack;
      };
    },
  },
  {
    name: 'a Drain is acknowledged, and the machine is still CONFIGURED for a while',
    caughtBy: ['B104', 'B105'],
    also: ['B101', 'DrainGraceTimeout'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        const ack = start(call, slot);
        if (call.kind === 'drain') slot.machine.state = state.configured;
        return ack;
      };
    },
  },
  {
    name: 'a Drain leaves a last_error behind',
    caughtBy: ['B101'],
    breakIt(m) {
      const { unbind } = bound(m);
      m.unbind = (slot) => {
        unbind(slot);
        slot.machine.lastError = 'drained';
      };
    },
  },
  {
    name: 'a Configure shows as CREATING',
    caughtBy: ['B103', 'B105'],
    also: ['B408'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        const ack = start(call, slot);
        if (call.kind === 'configure') slot.machine.state = state.creating;
        return ack;
      };
    },
  },
  {
    name: 'a Create shows as CONFIGURING',
    caughtBy: ['B105', 'TransitionalStateObservability'],
    also: ['B206', 'B303'],
    breakIt(m) {
      const { start } = bound(m);
      m.start = (call, slot) => {
        const ack = start(call, slot);
        if (call.kind === 'create') slot.machine.state = state.configuring;
        return ack;
      };
    },
  },
  {
    name: 'a Drain ends in FAILED when there is no grace',
    caughtBy: ['B104', 'B105', 'FullLifecycle'],
    also: ['B206', 'B504'],
    breakIt(m) {
      const { work } = bound(m);
      m.work = (call, slot) => (call.kind === 'drain' && call.grace === 0n ? Promise.reject(new Error('no grace')) : work(call, slot));
    },
  },
  {
    name: 'a Drain without grace fails and says no reason',
    caughtBy: ['DrainGraceTimeout', 'B105'],
    breakIt(m) {
      const { work, fail } = bound(m);
      m.work = (call, slot) => (call.kind === 'drain' && call.grace === 0n ? Promise.reject(new Error('no grace')) : work(call, slot));
      m.fail = (slot) => fail(slot, '');
    },
  },
  {
    name: 'the cluster shows only once the machine is CONFIGURED',
    caughtBy: ['B106', 'B408'],
    breakIt(m) {
      const { shown } = bound(m);
      m.shown = (slot) => {
        const machine = shown(slot);
        if (machine.state === state.configuring) machine.cluster = '';
        return machine;
      };
    },
  },
  bindsAs('cluster ids are brought into lower case', (cluster) => cluster.toLowerCase()),
  bindsAs('cluster ids are cut after 63 characters, as labels are', (cluster) => cluster.slice(0, 63)),
  bindsAs('cluster ids are cut after 128 characters', (cluster) => cluster.slice(0, 128)),
  {
    name: 'List shows cluster ids in lower case',
    caughtBy: ['B106'],
    breakIt: (m) => void (m.listed = (slot) => {
      const machine = m.shown(slot);
      return { ...machine, cluster: machine.cluster.toLowerCase() };
    }),
  },
  {
    name: 'an IDLE machine shows no host',
    caughtBy: ['B107', 'B803', 'B805'],
    breakIt(m) {
      const { shown } = bound(m);
      m.shown = (slot) => {
        const machine = shown(slot);
        if (machine.state === state.idle) machine.host = undefined;
        return machine;
      };
    },
  },
  {
    name: 'a machine leaves its cluster by itself',
    caughtBy: ['B108'],
    isAlone: true,
    breakIt(m) {
      const { finish } = bound(m);
      m.finish = (call, slot) => {
        finish(call, slot);
        if (call.kind === 'configure') void m.after(30).then(() => finish({ ...call, kind: 'drain' }, slot));
      };
    },
  },
  {
    name: 'Delete keeps the host',
    caughtBy: ['B109', 'B807'],
    breakIt: (m) => void (m.dropHost = () => {}),
  },
  {
    name: 'Delete gives the last binding back',
    caughtBy: ['B807'],
    breakIt(m) {
      const { unbind } = bound(m);
      const last = new Map<string, Map<string, string>>();
      m.unbind = (slot) => {
        last.set(slot.machine.id, slot.machine.shardMetadata);
        unbind(slot);
      };
      m.dropHost = ({ machine }) => {
        machine.host = undefined;
        machine.shardMetadata = last.get(machine.id) ?? new Map();
      };
    },
  },
  {
    name: 'Create never ends once a slot was deleted',
    caughtBy: ['B310', 'B1203'],
    reachMs: 1_500,
    breakIt(m) {
      const { work } = bound(m);
      m.work = (call, slot) => (call.kind === 'create' && slot.operations.has('delete') ? new Promise(() => {}) : work(call, slot));
    },
  },
  {
    name: 'the second Configure of a machine fails',
    caughtBy: ['B101', 'B214', 'B309', 'B502', 'B1104', 'B1202'],
    breakIt(m) {
      const { work } = bound(m);
      m.work = (call, slot) => (call.kind === 'configure' && slot.operations.has('drain') ? Promise.reject(new Error('worn out')) : work(call, slot));
    },
  },
];

function bindsAs(name: string, change: (cluster: string) => string): Fault {
  return {
    name, caughtBy: ['B106'],
    breakIt(m) {
      const { bind } = bound(m);
      m.bind = (call, slot) => bind({ ...call, cluster: change(call.cluster) }, slot);
    },
  };
}
